"""The typed values of answers: numbers, tuples, sets of reals, equations, matrices, words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Union

from mathse.answers import algebra
from mathse.answers.expressions import Tree
from mathse.answers.units import Unit


@dataclass(frozen=True)
class Term:
    """A number or an expression, with its unit.

    Attributes:
        tree: the expression.
        unit: the unit, if one is named.
        decimals: digits after the point if it is written as one decimal number, else None.
        digits: significant digits of that decimal number.
    """

    tree: Tree
    unit: Unit | None = None
    decimals: int | None = None
    digits: int = 0

    @cached_property
    def exact(self) -> Fraction | None:
        """The exact value, if it is rational."""
        return algebra.rational(self.tree)

    @cached_property
    def value(self) -> float | None:
        """The value as a float; None if there are unknowns."""
        if algebra.letters(self.tree):
            return None
        exact = self.exact
        if exact is not None:
            return float(exact) if abs(exact) < 10**300 else None
        return algebra.number(self.tree)

    @property
    def is_number(self) -> bool:
        """Whether this is a finite real constant."""
        return self.exact is not None or (
            self.value is not None and abs(self.value) != float("inf")
        )


@dataclass(frozen=True)
class Named:
    """A value with its name: `x = 5`, `f(x) = 2x`, `A(1, 2)`."""

    name: str
    value: Value


@dataclass(frozen=True)
class Group:
    """Several values, with their brackets: `()`, `[)`, `{}`, `<>` or none."""

    items: tuple[Value, ...]
    brackets: str = ""

    @property
    def ordered(self) -> bool:
        """Whether the order counts."""
        return self.brackets not in ("", "{}")


@dataclass(frozen=True)
class Family:
    """A value for every number of a ring (Z or N) in place of a letter: `π/6 + kπ, k ∈ Z`."""

    value: Value
    letter: str
    ring: str


@dataclass(frozen=True)
class Relation:
    """A relation between expressions: `x^2 + y^2 = 1`, `f(1) < f(2)`, `a ⊥ b`."""

    signs: tuple[str, ...]
    sides: tuple[Tree, ...]


@dataclass(frozen=True)
class Reals:
    """A set of reals: whether it holds a number, and the numbers where that changes."""

    holds: Callable[[float], bool]
    bounds: tuple[float, ...]
    name: str = ""


@dataclass(frozen=True)
class Ratio:
    """Two or more terms in proportion: `2:3:4`."""

    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Matrix:
    """Rows of values."""

    rows: tuple[tuple[Value, ...], ...]


@dataclass(frozen=True)
class Moment:
    """A time of day or a date, in parts; None for a part that is not given."""

    parts: tuple[int | str | None, ...]
    ratio: Ratio | None = None
    """What `3:20` is if it is no time."""


@dataclass(frozen=True)
class Words:
    """Words, compared as such: a name, a colour, a sentence."""

    text: str


Value = Union[  # noqa: UP007  (used in annotations that are read at run time)
    Term, Named, Group, Family, Relation, Reals, Ratio, Matrix, Moment, Words
]
