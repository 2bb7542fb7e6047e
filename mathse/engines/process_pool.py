"""One engine in several processes on a CPU: each process loads the model and takes whole batches."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

from mathse.core.processes import worker_pool
from mathse.engines.protocol import Completion, Engine, Request, SamplingParams

_load: Callable[[], Engine] | None = None
_loaded: Engine | None = None


class ProcessPoolEngine:
    """Completes prompts in processes of its own.

    The text does not depend on the number of processes: batches follow from the requests alone.

    Args:
        load: loads the engine, in each process; picklable.
        processes: how many.
        batch_size: prompts generated together.

    Raises:
        MathseError: whatever `load` raises.
    """

    def __init__(self, load: Callable[[], Engine], *, processes: int, batch_size: int) -> None:
        self.batch_size = batch_size
        self._pool = worker_pool(processes, _remember, load)
        weakref.finalize(
            self, self._pool.shutdown, cancel_futures=True
        )  # waits: an exit meanwhile leaves a traceback
        self.digest, self.input_fingerprint = self._pool.submit(_identity).result()

    def complete(self, requests: Sequence[Request], sampling: SamplingParams) -> list[Completion]:
        """Complete each request, in the order given; a bad one becomes an error completion."""
        order = sorted(
            range(len(requests)), key=lambda place: _length(requests[place]), reverse=True
        )
        groups = [order[at : at + self.batch_size] for at in range(0, len(order), self.batch_size)]
        working = [
            self._pool.submit(_complete, [requests[place] for place in group], sampling)
            for group in groups
        ]
        done: dict[int, Completion] = {}
        for group, work in zip(groups, working, strict=True):
            done.update(zip(group, work.result(), strict=True))
        return [done[place] for place in range(len(requests))]


def _length(request: Request) -> tuple[bool, int]:
    """Order prompts as batches are made: with images or without, then by length."""
    parts = (part for message in request.messages for part in message["content"])
    return bool(request.image_ids), len(request.prefix) + sum(
        len(part.get("text", "")) for part in parts
    )


def _remember(load: Callable[[], Engine]) -> None:
    global _load
    _load = load


def _engine() -> Engine:
    """Load the engine at this process's first task."""
    global _loaded
    if _loaded is None:
        assert _load is not None
        _loaded = _load()
    return _loaded


def _identity() -> tuple[str, str]:
    engine = _engine()
    return engine.digest, engine.input_fingerprint


def _complete(requests: Sequence[Request], sampling: SamplingParams) -> list[Completion]:
    return _engine().complete(requests, sampling)
