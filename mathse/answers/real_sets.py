"""Sets of reals: intervals, inequalities, unions, compared by what they hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

from mathse.answers.values import Group, Named, Reals, Term, Value

TOLERANCE = 1e-9


def same_float(a: float, b: float) -> bool:
    """Return whether two floats are equal up to rounding."""
    if math.isinf(a) or math.isinf(b):
        return a == b
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b))


def interval(low: float, high: float, brackets: str, name: str = "") -> Reals:
    """Return an interval; `brackets` says which ends belong to it."""

    def holds(x: float) -> bool:
        at_low, at_high = same_float(x, low), same_float(x, high)
        inside = low < x < high and not at_low and not at_high
        return inside or (at_low and brackets[0] == "[") or (at_high and brackets[1] == "]")

    return Reals(holds, (low, high), name)


def points(numbers: tuple[float, ...], name: str = "") -> Reals:
    """Return a finite set."""
    return Reals(lambda x: any(same_float(x, number) for number in numbers), numbers, name)


def combine(joiner: str, left: Reals, right: Reals) -> Reals:
    """Return the union (`or`), the intersection (`and`) or the difference (`minus`) of two sets."""

    def holds(x: float) -> bool:
        first, second = left.holds(x), right.holds(x)
        if joiner == "or":
            return first or second
        return first and (second if joiner == "and" else not second)

    return Reals(holds, left.bounds + right.bounds, left.name or right.name)


def _samples(bounds: tuple[float, ...]) -> list[float]:
    """Return all finite bounds, a point between each two neighbours, and one beyond each end."""
    finite = sorted(bound for bound in bounds if abs(bound) != float("inf"))
    if not finite:
        return [0.0]
    between = [
        (a + b) / 2 for a, b in zip(finite, finite[1:], strict=False) if not same_float(a, b)
    ]
    return [finite[0] - 1, *finite, *between, finite[-1] + 1]


def same_reals(left: Reals, right: Reals) -> bool:
    """Return whether two sets are the same: at all their bounds and in between."""
    samples = _samples(left.bounds + right.bounds)
    return all(left.holds(x) == right.holds(x) for x in samples)


def is_empty(reals: Reals) -> bool:
    """Return whether a set holds no number."""
    return not any(reals.holds(x) for x in _samples(reals.bounds))


def half_line(sign: str, bound: float, name: str) -> Reals:
    r"""Return the numbers that stand in a relation (`<`, `\\le`, `\\ne` …) to a bound."""
    infinity = float("inf")
    if sign == "\\ne":
        return combine("minus", interval(-infinity, infinity, "()"), points((bound,), name))
    if sign in ("<", "\\le"):
        return interval(-infinity, bound, "(]" if sign == "\\le" else "()", name)
    return interval(bound, infinity, "[)" if sign == "\\ge" else "()", name)


def all_reals(values: list[Value]) -> list[Reals] | None:
    """Return values as sets of reals; None if one is none."""
    sets = [reals for value in values if (reals := as_reals(value)) is not None]
    return sets if len(sets) == len(values) else None


def of_absolute(reals: Reals) -> Reals:
    """Return the set of z where one of |z| is meant."""
    if len(reals.name) != 3 or reals.name[0] != "|":
        return reals
    bounds = (*reals.bounds, *(-bound for bound in reals.bounds), 0.0)
    return Reals(lambda x: reals.holds(abs(x)), bounds, reals.name[1])


def chain(sets: list[Reals], joiners: Sequence[str]) -> Reals:
    """Combine sets from left to right; see `combine`."""
    return reduce(
        lambda left, pair: combine(pair[0], left, pair[1]),
        zip(joiners, sets[1:], strict=True),
        sets[0],
    )


def as_reals(value: Value) -> Reals | None:
    """Return a value as a set of reals: an interval, a finite set, a number; None if it is none."""
    if isinstance(value, Reals):
        return value
    if isinstance(value, Named):
        inner = as_reals(value.value)
        return None if inner is None else Reals(inner.holds, inner.bounds, value.name)
    if isinstance(value, Term):
        return points((value.value,)) if value.value is not None else None
    if isinstance(value, Group):
        numbers = [item.value if isinstance(item, Term) else None for item in value.items]
        if None in numbers:
            return None
        known = tuple(number for number in numbers if number is not None)
        if value.brackets in ("", "{}"):
            return points(known)
        if len(known) == 2 and known[0] <= known[1] and "<" not in value.brackets:
            return interval(known[0], known[1], value.brackets)
    return None
