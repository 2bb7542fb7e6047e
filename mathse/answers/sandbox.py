"""Killable worker processes for Math-Verify: a time limit per question, a memory cap each."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mathse.core.errors import MathseError

START_LIMIT_S = 120.0
MAX_TIMEOUT_FACTOR = 4
"""A worker with less CPU time than `timeout_s` gets more time, up to this many times the limit."""
SPAWN_AFTER_S = 1.0
"""Further workers start only if questions are left after this time: loading SymPy takes longer."""
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
    """Kill a child process and wait for its end."""
    process.kill()
    process.wait()


def close_pipes(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes to and from a dead process."""
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
        message = {"gold": question.gold, "found": question.found, "digits": question.digits}
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            return Reply("error", "worker_died")
        self.served += 1
        begun, spent = time.monotonic(), self._cpu_s()
        answer = self.read(timeout_s)
        while answer is None and not self.ended:
            used = self._cpu_s() - spent
            left = timeout_s - used if used == used else 0.0
            if (
                left < 0.1 * timeout_s
                or time.monotonic() - begun > (MAX_TIMEOUT_FACTOR - 1) * timeout_s
            ):
                break
            answer = self.read(left)
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
        close_pipes(self.process)


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
        self._idle: list[_Worker] = []
        self._lock = threading.Lock()

    def decide(self, questions: Sequence[Question]) -> list[Reply]:
        """Answer all questions in order; the number of workers does not change the result."""
        if not questions:
            return []
        replies: list[Reply | None] = [None] * len(questions)
        waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for index in range(len(questions)):
            waiting.put(index)
        failures: list[BaseException] = []
        done = threading.Event()

        # One thread per worker: each takes the next question, and replaces a worker that broke.

        def serve(first: bool) -> None:
            worker: _Worker | None = None
            if not first and not self._idle:
                done.wait(SPAWN_AFTER_S)
            try:
                while not failures:
                    try:
                        index = waiting.get_nowait()
                    except queue.Empty:
                        done.set()
                        break
                    worker = worker or self._start()
                    replies[index] = reply = worker.ask(questions[index], self.timeout_s)
                    broken = reply.state == "timeout" or reply.reason in _FATAL_REASONS
                    if broken or worker.served >= REQUESTS_PER_WORKER:
                        worker.kill()
                        worker = None
            except BaseException as failure:
                failures.append(failure)
                if worker is not None:
                    worker.kill()
                    worker = None
            if worker is not None:
                with self._lock:
                    self._idle.append(worker)

        count = min(self.workers, len(questions))
        threads = [threading.Thread(target=serve, args=(number == 0,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        return [reply if reply is not None else Reply("error", "not_asked") for reply in replies]

    def _start(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return _Worker(self.memory_mb)

    def close(self) -> None:
        """Kill all workers."""
        while self._idle:
            self._idle.pop().kill()

    def __enter__(self) -> Sandbox:
        """Return the pool; no process is started yet."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Kill all workers."""
        self.close()
