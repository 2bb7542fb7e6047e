"""Progress for people: a bar on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

T = TypeVar("T")

LINE_EVERY_S = 10.0


class Progress:
    """Count items and report progress on stderr. Use as a context manager.

    Args:
        total: how many items there are.
        label: what is being done, such as "generate r1".
        unit: what is counted, in the plural.
        done: how many were done before; they count, but not towards the rate.
    """

    def __init__(self, *, total: int, label: str, unit: str = "items", done: int = 0) -> None:
        self.total = total
        self.label = label
        self.unit = unit
        self.done = done
        self._before = done
        self._start_s = self._last_line_s = time.monotonic()
        self._bar: RichProgress | None = None

    def __enter__(self) -> Self:
        """Start the bar where there is a terminal."""
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as RichProgress

            description = TextColumn("{task.description}")
            columns = description, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
            self._bar = RichProgress(*columns, console=Console(stderr=True))
            self._bar.add_task(self.label, total=self.total, completed=self.done)
            self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        """Write the last line; after an error it shows how far the work came."""
        if self._bar is not None:
            self._bar.stop()
        else:
            self._write_line()

    def advance(self, count: int = 1) -> None:
        """Count items as done."""
        self.done += count
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
        elif time.monotonic() - self._last_line_s >= LINE_EVERY_S and self.done < self.total:
            self._write_line()

    def line(self) -> str:
        """Return the plain line: count, rate and time left (or taken, at the end)."""
        elapsed_s = time.monotonic() - self._start_s
        rate = (self.done - self._before) / elapsed_s if elapsed_s > 0 else 0.0
        text = f"{self.label}: {self.done}/{self.total} {self.unit}, {rate:.1f}/s"
        if self.done >= self.total:
            return f"{text}, took {_duration(elapsed_s)}"
        return f"{text}, {_duration((self.total - self.done) / rate)} left" if rate > 0 else text

    def _write_line(self) -> None:
        self._last_line_s = time.monotonic()
        print(self.line(), file=sys.stderr, flush=True)


def track(iterable: Iterable[T], *, total: int, label: str, unit: str = "items") -> Iterator[T]:
    """Yield the items and report progress; see `Progress`."""
    with Progress(total=total, label=label, unit=unit) as progress:
        for item in iterable:
            yield item
            progress.advance()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
