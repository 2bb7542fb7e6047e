"""Compare values for every integer in place of a letter, as general solutions are."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

from mathse.answers import algebra
from mathse.answers.compare_numbers import UNDECIDED, Asked, Outcome
from mathse.answers.expressions import Tree
from mathse.answers.values import Family, Group, Named, Term, Value

_T = TypeVar("_T")


def compare_families(gold: Value, found: Value, asked: Asked) -> Outcome | None:
    """Compare values for every integer: `2kπ, k ∈ Z` and `2nπ`."""
    if (
        not isinstance(gold, Family)
        and not isinstance(found, Family)
        and not _has_multiple_of_pi(gold, found)
    ):
        return None
    if isinstance(gold, Family) and isinstance(found, Family) and gold.ring != found.ring:
        return Outcome(False, "different_integers")
    values, names = [], []
    for side in (gold, found):
        value, letter = (side.value, side.letter) if isinstance(side, Family) else (side, "")
        value = value.value if isinstance(value, Named) else value
        if isinstance(value, Group):
            items = [item.value if isinstance(item, Named) else item for item in value.items]
            value = Group(tuple(items), value.brackets)
        letters = _letters(value) if not letter else {letter}
        if len(letters) != 1:
            return None if not isinstance(side, Family) else UNDECIDED
        values.append(value)
        names.append(letters.pop())
    parts = [value.items if isinstance(value, Group) else (value,) for value in values]
    if len(parts[0]) != len(parts[1]) or not all(
        isinstance(item, Term) for side in parts for item in side
    ):
        return UNDECIDED
    ordered = any(isinstance(value, Group) and value.ordered for value in values)
    trees = [
        [_renamed(item.tree, name) for item in side if isinstance(item, Term)]
        for side, name in zip(parts, names, strict=True)
    ]
    if ordered:
        same = all(algebra.equal(a, b) for a, b in zip(*trees, strict=True))
    else:
        same = matched(trees[0], trees[1], lambda a, b: _same_family(a, b))
    return Outcome(True, "same_family") if same else Outcome(None, "families")


def _has_multiple_of_pi(*values: Value) -> bool:
    """Return whether both values hold a letter times π, as general solutions do."""
    for value in values:
        value = value.value if isinstance(value, Named) else value
        items = value.items if isinstance(value, Group) else (value,)
        if not all(isinstance(item, Term) and _slope(item.tree) for item in items):
            return False
    return True


def _slope(tree: Tree) -> Fraction | None:
    """Return the factor of the integer letter times π, if a tree is linear in one letter."""
    terms = algebra.polynomial(tree)
    letters = algebra.letters(tree) - {"pi"}
    if terms is None or len(letters) != 1 or not letters <= set("knmtlj"):
        return None
    [letter] = letters
    others = [monomial for monomial in terms if letter in dict(monomial)]
    return terms[others[0]] if others == [tuple(sorted([(letter, 1), ("pi", 1)]))] else None


def _same_family(a: Tree, b: Tree) -> bool:
    """Return whether `a + kp` and `b + kp` run over the same numbers."""
    if algebra.equal(a, b):
        return True
    slopes = [_slope(_with_letter(tree, "k")) for tree in (a, b)]
    if None in slopes or abs(slopes[0] or 0) != abs(slopes[1] or 0):
        return False
    starts = [algebra.number(tree, {"": 0.0}) for tree in (a, b)]
    period = algebra.number(("*", ("n", slopes[0] or Fraction(1)), ("v", "pi")))
    if None in starts or not period:
        return False
    steps = ((starts[0] or 0.0) - (starts[1] or 0.0)) / period
    return abs(steps - round(steps)) < 1e-9


def _renamed(tree: Tree, name: str) -> Tree:
    return substituted(tree, name, ("v", ""))


def _with_letter(tree: Tree, name: str) -> Tree:
    return substituted(tree, "", ("v", name))


def substituted(tree: Tree, name: str, new: Tree) -> Tree:
    """Replace a letter of a tree."""
    if tree == ("v", name):
        return new
    parts = [substituted(part, name, new) if isinstance(part, tuple) else part for part in tree[1:]]
    return (tree[0], *parts)  # type: ignore[return-value]


def _letters(value: Value) -> set[str]:
    if isinstance(value, Group):
        return set().union(*map(_letters, value.items))
    return set(algebra.letters(value.tree)) - {"pi"} if isinstance(value, Term) else set()


def matched(left: list[_T], right: list[_T], same: Callable[[_T, _T], bool]) -> bool:
    """Return whether each item of one list has a partner in the other, and none is left."""
    remaining = list(right)
    for item in left:
        for candidate in remaining:
            if same(item, candidate):
                remaining.remove(candidate)
                break
        else:
            return False
    return not remaining
