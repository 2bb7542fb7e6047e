"""A training run that is asked to stop: by Ctrl-C, SIGTERM to a process, or its parent's end.

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
def at_stop(action: Callable[[], object]) -> Iterator[None]:
    """Do something at SIGTERM or Ctrl-C instead of ending; a second Ctrl-C ends at once.

    Signals reach the main thread alone. Where a shell has switched Ctrl-C off, it stays off.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def act(number: int, _: object) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        action()

    before = {
        number: signal.signal(number, act)
        for number in (signal.SIGTERM, signal.SIGINT)
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_when_asked(file: Path) -> AbstractContextManager[None]:
    """Write a file at SIGTERM or Ctrl-C."""

    def write() -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()

    return at_stop(write)
