"""Judge a large table by rules in several processes: the parent's side and the child's."""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from mathse.answers.check_answer import Pending, Task, Verdict, judge
from mathse.answers.sandbox import close_pipes, kill

MIN_TASKS = 3_000
"""Below this, a further process costs more than it saves."""

CHUNK = 250
"""Tasks per message: few enough that all processes end together."""

Judged = Verdict | Pending
_DIED = (OSError, EOFError, pickle.UnpicklingError)
Chunks = SimpleQueue[Sequence[Task]]


class RuleWorker:
    """A child process that judges chunks of a queue, which the caller drains too.

    Args:
        chunks: what is left to judge.
        record: called with each judged chunk, in a thread of this worker.
    """

    def __init__(
        self, chunks: Chunks, record: Callable[[Sequence[Task], Sequence[Judged]], None]
    ) -> None:
        self._chunks, self._record = chunks, record
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mathse.answers.rules_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(folder for folder in sys.path if folder),
            },
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(Empty):
            while True:
                tasks = self._chunks.get_nowait()
                try:
                    pickle.dump(tasks, self._process.stdin)
                    self._process.stdin.flush()
                    judged: list[Judged] = pickle.load(self._process.stdout)
                except _DIED:
                    self._chunks.put(tasks)  # for the caller, or another worker
                    return
                self._record(tasks, judged)

    def join(self) -> None:
        """Wait until the worker finds nothing left."""
        self._thread.join()

    def kill(self) -> None:
        """End the child, finished or not."""
        kill(self._process)
        self._thread.join()
        close_pipes(self._process)


def judge_chunks(
    tasks: Sequence[Task], processes: int, done: Callable[[Task, Judged], None]
) -> None:
    """Judge tasks by rules, a large number of them in several processes.

    Args:
        tasks: what to judge.
        processes: their number, this one included.
        done: called with each task and its result, from one thread at a time, in no order.
    """
    chunks: Chunks = SimpleQueue()
    for start in range(0, len(tasks), CHUNK):
        chunks.put(tasks[start : start + CHUNK])
    lock = threading.Lock()

    def record(chunk: Sequence[Task], judged: Sequence[Judged]) -> None:
        with lock:
            for task, item in zip(chunk, judged, strict=True):
                done(task, item)

    def drain() -> None:
        with contextlib.suppress(Empty):
            while True:
                chunk = chunks.get_nowait()
                record(chunk, [judge(task) for task in chunk])

    count = processes - 1 if len(tasks) >= MIN_TASKS else 0
    workers = [RuleWorker(chunks, record) for _ in range(count)]
    try:
        drain()
        for worker in workers:
            worker.join()
        drain()  # what a dead worker left
    finally:
        for worker in workers:
            worker.kill()


def main() -> None:
    """Read pickled chunks of tasks and write the pickled results, until the input ends."""
    with contextlib.suppress(EOFError):
        while True:
            tasks = pickle.load(sys.stdin.buffer)
            pickle.dump([judge(task) for task in tasks], sys.stdout.buffer)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
