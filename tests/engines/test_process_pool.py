from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from mathse.core.errors import DataError, MathseError, ParamError
from mathse.core.images import ImageStore
from mathse.core.processes import ONE_THREAD
from mathse.engines.journaled import JournaledEngine
from mathse.engines.process_pool import ProcessPoolEngine, ProcessWorker
from mathse.engines.protocol import Request, SamplingParams, complete_all
from mathse.engines.transformers_engine import TransformersEngine
from tests.engines.fake import (
    FakeEngine,
    NamedEngine,
    begun,
    cannot_load,
    end_at_once,
    fake_requests,
)
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
    engine = ProcessPoolEngine(load, environments=[ONE_THREAD] * 2, batch_size=4)
    assert (engine.digest, engine.input_fingerprint) == (alone.digest, alone.input_fingerprint)
    assert engine.how == alone.how
    done = complete(engine, given, DRAWN)
    assert [replace(one, prompt_tokens=0) for one in done] == wanted
    assert done[-1].finish_reason == "error" and done[0].finish_reason != "error"
    assert complete(engine, [], DRAWN) == []
    engine.close()


def test_an_engine_that_does_not_load_tells_why() -> None:
    with pytest.raises(ParamError, match="nowhere"):
        ProcessPoolEngine(cannot_load, environments=[ONE_THREAD] * 2, batch_size=4)


def test_an_engine_that_dies_of_loading_is_an_error() -> None:
    with pytest.raises(MathseError, match="does not load: its process ended"):
        ProcessPoolEngine(end_at_once, environments=[ONE_THREAD], batch_size=4)


def fake_pool(
    folder: Path, *, streams: bool, processes: int = 2, role: str = "student"
) -> ProcessPoolEngine:
    environments = [{"NUMBER": str(number)} for number in range(processes)]
    load = partial(FakeEngine, folder)
    return ProcessPoolEngine(
        load, environments=environments, batch_size=2, streams=streams, role=role
    )


@pytest.mark.parametrize("task", ["die once", "no memory once"])
@pytest.mark.parametrize("streams", [False, True])
def test_the_units_of_a_process_that_dies_go_to_another(
    tmp_path: Path, streams: bool, task: str
) -> None:
    engine = fake_pool(tmp_path, streams=streams)
    done = complete_all(engine, fake_requests({3: task}))
    assert [(one.text, one.error) for one in done] == [(f"K{n}", None) for n in range(12)]
    attempts = [process for key, process in begun(tmp_path) if key == "k3"]
    assert len(attempts) == len(set(attempts)) == 2, "its process died of it, another completed it"
    assert complete_all(engine, fake_requests({})) == done, "the pool still works"


@pytest.mark.parametrize(("streams", "lost"), [(False, {"k2", "k3"}), (True, {"k3"})])
def test_what_ends_its_workers_is_an_error_to_try_again(
    tmp_path: Path, streams: bool, lost: set[str]
) -> None:
    done = complete_all(fake_pool(tmp_path, streams=streams), fake_requests({3: "die"}))
    errors = {one.key: one for one in done if one.error}
    assert errors.keys() == lost, "a batch of two, or the request alone"
    assert {one.error_kind for one in errors.values()} == {"retryable"}
    assert all("workers ended" in (one.error or "") for one in errors.values())
    assert [one.text for one in done if not one.error] == [
        f"K{n}" for n in range(12) if f"k{n}" not in lost
    ]


def test_one_request_among_many_in_flight_is_given_up_alone(tmp_path: Path) -> None:
    load = partial(FakeEngine, tmp_path)
    engine = ProcessPoolEngine(load, environments=[{}] * 2, batch_size=64, streams=True)
    done = complete_all(engine, fake_requests({50: "die"}, 200))
    assert [one.key for one in done if one.error] == ["k50"]
    assert len([key for key, _ in begun(tmp_path) if key == "k50"]) <= 4, "as many loads of a model"


@pytest.mark.parametrize(("task", "reason"), [("die", "its process ended"), ("bug", "a bug")])
@pytest.mark.parametrize("streams", [False, True])
def test_workers_that_end_with_every_unit_stop_the_work(
    tmp_path: Path, streams: bool, task: str, reason: str
) -> None:
    engine = fake_pool(tmp_path, streams=streams, role="orm")
    with pytest.raises(MathseError, match=f"the last: .*{reason}") as error:
        complete_all(engine, fake_requests(dict.fromkeys(range(20), task), 20))
    assert "orm.batch_size" in str(error.value) and "orm.pixels.max" in str(error.value)
    loads = {process for _, process in begun(tmp_path)}
    assert len(loads) <= 6, "two workers, twice, and a few more that were under way"


def test_units_that_are_given_up_one_by_one_do_not_stop_the_work(tmp_path: Path) -> None:
    engine = fake_pool(tmp_path, streams=False, processes=1)
    done = complete_all(engine, fake_requests({1: "die", 4: "die", 9: "die"}, 10))
    assert [one.key for one in done if one.error] == ["k0", "k1", "k4", "k5", "k8", "k9"]


def test_a_bug_in_an_engine_is_named_in_the_row(tmp_path: Path) -> None:
    done = complete_all(fake_pool(tmp_path, streams=False), fake_requests({3: "bug"}))
    assert "ZeroDivisionError: a bug" in (done[3].error or "") and done[0].error is None


def test_an_error_for_people_ends_the_call(tmp_path: Path) -> None:
    engine = fake_pool(tmp_path, streams=False)
    with pytest.raises(DataError, match="stops all") as error:
        complete_all(engine, fake_requests({3: "data error"}))
    assert error.value.rule == "no such request"
    assert [one.text for one in complete_all(engine, fake_requests({}, 3))] == ["K0", "K1", "K2"]


def test_what_a_caller_leaves_does_not_reach_the_next_call(tmp_path: Path) -> None:
    engine = fake_pool(tmp_path, streams=True)
    for _ in engine.complete(fake_requests({})):
        break
    again = [replace(one, key=f"x{one.key}") for one in fake_requests({})]
    assert [one.text for one in complete_all(engine, again)] == [f"XK{n}" for n in range(12)]


def test_a_pool_that_rests_has_no_process_and_goes_on_when_asked(tmp_path: Path) -> None:
    engine = fake_pool(tmp_path, streams=True)
    wanted = complete_all(engine, fake_requests({}))
    workers = [member.worker for member in engine._members.values()]
    engine.rest()
    assert not engine._members
    assert not any(one.process.is_alive() for one in workers if isinstance(one, ProcessWorker))
    assert complete_all(engine, fake_requests({})) == wanted
    engine.close()
    assert not engine._members


@pytest.mark.parametrize(("streams", "files"), [(False, 6 * 2), (True, 2)])
def test_batches_have_files_of_their_own_and_single_requests_share_them(
    tmp_path: Path, streams: bool, files: int
) -> None:
    engine = fake_pool(tmp_path, streams=streams, processes=1)
    journal = tmp_path / "journal"
    complete_all(JournaledEngine(engine, journal, "t"), fake_requests({}))
    assert len(list(journal.iterdir())) == files


def test_all_processes_start_with_the_engine(tmp_path: Path) -> None:
    assert len(fake_pool(tmp_path, streams=False, processes=3)._members) == 3


def test_each_process_has_its_environment(tmp_path: Path) -> None:
    engine = ProcessPoolEngine(
        partial(NamedEngine, tmp_path), environments=[{"NUMBER": "7"}], batch_size=1
    )
    assert engine.how == "7"


def test_processes_have_ended_when_the_engine_is_gone(tmp_path: Path) -> None:
    engine = fake_pool(tmp_path, streams=False)
    while len(engine._members) < 2 or not all(one.is_ready for one in engine._members.values()):
        complete_all(engine, fake_requests({}))
    workers = [member.worker for member in engine._members.values()]
    processes = [worker.process for worker in workers if isinstance(worker, ProcessWorker)]
    assert len(processes) == 2 and all(process.is_alive() for process in processes)
    del engine
    assert not any(process.is_alive() for process in processes)
    assert {process.exitcode for process in processes} == {0}, "idle ones end by themselves"
