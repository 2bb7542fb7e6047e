"""Killable worker processes for Math-Verify: a time limit per question, a memory cap each."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mathse.core.errors import MathseError

START_LIMIT_S = 120.0
MAX_TIMEOUT_FACTOR = 4
"""A worker with less CPU time than `timeout_s` gets more time, up to this many times the limit."""
SPAWN_AFTER_S = 1.0
"""A further worker starts only if none is free for so long: loading SymPy takes longer."""
_FATAL_REASONS = ("worker_died", "memory_cap")
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


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a child process, wait for its end and close its pipes."""
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


class _Worker:
    """One child process and its pipes."""

    def __init__(self, memory_mb: int) -> None:
        script = Path(__file__).with_name("sympy_worker.py")
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(script), str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
        self.buffer = b""
        self.served = 0
        self.ended = False
        self.memory_mb = memory_mb
        self.ready = False

    def wait(self) -> None:
        """Wait until Math-Verify is loaded: that time does not count against a question."""
        if not self.ready and self.read(START_LIMIT_S) is None:
            self.kill()
            raise MathseError(
                "the answer checker's worker did not start "
                f"under a memory cap of {self.memory_mb} MB.\n"
                "  fix: raise memory_mb (512 is enough on Linux), or check that math-verify imports"
            )
        self.ready = True

    def ask(self, question: Question, timeout_s: float) -> Reply:
        assert self.process.stdin is not None
        self.wait()
        try:
            self.process.stdin.write(json.dumps(vars(question)).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            return Reply("error", "worker_died")
        self.served += 1
        begun, spent = time.monotonic(), self._cpu_s()
        last = begun + (MAX_TIMEOUT_FACTOR - 1) * timeout_s
        answer, left = None, timeout_s
        while answer is None and not self.ended and left >= 0.1 * timeout_s:
            answer = self.read(left)
            left = timeout_s - (self._cpu_s() - spent) if time.monotonic() <= last else 0.0
        if answer is None:
            return Reply("error", "worker_died") if self.ended else Reply("timeout", "wall_clock")
        return Reply(str(answer["state"]), str(answer["reason"]))

    def _cpu_s(self) -> float:
        """Return the CPU seconds used; infinite if unknown, so that wall time alone counts."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return float("inf")
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def read(self, timeout_s: float) -> dict[str, object] | None:
        """Read one line within the limit; None if none came."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + timeout_s
        self.ended = False
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                return None
            data = os.read(descriptor, 65536)
            if not data:
                self.ended = True
                return None
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b"\n")
        return dict(json.loads(line))

    def kill(self) -> None:
        kill(self.process)


class Sandbox:
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
            worker = _Worker(self.memory_mb)
            self._started = True
        reply = None
        try:
            reply = worker.ask(question, self.timeout_s)
        finally:
            broken = reply is None or reply.state == "timeout" or reply.reason in _FATAL_REASONS
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

    def __enter__(self) -> Sandbox:
        """Return the pool; no process is started yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Kill all workers."""
        self.close()
