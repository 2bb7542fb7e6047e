"""The engine `openai` against a real `vllm serve` on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from mathse.core.machine import Server
from mathse.engines.openai_engine import OpenAIEngine
from mathse.engines.protocol import Engine, SamplingParams, complete_all
from tests.vllm import needs_vllm
from tests.vllm.conftest import BASE
from tests.vllm.test_vllm_engine import Problems, describe_requests, judge_requests, show

pytestmark = [pytest.mark.slow, needs_vllm]
START_S = 600


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [
        # What `vllm serve` starts; the command itself asks for the version of a package "vllm".
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", BASE),
        *("--host", "127.0.0.1", "--port", str(port), "--served-model-name", "student"),
        *("--dtype", "float32", "--enforce-eager", "--generation-config", "vllm"),
        *("--structured-outputs-config", json.dumps({"backend": "guidance"})),
        *("--max-num-seqs", "32"),
    ]
    environment = {**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("w") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env=environment, start_new_session=True
        )
    try:
        _wait(f"http://127.0.0.1:{port}/health", process, log)
        yield Server(url=f"http://127.0.0.1:{port}/v1", continues_prefix=True, takes_grammar=True)
    finally:
        with suppress(ProcessLookupError):  # it has not started
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(300)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(1)


def test_texts_and_verdicts_are_those_of_the_engine_vllm(
    server: Server,
    engines: dict[str, Engine],
    problems: Problems,
    capsys: pytest.CaptureFixture[str],
) -> None:
    engine = OpenAIEngine("student", server, images=problems[1])
    given = describe_requests(problems)
    ours, theirs = complete_all(engine, given), complete_all(engines["vllm"], given)
    same = sum(a.text == b.text for a, b in zip(ours, theirs, strict=True))
    show(capsys, "texts of vllm serve", same, len(ours))
    assert same >= 99
    assert all(a.prompt_tokens == b.prompt_tokens for a, b in zip(ours, theirs, strict=True))
    # Verdicts: the beginning is given, and the grammar.
    texts = [one.text for one in theirs]
    judged = [
        replace(one, scored_text="")
        for one in judge_requests(problems, texts, "diagnostic", SamplingParams(0.0, 1.0, 60))
    ]
    ours, theirs = complete_all(engine, judged), complete_all(engines["vllm"], judged)
    same = sum(a.text == b.text for a, b in zip(ours, theirs, strict=True))
    show(capsys, "verdicts of vllm serve", same, len(ours))
    assert same >= 99
    assert not any(one.error for one in ours)
    engine.close()
