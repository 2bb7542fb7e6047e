from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mathse.core.errors import ParamError
from mathse.core.images import ImageStore
from mathse.engines.process_pool import ProcessPoolEngine
from mathse.engines.protocol import Request, SamplingParams
from mathse.engines.transformers_engine import TransformersEngine
from tests.tiny import ask, complete, make_request

DRAWN = SamplingParams(1.0, 1.0, 12, 5)


def requests() -> list[Request]:
    """Long and short, with and without images, one of them bad, in no order."""
    made = []
    for n in range(11):
        images = (f"img{n % 6}",) if n % 3 else ()
        made.append(
            make_request(f"key{n}", ask("word " * (n * 5 % 7) + str(n), len(images)), images)
        )
    return [*made, make_request("bad", ask("see", 1), ("noise",))]


def test_the_text_is_that_of_one_process_in_the_order_asked(tiny: Path, store: ImageStore) -> None:
    load = partial(
        TransformersEngine, tiny, images=store, batch_size=4, dtype="float32", device="cpu"
    )
    alone = load()
    given = requests()
    wanted = [replace(done, prompt_tokens=0) for done in complete(alone, given, DRAWN)]
    for processes in (1, 3):
        engine = ProcessPoolEngine(load, processes=processes, batch_size=4)
        assert (engine.digest, engine.input_fingerprint) == (alone.digest, alone.input_fingerprint)
        done = complete(engine, given, DRAWN)
        assert [replace(one, prompt_tokens=0) for one in done] == wanted
        assert done[-1].finish_reason == "error" and done[0].finish_reason != "error"
        assert complete(engine, [], DRAWN) == []


def test_an_engine_that_does_not_load_tells_why(tmp_path: Path) -> None:
    with pytest.raises(ParamError, match="nowhere"):
        ProcessPoolEngine(
            partial(TransformersEngine, tmp_path / "nowhere"), processes=2, batch_size=4
        )


def test_processes_have_ended_when_the_engine_is_gone(tiny: Path, store: ImageStore) -> None:
    load = partial(
        TransformersEngine, tiny, images=store, batch_size=4, dtype="float32", device="cpu"
    )
    engine = ProcessPoolEngine(load, processes=2, batch_size=4)
    complete(engine, requests(), DRAWN)
    processes = list(engine._pool._processes.values())
    assert processes and all(process.is_alive() for process in processes)
    del engine
    assert not any(process.is_alive() for process in processes)
