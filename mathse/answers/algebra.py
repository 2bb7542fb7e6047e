"""Decide whether two expression trees have the same value.

Rational functions with rational coefficients (π counts as a letter, i² is -1) are evaluated modulo
a large prime, at points that no formula is made for: what agrees there is equal, what does not
differs. Everything else is evaluated in floats at fixed points: different values prove that two
expressions differ, and agreement to eleven digits at every point is taken as equality. Otherwise
the result is None.
"""

from __future__ import annotations

import cmath
import hashlib
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any

from mathse.answers.expressions import Tree

MAX_BITS = 32_000
"""Of an exact number, such as `3^{2014}`."""

RELATIVE_TOLERANCE = 1e-11
_PRIME = 2**255 - 19
_ROOT_OF_MINUS_ONE = pow(2, (_PRIME - 1) // 4, _PRIME)


class _NotRational(ArithmeticError):
    pass


# Exact numbers.


@lru_cache(maxsize=8192)
def rational(tree: Tree) -> Fraction | None:
    """Return the exact value of a tree without letters, irrational roots or functions, or None."""
    try:
        return _exact(tree)
    except (ArithmeticError, RecursionError):
        return None


def _exact(tree: Tree) -> Fraction:
    if tree[0] == "n":
        return Fraction(tree[1])
    if tree[0] not in _EXACT:
        raise _NotRational
    value = _EXACT[tree[0]](*map(_exact, tree[1:]))
    if _bits(value) > MAX_BITS:
        raise _NotRational
    return Fraction(value)


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _exact_power(base: Fraction, power: Fraction) -> Fraction:
    if power.denominator != 1 or abs(power) * _bits(base) > MAX_BITS:
        raise _NotRational
    return Fraction(base ** int(power))


def _below(limit: int, function: Callable[..., int]) -> Callable[..., Fraction]:
    """Return a function of natural numbers up to a limit."""

    def exact(*values: Fraction) -> Fraction:
        if any(value.denominator != 1 or not 0 <= value <= limit for value in values):
            raise _NotRational
        return Fraction(function(*map(int, values)))

    return exact


_EXACT: dict[Any, Callable[..., Fraction]] = {
    "-": operator.neg,
    "+": operator.add,
    "*": operator.mul,
    "/": operator.truediv,
    "^": _exact_power,
    "abs": abs,
    "floor": lambda value: Fraction(math.floor(value)),
    "ceil": lambda value: Fraction(math.ceil(value)),
    "!": _below(200, math.factorial),
    "binom": _below(1000, math.comb),
}


# Rational functions, modulo a prime.


@lru_cache(maxsize=8192)
def _residues(tree: Tree, point: int) -> tuple[int, int] | None:
    """Return numerator and denominator of a rational function at a point, modulo a prime."""
    try:
        above, below = _quotient(tree, point)
    except (ArithmeticError, RecursionError):
        return None
    return (above, below) if below else None


def _quotient(tree: Tree, point: int) -> tuple[int, int]:
    kind = tree[0]
    if kind == "v" and tree[1] not in ("e", "infty"):
        return _ROOT_OF_MINUS_ONE if tree[1] == "i" else _coordinate(tree[1], point), 1
    power = rational(tree[2]) if kind == "^" else None
    if power is not None and power.denominator == 1:
        a, b = (pow(part, int(abs(power)), _PRIME) for part in _quotient(tree[1], point))
        return (a, b) if power >= 0 else (b, a)
    if kind not in ("-", "+", "*", "/"):
        value = rational(tree)
        if value is None:
            raise _NotRational
        return value.numerator % _PRIME, value.denominator % _PRIME
    (a, b), (c, d) = (_quotient(part, point) for part in (tree[1], tree[-1]))
    if kind == "+":
        a, b = (a + c, b) if b == d else (a * d + c * b, b * d)
    elif kind == "-":
        a = -a
    else:
        a, b = (a * c, b * d) if kind == "*" else (a * d, b * c)
    return a % _PRIME, b % _PRIME


@lru_cache(maxsize=8192)
def _coordinate(name: str, point: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{point} {name}".encode()).digest()) % _PRIME


# Values in floats.


@lru_cache(maxsize=8192)
def letters(tree: Tree) -> frozenset[str]:
    """Return the letters of a tree that stand for unknowns (not π, e, i, ∞)."""
    if tree[0] == "v":
        return frozenset({tree[1]} - _CONSTANTS.keys())
    return frozenset().union(*(letters(part) for part in tree[1:] if isinstance(part, tuple)))


def substituted(tree: Tree, name: str, new: Tree) -> Tree:
    """Replace a letter of a tree."""
    if tree == ("v", name):
        return new
    return tuple(substituted(part, name, new) if isinstance(part, tuple) else part for part in tree)


def number(tree: Tree, point: Mapping[str, float] | None = None) -> float | None:
    """Return the real value of a tree, given those of its unknowns; None if it has none."""
    try:
        value = evaluate(tree, point or {})
    except (ArithmeticError, ValueError, RecursionError, KeyError):
        return None
    if cmath.isnan(value) or abs(value.imag) > 1e-12 * max(1.0, abs(value.real)):
        return None
    return value.real


_CONSTANTS = {"pi": math.pi, "e": math.e, "i": 1j, "infty": math.inf}


def evaluate(tree: Tree, point: Mapping[str, complex]) -> complex:
    """Return the value of a tree at a point; any arithmetic error is raised."""
    if tree[0] == "n":
        return complex(float(tree[1]))
    if tree[0] == "v":
        return complex(point[tree[1]] if tree[1] in point else _CONSTANTS[tree[1]])
    return complex(_FUNCTIONS[tree[0]](*(evaluate(part, point) for part in tree[1:])))


def _power(base: complex, power: complex) -> complex:
    if base.imag == 0 and power.imag == 0 and base.real >= 0:
        return complex(base.real**power.real)
    return complex(base**power)


def _factorial(value: complex) -> float:
    return math.nan if value.imag else math.gamma(value.real + 1)


_FUNCTIONS: dict[str, Callable[..., complex]] = {
    "-": operator.neg,
    "+": operator.add,
    "*": operator.mul,
    "/": operator.truediv,
    "^": _power,
    "binom": lambda n, k: _factorial(n) / _factorial(k) / _factorial(n - k),
    "sin": cmath.sin,
    "cos": cmath.cos,
    "tan": cmath.tan,
    "cot": lambda value: 1 / cmath.tan(value),
    "sec": lambda value: 1 / cmath.cos(value),
    "csc": lambda value: 1 / cmath.sin(value),
    "ln": cmath.log,
    "exp": cmath.exp,
    "arcsin": cmath.asin,
    "arccos": cmath.acos,
    "arctan": cmath.atan,
    "arccot": lambda value: math.pi / 2 - cmath.atan(value),
    "deg": lambda value: value * math.pi / 180,
    "abs": abs,
    "floor": lambda value: math.floor(value.real),
    "ceil": lambda value: math.ceil(value.real),
    "!": _factorial,
}


# Two trees.


def equal(left: Tree, right: Tree) -> bool | None:
    """Return True if two expressions are equal for all values of their letters, None if unsure."""
    if left == right:
        return True
    first, second = _residues(left, 0), _residues(right, 0)
    if first is not None and second is not None:
        return (first[0] * second[1] - second[0] * first[1]) % _PRIME == 0
    agreed = 0
    for a, b in _values(left, right):
        if abs(a - b) > RELATIVE_TOLERANCE * max(abs(a), abs(b)) and abs(a - b) > 1e-13:
            return False
        agreed += 1
    names = letters(left) | letters(right)
    if agreed < (3 if names else 1):
        return None
    # `\\sqrt{x^2}` and `x` differ where x is negative; whether it can be is not known.
    for number in range(4 if names else 0):
        signs = {name: 1 if number and _coordinate(name, number + 8) % 2 else -1 for name in names}
        point = {name: signs[name] * x for name, x in _point(names, number + 4).items()}
        try:
            a, b = (_real(tree, point) for tree in (left, right))
        except (ArithmeticError, ValueError, RecursionError, KeyError):
            continue
        if abs(a - b) > 1e-9 * max(1.0, abs(a), abs(b)):
            return None
    return True


def _point(names: frozenset[str], number: int) -> dict[str, float]:
    return {name: 3 * _coordinate(name, number) / _PRIME for name in names}


def _real(tree: Tree, point: Mapping[str, complex]) -> complex:
    """Return the value of a tree whose parts are all real; any arithmetic error is raised."""
    if tree[0] in ("n", "v"):
        return evaluate(tree, point)
    value = complex(_FUNCTIONS[tree[0]](*(_real(part, point) for part in tree[1:])))
    if not abs(value.imag) <= 1e-12 * max(1.0, abs(value.real)):
        raise ArithmeticError(tree[0])
    return complex(value.real)


def _values(left: Tree, right: Tree) -> list[tuple[complex, complex]]:
    """Return the values of two trees at the points where both have one."""
    names = letters(left) | letters(right)
    values = []
    for number in range(4 if names else 1):
        point = _point(names, number)
        try:
            a, b = evaluate(left, point), evaluate(right, point)
        except (ArithmeticError, ValueError, RecursionError, KeyError):
            continue
        if cmath.isfinite(a) and cmath.isfinite(b):
            values.append((a, b))
    return values


def proportional(left: Tree, right: Tree) -> bool | None:
    """Return True if two terms vanish together: the numerators differ by a constant factor only.

    None if that is not known. Denominators are taken not to vanish.
    """
    at = [(_residues(left, point), _residues(right, point)) for point in (0, 1)]
    above = [(a[0], b[0]) for a, b in at if a is not None and b is not None]
    if len(above) == 2:
        (a, b), (c, d) = above
        return a == b if 0 in (a, b) else (a * d - b * c) % _PRIME == 0
    values = _values(left, right)
    if len(values) < 3 or any(abs(b) < 1e-9 for _, b in values):
        return None
    factors = [a / b for a, b in values]
    same = all(abs(one - factors[0]) <= 1e-10 * abs(factors[0]) for one in factors)
    return True if same and abs(factors[0]) > 1e-9 else None
