"""Workers of a pool that are processes of this machine, each with its own GPUs or one thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from mathse.core.processes import start_worker
from mathse.engines.pool import PoolEngine, serve
from mathse.engines.protocol import Engine

_END_AFTER_S = 20.0


class ProcessWorker:
    """A process that serves an engine (see `mathse.engines.pool.Worker`).

    Args:
        environment: variables of the process.
        load: loads the engine there; picklable.
        streams: see `serve`.
    """

    def __init__(
        self, environment: Mapping[str, str], load: Callable[[], Engine], *, streams: bool
    ) -> None:
        run = partial(serve, load=load, streams=streams)
        self.process, self._connection = start_worker(environment, run)
        self.send: Callable[[Any], None] = self._connection.send
        self.recv: Callable[[], Any] = self._connection.recv

    def end(self, *, is_busy: bool) -> None:
        """End the process; a busy one at once."""
        try:
            if not is_busy:
                self.send(None)
                self.process.join(_END_AFTER_S)
        except OSError:
            pass  # it has ended
        self.process.terminate()
        self.process.join(_END_AFTER_S)
        self.process.kill()
        self.process.join()


class ProcessPoolEngine(PoolEngine):
    """Completes prompts in processes of its own.

    Args:
        load: loads the engine, in each process; picklable.
        environments: variables of each process (see `Machine.replica_environments`).
        batch_size: prompts generated together; that of the engine.
        streams: see `PoolEngine`.
        role: see `PoolEngine`.
    """

    def __init__(
        self,
        load: Callable[[], Engine],
        *,
        environments: Sequence[Mapping[str, str]],
        batch_size: int,
        streams: bool = False,
        role: str = "student",
    ) -> None:
        def start(number: int) -> ProcessWorker:
            return ProcessWorker(environments[number], load, streams=streams)

        workers = len(environments)
        super().__init__(start, workers=workers, batch_size=batch_size, streams=streams, role=role)
