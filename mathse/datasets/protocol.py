"""What all sources share: a data file, a raw problem, a row that cannot become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]


@dataclass(eq=False)
class BadRow(Exception):
    """A row that cannot become a problem."""

    rule: str  # the broken rule in words, such as "answer is not empty"
    field: str  # the field of the row in question
    value: object  # what stands there
    reason: str  # what is wrong and, where it helps, what to do


def require(passed: object, rule: str, field: str, value: object, reason: str) -> None:
    """Raise BadRow with these arguments unless the check passed."""
    if not passed:
        raise BadRow(rule, field, value, reason)


@dataclass(frozen=True)
class Picture:
    """An image as a row names it: a path below the data set, or its bytes."""

    path: str | None = None
    data: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class DataFile:
    """A file of a data set."""

    path: Path
    split: str | None = None  # the split of its rows that name none, if the file has one
    roots: tuple[Path, ...] = ()  # folders in which image paths of its rows are looked up, in order
    is_one_row: bool = False  # True for a JSON file that is one row
    note: Row = field(default_factory=dict)  # what else the reader of the rows needs to know


@dataclass
class RawProblem:
    """A problem as a data set has it, before anything is checked.

    `answer_type` and `language` are guessed where they are None; `split` is then that of the file,
    or train. `source` is the data set that an exported row came from in the first place. See the
    Problem table for the rest.
    """

    question: str
    answer: str
    choices: list[str] = field(default_factory=list)
    images: list[Picture] = field(default_factory=list)
    split: str | None = None
    subject: str = "mathematics"
    level: int = 0
    family: str | None = None
    answer_type: str | None = None
    unit: str | None = None
    precision: int | None = None
    language: str | None = None
    solution: str | None = None
    meta: Row = field(default_factory=dict)
    source: str | None = None


Adapt = Callable[[Row, DataFile], RawProblem | Sequence[RawProblem | BadRow]]


@dataclass(frozen=True)
class Source:
    """A data set, benchmark or general layout that can be imported."""

    name: str  # as in `mathse import NAME`
    title: str
    expects: str  # what must lie at the given path
    home: str  # where the original lives
    files: Callable[[Path], Sequence[DataFile]]  # in a fixed order; none in another layout
    adapt: Adapt  # turns a row into a raw problem, or into several, bad ones among them
    kind: Literal["training", "benchmark", "layout"] = "training"
    licence: str = "not stated by its authors"  # the terms, as its authors state them
    note: str = ""  # what else a user should know
