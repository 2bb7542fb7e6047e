"""One engine in several processes on a CPU: each loads the model and takes whole batches."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from mathse.core.processes import worker_pool
from mathse.engines.protocol import Completion, Engine, Request, batch_units

_load: Callable[[], Engine] | None = None
_loaded: Engine | None = None


class ProcessPoolEngine:
    """Completes prompts in processes of its own.

    The text does not depend on the number of processes: batches follow from the requests alone.

    Args:
        load: loads the engine, in each process; picklable.
        processes: how many.
        batch_size: prompts generated together; that of the engine.

    Raises:
        MathseError: whatever `load` raises.
    """

    def __init__(self, load: Callable[[], Engine], *, processes: int, batch_size: int) -> None:
        self.batch_size = batch_size
        self.processes = processes
        self._pool = worker_pool(processes, _remember, load)
        # Shutdown waits: an exit meanwhile leaves a traceback.
        self._finalize = weakref.finalize(self, self._pool.shutdown, cancel_futures=True)
        self.digest, self.input_fingerprint, self.how = self._pool.submit(_identity).result()

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield the completions of each batch as it finishes; a bad request becomes an error."""
        units = iter(self.units(requests))
        working: set[Future[list[Completion]]] = set()
        while True:
            # Two batches in flight for each process: none waits, and few requests are pickled.
            while len(working) < 2 * self.processes and (unit := next(units, None)) is not None:
                working.add(self._pool.submit(_complete, [requests[index] for index in unit]))
            if not working:
                return
            finished, working = wait(working, return_when=FIRST_COMPLETED)
            for work in finished:
                yield from work.result()

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return the batches."""
        return batch_units(requests, self.batch_size)

    def close(self) -> None:
        """End the processes."""
        self._finalize()


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


def _identity() -> tuple[str, str, str]:
    engine = _engine()
    return engine.digest, engine.input_fingerprint, getattr(engine, "how", "")


def _complete(requests: Sequence[Request]) -> list[Completion]:
    return list(_engine().complete(requests))
