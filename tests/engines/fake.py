"""A cheap engine whose requests can end the process that works on them.

Workers import this module, so it imports no model library.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mathse.core.errors import DataError, ParamError
from mathse.engines.protocol import Completion, Request, SamplingParams, batch_units
from tests.tiny import ask

GREEDY = SamplingParams(0.0, 1.0, 8)


@dataclass
class FakeEngine:
    """Answers with the key; the task says what else happens.

    Attributes:
        folder: where each process leaves a note of what it has begun: "key process", a file each.
        batch_size: see `batch_units`.
    """

    folder: Path
    batch_size: int = 2
    digest: str = "fake"
    input_fingerprint: str = "inputs"
    how: str = "at once"

    def complete(self, requests: Iterable[Request | None]) -> Iterator[Completion]:
        for request in requests:
            if request is None:
                continue
            before = list(self.folder.glob(f"{request.key} *"))
            (self.folder / f"{request.key} {os.getpid()} {len(before)}").touch()
            while request.task.startswith("meet") and not self._met(int(request.task[5:])):
                time.sleep(0.05)
            if request.task == "die" or (request.task == "die once" and not before):
                os.kill(os.getpid(), signal.SIGKILL)
            if request.task == "no memory once" and not before:
                resource.setrlimit(resource.RLIMIT_AS, (0, resource.RLIM_INFINITY))
                bytearray(2**26)
            if request.task == "data error":
                raise DataError("This request stops all.", rule="no such request")
            if request.task == "bug":
                raise ZeroDivisionError("a bug")
            yield Completion(request.key, request.key.upper(), "stop", 1, 1)

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        return batch_units(requests, self.batch_size)

    def close(self) -> None:
        pass

    def _met(self, processes: int) -> bool:
        """Return True if so many processes have begun something."""
        return len({process for _, process in begun(self.folder)}) >= processes


class NamedEngine(FakeEngine):
    """Tells a variable of its process."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, how=os.environ["NUMBER"])


def cannot_load() -> FakeEngine:
    """Fail as an engine without a model does."""
    raise ParamError("There is no model in nowhere.")


def end_at_once() -> FakeEngine:
    """End the process."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def fake_requests(tasks: dict[int, str], count: int = 12) -> list[Request]:
    """Return requests "k0", "k1", …, some of them with a task."""
    return [
        Request(f"k{n}", ask(str(n)), sampling=GREEDY, task=tasks.get(n, "solve"))
        for n in range(count)
    ]


def begun(folder: Path) -> list[tuple[str, int]]:
    """Return key and process of all that was begun."""
    notes = [note.name.split() for note in folder.iterdir()]
    return sorted((key, int(process)) for key, process, _ in notes)
