"""What all sources share: a data file, a raw problem, a row that cannot become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Row = dict[str, Any]


@dataclass(eq=False)
class BadRow(Exception):
    """A row that cannot become a problem.

    Attributes:
        rule: the broken rule in words, such as "answer is not empty".
        field: the field of the row in question.
        value: what stands there.
        reason: what is wrong and, where it helps, what to do.
    """

    rule: str
    field: str
    value: object
    reason: str


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
    """A file of a data set.

    Attributes:
        path: where it lies.
        split: the split that its rows belong to, if the file has one.
        roots: folders in which image paths of its rows are looked up, in this order.
        is_one_row: True for a JSON file that is one row.
        note: anything that the reader of the rows needs to know of the file.
    """

    path: Path
    split: str | None = None
    roots: tuple[Path, ...] = ()
    is_one_row: bool = False
    note: Row = field(default_factory=dict)


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


Adapt = Callable[[Row, DataFile], RawProblem | list[RawProblem]]


@dataclass(frozen=True)
class Source:
    """A data set, benchmark or general layout that can be imported.

    Attributes:
        name: as in `mathse import NAME`.
        title: its full name.
        expects: what must lie at the given path.
        home: where the original lives.
        files: lists the data files below a path, in a fixed order; none in another layout.
        adapt: turns a row into a raw problem, or into several.
        kind: "training", "benchmark" or "layout".
        licence: under which terms, as its authors state them.
        note: what else a user should know.
    """

    name: str
    title: str
    expects: str
    home: str
    files: Callable[[Path], Sequence[DataFile]]
    adapt: Adapt
    kind: Literal["training", "benchmark", "layout"] = "training"
    licence: str = "not stated by its authors"
    note: str = ""
