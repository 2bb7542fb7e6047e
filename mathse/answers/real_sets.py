"""Sets of reals: intervals, inequalities, unions, compared by what they hold."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence

from mathse.answers.values import Group, Named, Reals, Term, Value

ORDERS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "\\le": operator.le,
    "\\ge": operator.ge,
    "\\ne": operator.ne,
}


def _rounded(value: float) -> float:
    """Return a float to nine digits: bounds that differ by less are the same."""
    return float(f"{value:.9g}")


def inequality(sides: Sequence[float | None], signs: Sequence[str], name: str) -> Reals:
    r"""Return the x of `1 < x \le 3`; None stands for x, or for |x| if that is the name."""
    absolute = len(name) == 3 and name[0] == "|"
    sides = [None if side is None else _rounded(side) for side in sides]
    bounds = [side for side in sides if side is not None]
    if absolute:
        bounds += [0.0, *(-bound for bound in bounds)]

    def holds(x: float) -> bool:
        values = [(abs(x) if absolute else x) if side is None else side for side in sides]
        pairs = zip(signs, itertools.pairwise(values), strict=True)
        return all(ORDERS[sign](a, b) for sign, (a, b) in pairs)

    return Reals(holds, tuple(bounds), name[1] if absolute else name)


def interval(low: float, high: float, brackets: str) -> Reals:
    """Return an interval; `brackets` says which ends belong to it."""
    signs = ["\\le" if mark in "[]" else "<" for mark in brackets]
    return inequality((low, None, high), signs, "")


def points(numbers: tuple[float, ...]) -> Reals:
    """Return a finite set."""
    bounds = tuple(map(_rounded, numbers))
    return Reals(lambda x: x in bounds, bounds)


_COMBINED = {"or": operator.or_, "and": operator.and_, "minus": operator.gt}


def chain(sets: Sequence[Reals], joiners: Sequence[str]) -> Reals:
    """Combine sets from left to right by `or` (union), `and` (intersection) or `minus`."""
    bounds = tuple(bound for one in sets for bound in one.bounds)

    def holds(x: float) -> bool:
        value = sets[0].holds(x)
        for joiner, other in zip(joiners, sets[1:], strict=True):
            value = _COMBINED[joiner](value, other.holds(x))
        return value

    return Reals(holds, bounds, next((one.name for one in sets if one.name), ""))


def _samples(bounds: tuple[float, ...]) -> list[float]:
    """Return all finite bounds, a point between each two neighbours, and one beyond each end."""
    finite = sorted(set(filter(math.isfinite, bounds))) or [0.0]
    between = [(a + b) / 2 for a, b in itertools.pairwise(finite)]
    return [finite[0] - 1, *finite, *between, finite[-1] + 1]


def same_reals(left: Reals, right: Reals) -> bool:
    """Return True if two sets are the same: at all their bounds and in between."""
    return all(left.holds(x) == right.holds(x) for x in _samples(left.bounds + right.bounds))


def is_empty(reals: Reals) -> bool:
    """Return True if a set holds no number."""
    return not any(map(reals.holds, _samples(reals.bounds)))


def all_reals(values: Sequence[Value]) -> list[Reals] | None:
    """Return values as sets of reals; None if one is none."""
    sets = [reals for value in values if (reals := as_reals(value)) is not None]
    return sets if len(sets) == len(values) else None


def as_reals(value: Value) -> Reals | None:
    """Return a value as a set of reals: an interval, a finite set, a number; None if it is none."""
    if isinstance(value, Reals):
        return value
    if isinstance(value, Named):
        inner = as_reals(value.value)
        return None if inner is None else Reals(inner.holds, inner.bounds, value.name)
    items = value.items if isinstance(value, Group) else (value,)
    brackets = value.brackets if isinstance(value, Group) else ""
    known = tuple(item.value for item in items if isinstance(item, Term) and item.value is not None)
    if len(known) < len(items):
        return None
    if brackets in ("", "{}"):
        return points(known)
    if len(known) == 2 and known[0] <= known[1] and "<" not in brackets:
        return interval(known[0], known[1], brackets)
    return None
