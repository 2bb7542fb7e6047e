"""Killable worker processes for Math-Verify: a time limit per question, a memory cap each."""

from __future__ import annotations

import json
import multiprocessing
import os
import queue
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from mathse.core.errors import MathseError

START_LIMIT_S = 120.0
MAX_TIMEOUT_FACTOR = 4
"""A worker with less CPU time than `timeout_s` gets more time, up to this many times the limit."""
SPAWN_AFTER_S = 1.0
"""A further worker starts only if none is free for so long: loading SymPy takes longer."""
REQUESTS_PER_WORKER = 2_000
"""A worker is replaced after so many questions: SymPy's caches only grow."""


@dataclass(frozen=True)
class Question:
    """Two answers that rules alone could not compare."""

    gold: str
    found: str
    digits: int = 6


@dataclass(frozen=True)
class Reply:
    """A worker's answer, or how it failed: state match, mismatch, timeout or error."""

    state: str
    reason: str


_DIED = Reply("error", "worker_died")
_OVERRUN = Reply("timeout", "wall_clock")


class Child:
    """A Python process and a pipe to it, whose number is its last argument."""

    def __init__(self, *arguments: str) -> None:
        self.pipe, right = multiprocessing.Pipe()
        path = os.pathsep.join(folder for folder in sys.path if folder)
        self.process = subprocess.Popen(
            [sys.executable, "-P", *arguments, str(right.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "0"},
            pass_fds=[right.fileno()],
        )
        right.close()

    def kill(self) -> None:
        """Kill the process, wait for its end and close the pipe."""
        self.process.kill()
        self.process.wait()
        self.pipe.close()


class _Worker(Child):
    """A process in which Math-Verify is loaded."""

    def __init__(self, memory_mb: int) -> None:
        """Start it and wait: loading does not count against a question."""
        super().__init__(str(Path(__file__).with_name("sympy_worker.py")), str(memory_mb))
        self.served = 0
        try:
            ready = self.pipe.poll(START_LIMIT_S) and self.pipe.recv_bytes()
        except (OSError, EOFError):
            ready = False
        if not ready:
            self.kill()
            raise MathseError(
                f"the answer checker's worker did not start under a memory cap of {memory_mb} MB.\n"
                "  fix: raise memory_mb (512 is enough on Linux), or check that math-verify imports"
            )

    def ask(self, question: Question, timeout_s: float) -> Reply:
        self.served += 1
        last = time.monotonic() + (MAX_TIMEOUT_FACTOR - 1) * timeout_s
        spent, left = self._cpu_s(), timeout_s
        try:
            self.pipe.send_bytes(json.dumps(vars(question)).encode())
            while not self.pipe.poll(left):
                left = timeout_s - (self._cpu_s() - spent)
                if not left >= 0.1 * timeout_s or time.monotonic() > last:
                    return _OVERRUN
            return Reply(**json.loads(self.pipe.recv_bytes()))
        except (OSError, EOFError):
            return _DIED

    def _cpu_s(self) -> float:
        """Return the CPU seconds used; infinite if unknown, so that wall time alone counts."""
        try:
            return time.clock_gettime((~self.process.pid << 3) | 2)  # see clock_getcpuclockid(3)
        except OSError:
            return float("inf")


class Sandbox(AbstractContextManager["Sandbox"]):
    """A pool of workers, started on the first question, each killed and replaced when it overruns.

    Args:
        workers: number of processes; None for one per available core.
        timeout_s: limit for one question; up to `MAX_TIMEOUT_FACTOR` times that on a busy machine.
        memory_mb: cap on each process's address space.
    """

    def __init__(
        self, *, workers: int | None = None, timeout_s: float = 5.0, memory_mb: int = 1024
    ) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self.timeout_s = timeout_s
        self.memory_mb = memory_mb
        self._threads = ThreadPoolExecutor(self.workers)
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._started = False

    def submit(self, question: Question) -> Future[Reply]:
        """Ask a question, to be answered as soon as a worker is free."""
        return self._threads.submit(self._answer, question)

    def decide(self, questions: Sequence[Question]) -> list[Reply]:
        """Answer all questions in order; the number of workers does not change the result."""
        return [future.result() for future in [self.submit(question) for question in questions]]

    def _answer(self, question: Question) -> Reply:
        """Ask an idle worker, or a new one; one that broke is not used again."""
        try:
            worker = self._idle.get(timeout=SPAWN_AFTER_S if self._started else 0.001)
        except queue.Empty:
            self._started = True
            worker = _Worker(self.memory_mb)
        reply = _DIED
        try:
            reply = worker.ask(question, self.timeout_s)
        finally:
            broken = reply in (_DIED, _OVERRUN) or reply.reason == "memory_cap"
            if broken or worker.served >= REQUESTS_PER_WORKER:
                worker.kill()
            else:
                self._idle.put(worker)
        return reply

    def close(self) -> None:
        """Kill all workers."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().kill()

    def __exit__(self, *exception: object) -> None:
        """Kill all workers."""
        self.close()
