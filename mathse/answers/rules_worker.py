"""Judge a large table by rules in several processes: the parent's side and the child's."""

from __future__ import annotations

import contextlib
import pickle
import queue
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection

from mathse.answers.check_answer import Pending, Task, Verdict, judge
from mathse.answers.sandbox import Child

MIN_TASKS = 3_000
"""Below this, a further process costs more than it saves."""

CHUNK = 250
"""Tasks per message: few enough that all processes end together."""

Judged = Verdict | Pending


def judge_chunks(
    tasks: Sequence[Task], processes: int, done: Callable[[Task, Judged], None]
) -> None:
    """Judge tasks by rules, a large number of them in several processes.

    Args:
        tasks: what to judge.
        processes: their number; with one, all is judged in this one.
        done: called with each task and its result, in order.
    """
    # A few tasks are judged here, sooner than another process starts.
    if processes == 1 or len(tasks) < MIN_TASKS:
        for task in tasks:
            done(task, judge(task))
        return
    idle: queue.SimpleQueue[Child] = queue.SimpleQueue()

    def in_child(chunk: Sequence[Task]) -> list[Judged]:
        """Judge tasks in an idle child or a new one; here if that dies."""
        try:
            child = idle.get_nowait()
        except queue.Empty:
            child = Child("-m", "mathse.answers.rules_worker")
        try:
            child.pipe.send(chunk)
            judged: list[Judged] = child.pipe.recv()
        except (OSError, EOFError, pickle.UnpicklingError):
            child.kill()
            return [judge(task) for task in chunk]
        idle.put(child)
        return judged

    # Each thread waits for one child; results come back in the order of the tasks.
    chunks = [tasks[start : start + CHUNK] for start in range(0, len(tasks), CHUNK)]
    threads = ThreadPoolExecutor(processes)
    try:
        for chunk, judged in zip(chunks, threads.map(in_child, chunks), strict=True):
            for task, item in zip(chunk, judged, strict=True):
                done(task, item)
    finally:
        # Also where `done` fails: no child outlives this call.
        threads.shutdown(cancel_futures=True)
        while not idle.empty():
            idle.get().kill()


def main(pipe: Connection) -> None:
    """Answer each chunk of tasks with its results, until the pipe is closed."""
    with contextlib.suppress(EOFError):
        while True:
            pipe.send([judge(task) for task in pipe.recv()])


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])))
