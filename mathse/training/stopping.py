"""A training run that is asked to stop: SIGTERM to any of its processes, or the end of its parent.

Whoever gets the signal writes a file; every process of the run looks for it after each step.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from mathse.core.errors import MathseError

STOP = "stop"
"""The file's name, in the folder of the checkpoints."""


class Stopped(MathseError):
    """A run was asked to stop and has written a checkpoint."""


def stopped(step: int, steps: int) -> Stopped:
    """Return the error that ends a run after a step."""
    return Stopped(
        f"Stopped as asked after step {step} of {steps}, with a checkpoint.\n"
        "  fix: run the same command again (`dvc repro`); it goes on from there"
    )


@contextmanager
def at_sigterm(action: Callable[[], object]) -> Iterator[None]:
    """Do something at SIGTERM instead of ending. Signals reach the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: action())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def stop_at_sigterm(file: Path) -> AbstractContextManager[None]:
    """Write a file at SIGTERM."""

    def write() -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    return at_sigterm(write)
