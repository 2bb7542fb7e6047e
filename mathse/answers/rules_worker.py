"""Judge a large table by rules in more than one process: this module is both the parent's side and the child's."""

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

MIN_TASKS = 3_000
"""Below this, a further process costs more than it saves."""

CHUNK = 250
"""Tasks handed over at a time: few enough that all processes end together."""

Judged = Verdict | Pending
_DIED = (OSError, EOFError, pickle.UnpicklingError)
Chunks = SimpleQueue[Sequence[Task]]


class Helper:
    """A child process that takes chunks from a queue and judges them by rules while the caller takes others.

    Args:
        chunks: what is left to judge; shared with the caller.
        done: called with each judged chunk, in a thread of this helper.
    """

    def __init__(
        self, chunks: Chunks, done: Callable[[Sequence[Task], Sequence[Judged]], None]
    ) -> None:
        self._chunks, self._done = chunks, done
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "mathse.answers.rules_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
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
                    self._chunks.put(tasks)  # for the caller, or another helper
                    return
                self._done(tasks, judged)

    def join(self) -> None:
        """Wait until the helper finds nothing left."""
        self._thread.join()

    def kill(self) -> None:
        """End the child, finished or not."""
        self._process.kill()
        self._process.wait()
        self._thread.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def judge_chunks(
    tasks: Sequence[Task], processes: int, done: Callable[[Task, Judged], None]
) -> None:
    """Judge tasks by rules, a large number of them in several processes.

    Args:
        tasks: what to judge.
        processes: this one included.
        done: called with each task and what became of it, from one thread at a time, in no order.
    """
    chunks: Chunks = SimpleQueue()
    for start in range(0, len(tasks), CHUNK):
        chunks.put(tasks[start : start + CHUNK])
    lock = threading.Lock()

    def told(chunk: Sequence[Task], judged: Sequence[Judged]) -> None:
        with lock:
            for task, item in zip(chunk, judged, strict=True):
                done(task, item)

    def work_off() -> None:
        with contextlib.suppress(Empty):
            while True:
                chunk = chunks.get_nowait()
                told(chunk, [judge(task) for task in chunk])

    helpers = [Helper(chunks, told) for _ in range(processes - 1 if len(tasks) >= MIN_TASKS else 0)]
    try:
        work_off()
        for helper in helpers:
            helper.join()
        work_off()  # what a dead helper left
    finally:
        for helper in helpers:
            helper.kill()


def main() -> None:
    """Read pickled chunks of tasks from the parent and write the pickled results, until the input ends."""
    with contextlib.suppress(EOFError):
        while True:
            tasks = pickle.load(sys.stdin.buffer)
            pickle.dump([judge(task) for task in tasks], sys.stdout.buffer)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
