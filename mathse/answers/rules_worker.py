"""Judge a large table by rules in several processes: the parent's side and the child's."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from mathse.answers.check_answer import Pending, Task, Verdict, judge
from mathse.answers.sandbox import kill

MIN_TASKS = 3_000
"""Below this, a further process costs more than it saves."""

CHUNK = 250
"""Tasks per message: few enough that all processes end together."""

Judged = Verdict | Pending
_DIED = (OSError, EOFError, pickle.UnpicklingError)
Child = subprocess.Popen[bytes]


def _start() -> Child:
    path = os.pathsep.join(folder for folder in sys.path if folder)
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "mathse.answers.rules_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )


def _judge_in_child(chunk: Sequence[Task], idle: queue.SimpleQueue[Child]) -> list[Judged]:
    """Judge tasks in an idle child or a new one; here if that dies."""
    try:
        child = idle.get_nowait()
    except queue.Empty:
        child = _start()
    assert child.stdin is not None and child.stdout is not None
    try:
        pickle.dump(chunk, child.stdin)
        child.stdin.flush()
        judged: list[Judged] = pickle.load(child.stdout)
    except _DIED:
        kill(child)
        return [judge(task) for task in chunk]
    idle.put(child)
    return judged


def judge_chunks(
    tasks: Sequence[Task], processes: int, done: Callable[[Task, Judged], None]
) -> None:
    """Judge tasks by rules, a large number of them in several processes.

    Args:
        tasks: what to judge.
        processes: their number; with one, all is judged in this one.
        done: called with each task and its result, in order.
    """
    if processes == 1 or len(tasks) < MIN_TASKS:
        for task in tasks:
            done(task, judge(task))
        return
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    idle: queue.SimpleQueue[Child] = queue.SimpleQueue()
    threads = ThreadPoolExecutor(processes)
    try:
        for chunk, judged in zip(
            chunks, threads.map(lambda chunk: _judge_in_child(chunk, idle), chunks), strict=True
        ):
            for task, item in zip(chunk, judged, strict=True):
                done(task, item)
    finally:
        threads.shutdown(cancel_futures=True)
        while not idle.empty():
            kill(idle.get())


def main() -> None:
    """Read pickled chunks of tasks and write the pickled results, until the input ends."""
    with contextlib.suppress(EOFError):
        while True:
            tasks = pickle.load(sys.stdin.buffer)
            pickle.dump([judge(task) for task in tasks], sys.stdout.buffer)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
