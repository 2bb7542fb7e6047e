from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mathse.core.errors import DataError
from mathse.core.images import ImageStore
from mathse.core.processes import worker_pool
from tests.closure import ROOT
from tests.tiny import write_store


def threads() -> str:
    return os.environ["OMP_NUM_THREADS"]


def fail() -> None:
    raise DataError("Row 3 is bad.", file="a.parquet", row=3, rule="rows are good", fix="mend it")


def level() -> int:
    return logging.getLogger("mathse").getEffectiveLevel()


def test_each_process_has_one_thread_logs_alike_and_tells_what_went_wrong() -> None:
    logger = logging.getLogger("mathse")
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        with worker_pool(2) as pool:
            assert pool.submit(threads).result() == "1"
            assert pool.submit(level).result() == logging.INFO
            with pytest.raises(DataError) as failure:
                pool.submit(fail).result()
    finally:
        logger.setLevel(before)
    assert (failure.value.row, failure.value.file, failure.value.fix) == (3, "a.parquet", "mend it")


PARENT = """
import sys, time
from pathlib import Path
from mathse.core.processes import worker_pool
from tests.core.test_processes import stay
if __name__ == "__main__":
    pool = worker_pool(1)
    pool.submit(stay, Path(sys.argv[1])).result()
"""


def stay(told: Path) -> None:
    told.with_suffix(".part").write_text(str(os.getpid()))
    told.with_suffix(".part").rename(told)
    time.sleep(600)


def test_a_worker_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(told)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    while not told.exists():
        assert parent.poll() is None
        time.sleep(0.02)
    worker = int(told.read_text())
    os.kill(worker, 0)  # it is there
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while (
        Path(f"/proc/{worker}/stat").exists()
        and Path(f"/proc/{worker}/stat").read_text().split()[2] != "Z"
    ):
        assert time.monotonic() < deadline, "the worker goes on"
        time.sleep(0.05)


def test_a_store_can_be_sent_to_another_process(tmp_path: Path) -> None:
    store = write_store(tmp_path, {"a": b"one", "b": b"two"})
    assert store.get("a") == b"one"
    copy = pickle.loads(pickle.dumps(store))
    assert (
        isinstance(copy, ImageStore)
        and copy.get("b") == b"two"
        and copy._cache_bytes == store._cache_bytes
    )
