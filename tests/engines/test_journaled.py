"""The journal around an engine: kills, damaged entries, what its key covers, what it forgets."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mathse.core.errors import DataError
from mathse.core.journal_packs import PackLimits
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import (
    Completion,
    Request,
    SamplingParams,
    batch_units,
    complete_all,
    request_seed,
)
from tests.tiny import ask, make_request


class Echo:
    """Completes a prompt by its own text and seed, in batches of three; may stop or fail."""

    digest = "model"
    input_fingerprint = "inputs"

    def __init__(self, stop_after: int | None = None, failing: str = "") -> None:
        self.batches: list[list[str]] = []
        self.stop_after = stop_after
        self.failing = failing
        self.closed = False

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for unit in self.units(requests):
            if len(self.batches) == self.stop_after:
                raise RuntimeError("engine died")
            batch = [requests[index] for index in unit]
            self.batches.append([one.key for one in batch])
            for one in reversed(batch):
                if one.key == self.failing:
                    yield Completion.failed(one.key, "busy", kind="retryable")
                else:
                    text = f"{one.messages[0]['content'][-1]['text']} {one.sampling.seed}"
                    yield Completion(one.key, text, "stop", 3, 4, scored_prob=0.25)

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        return batch_units(requests, 3)

    def close(self) -> None:
        self.closed = True


class Stream(Echo):
    """Completes each request alone; what is finished is packed."""

    pack_limits: PackLimits | None = PackLimits(4, 3600.0)

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[index] for index in range(len(requests))]


class StreamOfBefore(Stream):
    """Stores each request in a file."""

    pack_limits = None


def requests(count: int = 10) -> list[Request]:
    return [
        replace(
            make_request(f"k{n}", ask(f"{n} " * (n % 4 + 1), n % 2), ("img",) * (n % 2)),
            sampling=SamplingParams(1.0, 1.0, 8, n),
        )
        for n in range(count)
    ]


def test_what_is_stored_is_not_computed_again(tmp_path: Path) -> None:
    first, second = Echo(), Echo()
    wanted = complete_all(Echo(), requests())
    assert complete_all(JournaledEngine(first, tmp_path, "t"), requests()) == wanted
    assert complete_all(JournaledEngine(second, tmp_path, "t"), requests()) == wanted
    assert len(first.batches) == 4 and second.batches == []


def test_after_an_error_the_same_batches_go_on(tmp_path: Path) -> None:
    whole, cut, rest = Echo(), Echo(stop_after=2), Echo()
    wanted = complete_all(whole, requests())
    with pytest.raises(RuntimeError, match="engine died"):
        complete_all(JournaledEngine(cut, tmp_path, "t"), requests())
    assert complete_all(JournaledEngine(rest, tmp_path, "t"), requests()) == wanted
    assert [*cut.batches, *rest.batches] == whole.batches


def test_requests_that_stand_alone_share_files(tmp_path: Path) -> None:
    first, again = Stream(), Stream()
    wanted = complete_all(Stream(), requests(21))
    assert complete_all(JournaledEngine(first, tmp_path, "t"), requests(21)) == wanted
    assert len(list(tmp_path.iterdir())) == 2 * 6
    assert complete_all(JournaledEngine(again, tmp_path, "t"), requests(21)) == wanted
    assert len(first.batches) == 21 and again.batches == []


def test_files_of_one_request_are_read_beside_packs(tmp_path: Path) -> None:
    complete_all(JournaledEngine(StreamOfBefore(), tmp_path, "t"), requests(5))
    assert len(list(tmp_path.glob("*.parquet"))) == 5
    more, again = Stream(), Stream()
    complete_all(JournaledEngine(more, tmp_path, "t"), requests(11))
    assert len(more.batches) == 6 and len(list(tmp_path.glob("*.parquet"))) == 5 + 2
    done = complete_all(JournaledEngine(again, tmp_path, "t"), requests(11))
    assert done == complete_all(Stream(), requests(11)) and again.batches == []


def test_after_an_error_what_waited_for_its_pack_is_there(tmp_path: Path) -> None:
    cut, rest = Stream(stop_after=6), Stream(failing="k8")
    with pytest.raises(RuntimeError, match="engine died"):
        complete_all(JournaledEngine(cut, tmp_path, "t"), requests())
    complete_all(JournaledEngine(rest, tmp_path, "t"), requests())
    assert len(cut.batches) == 6 and len(rest.batches) == 4
    again = Stream()
    complete_all(JournaledEngine(again, tmp_path, "t"), requests())
    assert again.batches == [["k8"]], "a retryable failure is not stored"


def test_packs_keep_only_what_is_asked_for(tmp_path: Path) -> None:
    given = requests(12)
    complete_all(JournaledEngine(Stream(), tmp_path, "t"), given)
    complete_all(JournaledEngine(Stream(), tmp_path, "t"), given[:6])
    again = Stream()
    complete_all(JournaledEngine(again, tmp_path, "t"), given)
    assert len(again.batches) == 6


def test_batches_of_what_is_left_are_those_of_the_whole() -> None:
    given = requests(23)
    units = batch_units(given, 4)
    assert sorted(index for unit in units for index in unit) == list(range(23))
    for gone in range(len(units)):
        left = [n for n in range(23) if n not in units[gone]]
        again = [[left[n] for n in unit] for unit in batch_units([given[n] for n in left], 4)]
        assert again == units[:gone] + units[gone + 1 :]
    for unit in units:
        assert len({bool(given[index].image_ids) for index in unit}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"messages": ask("other")},
        {"image_ids": ("other",)},
        {"prefix": "x"},
        {"constraint": "start: /x/"},
        {"scored_text": "x"},
        {"sampling": SamplingParams(1.0, 1.0, 8, 99)},
        {"sampling": SamplingParams(0.5, 1.0, 8, 0)},
        {"task": "judge"},
        {"context": {"error_step": 2}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_key_covers_what_is_sent(tmp_path: Path, change: dict[str, object]) -> None:
    complete_all(JournaledEngine(Echo(), tmp_path, "t"), requests(1))
    again = Echo()
    complete_all(JournaledEngine(again, tmp_path, "t"), [replace(requests(1)[0], **change)])
    assert len(again.batches) == 1


@pytest.mark.parametrize("name", ["digest", "input_fingerprint"])
def test_the_key_covers_the_engine_and_not_the_callers_name(tmp_path: Path, name: str) -> None:
    complete_all(JournaledEngine(Echo(), tmp_path, "t"), requests(1))
    renamed = Echo()
    [done] = complete_all(
        JournaledEngine(renamed, tmp_path, "t"), [replace(requests(1)[0], key="z")]
    )
    assert done.key == "z" and renamed.batches == []
    other = Echo()
    setattr(other, name, "other")
    complete_all(JournaledEngine(other, tmp_path, "t"), requests(1))
    assert len(other.batches) == 1


def test_after_a_full_disk_the_same_batches_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(handle: int) -> None:
        is_file = stat.S_ISREG(os.fstat(handle).st_mode)
        if is_file and len(list(tmp_path.glob("*.sha256"))) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    whole, cut, rest = Echo(), Echo(), Echo()
    wanted = complete_all(whole, requests())
    with monkeypatch.context() as full, pytest.raises(DataError, match="No space left") as error:
        full.setattr(os, "fsync", fsync)
        complete_all(JournaledEngine(cut, tmp_path, "t"), requests())
    assert "free disk space" in str(error.value) and str(tmp_path) in str(error.value)
    assert cut.batches == whole.batches[:3] and not list(tmp_path.glob(".*.tmp"))
    assert complete_all(JournaledEngine(rest, tmp_path, "t"), requests()) == wanted
    assert rest.batches == whole.batches[2:], "the one that could not be stored is computed again"


def test_a_retryable_failure_is_tried_again(tmp_path: Path) -> None:
    failing, again = Echo(failing="k3"), Echo()
    done = complete_all(JournaledEngine(failing, tmp_path, "t"), requests())
    assert [one.key for one in done if one.error_kind == "retryable"] == ["k3"]
    assert complete_all(JournaledEngine(again, tmp_path, "t"), requests()) == complete_all(
        Echo(), requests()
    )
    assert len(again.batches) == 1 and "k3" in again.batches[0]


def test_what_is_no_longer_asked_for_goes(tmp_path: Path) -> None:
    complete_all(JournaledEngine(Echo(), tmp_path, "t"), requests())
    complete_all(JournaledEngine(Echo(), tmp_path, "t"), requests(2))
    assert len(list(tmp_path.glob("*.parquet"))) == 2


def test_closing_closes_the_engine(tmp_path: Path) -> None:
    engine = Echo()
    JournaledEngine(engine, tmp_path, "t").close()
    assert engine.closed


def test_seeds_follow_from_all_that_names_a_sample() -> None:
    names = [
        (0, "r1", "solve", "a", 0),
        (1, "r1", "solve", "a", 0),
        (0, "r2", "solve", "a", 0),
        (0, "r1", "reflect", "a", 0),
        (0, "r1", "solve", "b", 0),
        (0, "r1", "solve", "a", 1),
    ]
    assert len({request_seed(*name) for name in names}) == len(names)


CHILD = """
import os, signal, sys
from pathlib import Path
from mathse.core.errors import DataError
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import complete_all
from tests.engines.test_journaled import Echo, requests

folder, event, at = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = {"batch": 0, "rename": 0}

def count(name):
    seen[name] += 1
    if name == event and seen[name] == at:
        os.kill(os.getpid(), signal.SIGKILL)

class Killed(Echo):
    def complete(self, given):
        for unit in self.units(given):
            count("batch")
            yield from Echo().complete([given[index] for index in unit])

def replace(self, target, plain=Path.replace):
    count("rename")
    return plain(self, target)

Path.replace = replace
done = complete_all(JournaledEngine(Killed(), folder / "j", "t"), requests(30))
(folder / "out").write_text(repr(done))
(folder / "batches").write_text(str(seen["batch"]))
"""


def test_sigkill_then_resume_gives_the_same_completions(tmp_path: Path) -> None:
    def child(folder: str, event: str = "never", at: int = 0) -> int:
        (tmp_path / folder).mkdir(exist_ok=True)
        words = [sys.executable, "-c", CHILD, str(tmp_path / folder), event, str(at)]
        return subprocess.run(words).returncode

    assert child("calm") == 0
    kills = [
        ("batch", 4, 3),  # while the fourth batch is computed
        ("rename", 1, 3),  # the fourth batch is written but not in place
        ("rename", 4, 4),  # the fifth batch is in place but its digest is not
    ]
    for event, at, stored in kills:
        assert child("killed", event, at) == -signal.SIGKILL
        assert len(list((tmp_path / "killed" / "j").glob("*.sha256"))) == stored
    assert child("killed") == 0
    assert (tmp_path / "killed" / "batches").read_text() == "6"
    assert (tmp_path / "killed" / "out").read_bytes() == (tmp_path / "calm" / "out").read_bytes()
