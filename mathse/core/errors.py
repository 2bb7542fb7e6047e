"""Errors for people: what is wrong, in which file and row, by which rule, and what to do."""

from __future__ import annotations

from functools import partial
from pathlib import Path


class MathseError(Exception):
    """Base of every error that MathSE raises on purpose."""


class DataError(MathseError):
    """A table, an image or a model output breaks a rule.

    The message is one sentence, `row` counts from 0, `fix` is what the reader can do about it.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        row: int | None = None,
        rule: str | None = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(message, file, row, rule, fix)
        self.message = message
        self.file = None if file is None else str(file)
        self.row = row
        self.rule = rule
        self.fix = fix

    def __reduce__(self) -> tuple[object, ...]:
        """Keep all parts when the error crosses a process boundary."""
        rebuild = partial(type(self), file=self.file, row=self.row, rule=self.rule, fix=self.fix)
        return rebuild, (self.message,)

    def __str__(self) -> str:
        """Return the message, then one line for each part that is known."""
        parts = [("file", self.file), ("row", self.row), ("rule", self.rule), ("fix", self.fix)]
        return "\n".join(
            [self.message, *(f"  {name}: {part}" for name, part in parts if part is not None)]
        )


class ParamError(MathseError):
    """A parameter is unknown, missing or out of its range."""
