"""Compare values for every integer in place of a letter, as general solutions are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from mathse.answers import algebra
from mathse.answers.compare_numbers import UNDECIDED, Asked, Outcome
from mathse.answers.expressions import Tree
from mathse.answers.values import Family, Group, Named, Term, Value

_T = TypeVar("_T")
_INTEGER_LETTERS = frozenset("knmtlj")


def compare_families(gold: Value, found: Value, asked: Asked) -> Outcome | None:
    """Compare values for every integer: `2kπ, k ∈ Z` and `2nπ`; None if these are none."""
    rings = [side.ring for side in (gold, found) if isinstance(side, Family)]
    if len(set(rings)) > 1:
        return Outcome(False, "different_integers")
    # The trees of both sides, with one name for the letter.
    sides: list[list[Tree]] = []
    ordered, terms_only, multiples = False, True, True
    for side in (gold, found):
        value = _unnamed(side.value if isinstance(side, Family) else side)
        items = value.items if isinstance(value, Group) else (value,)
        trees = [item.tree for item in map(_unnamed, items) if isinstance(item, Term)]
        names = frozenset().union(*map(algebra.letters, trees))
        names = frozenset({side.letter}) if isinstance(side, Family) else names
        if len(names) != 1:
            return None
        [name] = names
        sides.append([algebra.substituted(tree, name, ("v", "")) for tree in trees])
        terms_only &= len(trees) == len(items)
        ordered |= isinstance(value, Group) and value.ordered
        multiples &= name in _INTEGER_LETTERS and all(map(_is_multiple_of_pi, sides[-1]))
    if not rings and not (multiples and terms_only):
        return None
    if not terms_only or len(sides[0]) != len(sides[1]):
        return UNDECIDED
    shifts = not ordered and set(rings) <= {"Z"}

    def same_family(a: Tree, b: Tree) -> bool:
        return bool(algebra.equal(a, b)) or (shifts and _same_numbers(a, b))

    same = all(map(same_family, *sides)) if ordered else matched(sides[0], sides[1], same_family)
    return Outcome(True, "same_family") if same else Outcome(None, "families")


def _unnamed(value: Value) -> Value:
    return value.value if isinstance(value, Named) else value


def _period(tree: Tree) -> float | None:
    """Return by how much a tree grows from one integer to the next, if by the same each time."""
    at = [algebra.number(tree, {"": float(integer)}) for integer in range(3)]
    a, b, c = (math.nan if value is None else value for value in at)
    return b - a if abs(a - 2 * b + c) < 1e-9 < abs(b - a) else None


def _is_multiple_of_pi(tree: Tree) -> bool:
    """Return True if a tree holds a letter times π, as general solutions do."""
    steps = 360 * (_period(tree) or math.nan) / math.pi
    return math.isfinite(steps) and abs(steps - round(steps)) < 1e-9


def _same_numbers(a: Tree, b: Tree) -> bool:
    """Return True if `a + kp` and `b + kp` run over the same numbers."""
    numbers = [_period(a), _period(b), *(algebra.number(tree, {"": 0.0}) for tree in (a, b))]
    period, other_period, start, other_start = (
        math.nan if value is None else value for value in numbers
    )
    steps = (start - other_start) / period
    whole = math.isfinite(steps) and abs(steps - round(steps)) < 1e-9
    return whole and abs(abs(period) - abs(other_period)) < 1e-9


def matched(left: Sequence[_T], right: Sequence[_T], same: Callable[[_T, _T], bool]) -> bool:
    """Return True if each item of one list has a partner in the other, and none is left."""
    remaining = list(right)
    for item in left:
        partner = next((other for other in remaining if same(item, other)), None)
        if partner is None:
            return False
        remaining.remove(partner)
    return not remaining
