"""Decide whether two expression trees have the same value.

Rational functions with rational coefficients (π counts as a letter, i² is -1) are compared
exactly. Everything else is evaluated at fixed points: different values prove that two expressions
differ, and agreement to eleven digits at every point is taken as equality. Otherwise the result is
None.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache

from mathse.answers.expressions import Tree

Polynomial = dict[tuple[tuple[str, int], ...], Fraction]
"""Coefficients by monomial; a monomial is its sorted (letter, exponent) pairs."""

MAX_TERMS = 200
MAX_EXPONENT = 60
MAX_BITS = 2_000
"""Of a coefficient."""

MAX_CONSTANT_BITS = 32_000
"""Of a number that stands alone, such as `3^{2014}`."""

RELATIVE_TOLERANCE = 1e-11
_ONE: Polynomial = {(): Fraction(1)}

_POINTS = [
    [float(value) for value in line.split()]
    for line in (
        "0.7310585786 1.3862943611 2.2360679775 0.5671432904 1.9021605831 0.4142135624 "
        "3.3166247904 1.0986122887 0.8862269255 1.4422495703 2.0943951024 0.6180339888",
        "1.6180339887 0.6931471806 1.2020569032 2.6854520010 0.9159655942 1.7320508076 "
        "0.2614972128 2.3025850930 0.5235987756 1.8392867552 0.7642236535 1.3247179572",
        "2.5029078751 1.4513692349 0.3535533906 1.1319882488 2.8077702420 0.6434105463 "
        "1.4560749486 0.8414709848 1.7817974363 0.4769362762 1.1865691104 2.1213203436",
        "0.1234898019 2.4142135624 1.7724538509 0.8346268417 1.2599210499 3.1462643699 "
        "0.9046045226 1.5707963268 2.7320508076 0.3010299957 1.6487212707 0.5403023059",
    )
]


class _NotRational(Exception):
    pass


@lru_cache(maxsize=8192)
def rational(tree: Tree) -> Fraction | None:
    """Return the exact value of a tree without letters, roots or functions, or None."""
    terms = polynomial(tree)
    if terms is None:
        return None
    if not terms:
        return Fraction(0)
    return terms[()] if len(terms) == 1 and () in terms else None


def polynomial(tree: Tree) -> Polynomial | None:
    """Expand a tree to a polynomial with rational coefficients; None if impossible or too large."""
    both = fraction(tree)
    if both is None or set(both[1]) != {()}:
        return None
    return {monomial: value / both[1][()] for monomial, value in both[0].items()}


@lru_cache(maxsize=8192)
def fraction(tree: Tree) -> tuple[Polynomial, Polynomial] | None:
    """Expand a tree to a quotient of polynomials; None if impossible or too large."""
    try:
        above, below = _expand(tree)
    except (_NotRational, ZeroDivisionError, OverflowError, RecursionError):
        return None
    return (above, below) if below else None


def _expand(tree: Tree) -> tuple[Polynomial, Polynomial]:
    kind = tree[0]
    if kind == "n":
        value = tree[1]
        assert isinstance(value, Fraction)
        return ({(): value} if value else {}), _ONE
    if kind == "v":
        if tree[1] in ("e", "infty"):
            raise _NotRational
        return {((str(tree[1]), 1),): Fraction(1)}, _ONE
    if kind in ("abs", "!", "floor", "ceil", "binom"):
        value = _whole_number(kind, [rational(child(tree, n)) for n in range(1, len(tree))])
        return ({(): value} if value else {}), _ONE
    if kind not in ("-", "+", "*", "/", "^"):
        raise _NotRational
    above, below = _expand(child(tree, 1))
    if kind == "-":
        return {monomial: -value for monomial, value in above.items()}, below
    if kind == "^":
        return _to_power(above, below, rational(child(tree, 2)))
    top, bottom = _expand(child(tree, 2))
    if kind == "+":
        if below == bottom:
            return _add(above, top), below
        return _add(_multiply(above, bottom), _multiply(top, below)), _multiply(below, bottom)
    if kind == "*":
        return _multiply(above, top), _multiply(below, bottom)
    if not top:
        raise ZeroDivisionError
    above, below = _multiply(above, bottom), _multiply(below, top)
    if set(below) == {()}:
        return {monomial: value / below[()] for monomial, value in above.items()}, _ONE
    return above, below


def _whole_number(kind: str, inner: list[Fraction | None]) -> Fraction:
    if None in inner:
        raise _NotRational
    value, *rest = [number for number in inner if number is not None]
    if kind == "abs":
        return abs(value)
    if kind in ("floor", "ceil"):
        return Fraction(math.floor(value) if kind == "floor" else math.ceil(value))
    if value.denominator != 1 or not 0 <= value <= 1000 or (kind == "!" and value > 200):
        raise _NotRational
    if kind == "!":
        return Fraction(math.factorial(int(value)))
    if rest[0].denominator != 1 or rest[0] < 0:
        raise _NotRational
    return Fraction(math.comb(int(value), int(rest[0])))


def child(tree: Tree, index: int) -> Tree:
    """Return an operand of a tree."""
    operand = tree[index]
    assert isinstance(operand, tuple)
    return operand


def _add(left: Polynomial, right: Polynomial) -> Polynomial:
    total = dict(left)
    for monomial, value in right.items():
        total[monomial] = total.get(monomial, Fraction(0)) + value
    return _bounded(total)


def _multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    if right is _ONE or left is _ONE:
        return left if right is _ONE else right
    if len(left) * len(right) > MAX_TERMS * 4:
        raise _NotRational
    total: Polynomial = {}
    for first, a in left.items():
        for second, b in right.items():
            exponents = dict(first)
            for name, exponent in second:
                exponents[name] = exponents.get(name, 0) + exponent
            value = a * b
            if exponents.get("i", 0) > 1:
                value *= -1 if exponents["i"] % 4 > 1 else 1
                exponents["i"] %= 2
            monomial = tuple(sorted(pair for pair in exponents.items() if pair[1]))
            total[monomial] = total.get(monomial, Fraction(0)) + value
    return _bounded(total)


def _to_power(
    above: Polynomial, below: Polynomial, power: Fraction | None
) -> tuple[Polynomial, Polynomial]:
    if power is None:
        raise _NotRational
    if power < 0:
        if not above:
            raise ZeroDivisionError
        above, below, power = below, above, -power
    if power.denominator == 2 and power <= 4.5:
        above, below, power = _root(above), _root(below), power * 2
    if power.denominator != 1:
        raise _NotRational
    exponent = int(power)
    constant = {*above, *below} <= {()}
    bits = max(_bits(value) for value in [*above.values(), *below.values(), Fraction(1)])
    if exponent * bits > MAX_CONSTANT_BITS if constant else exponent > MAX_EXPONENT:
        raise _NotRational
    if constant:
        return {(): above.get((), Fraction(0)) ** exponent} if above or not exponent else {}, {
            (): below[()] ** exponent
        }
    powers = [dict(_ONE), dict(_ONE)]
    for _ in range(exponent):
        powers = [_multiply(powers[0], above), _multiply(powers[1], below)]
    return powers[0], powers[1]


def _root(base: Polynomial) -> Polynomial:
    r"""Take a root that comes out rational, as in `\sqrt{4}`."""
    if base and set(base) != {()}:
        raise _NotRational
    value = base.get((), Fraction(0))
    if value < 0:
        raise _NotRational
    above, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if above * above != value.numerator or below * below != value.denominator:
        raise _NotRational
    return {(): Fraction(above, below)} if above else {}


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _bounded(terms: Polynomial) -> Polynomial:
    """Drop terms that cancel; refuse what has grown too large."""
    terms = {monomial: value for monomial, value in terms.items() if value}
    most = MAX_CONSTANT_BITS if set(terms) == {()} else MAX_BITS
    if len(terms) > MAX_TERMS or any(_bits(value) > most for value in terms.values()):
        raise _NotRational
    return terms


@lru_cache(maxsize=8192)
def letters(tree: Tree) -> frozenset[str]:
    """Return the letters of a tree that stand for unknowns (not π, e, i, ∞)."""
    if tree[0] == "v":
        constant = tree[1] in ("pi", "e", "i", "infty")
        return frozenset() if constant else frozenset([str(tree[1])])
    return frozenset().union(*(letters(part) for part in tree[1:] if isinstance(part, tuple)))


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
    kind = tree[0]
    if kind == "n":
        return complex(float(tree[1]))  # type: ignore[arg-type]
    if kind == "v":
        name = str(tree[1])
        return complex(point[name] if name in point else _CONSTANTS[name])
    first = evaluate(child(tree, 1), point)
    if kind == "-":
        return -first
    if kind in _FUNCTIONS:
        return _FUNCTIONS[kind](first)
    second = evaluate(child(tree, 2), point)
    if kind == "+":
        return first + second
    if kind == "*":
        return first * second
    if kind == "/":
        return first / second
    if kind == "binom":
        return complex(math.comb(_natural(first), _natural(second)))
    if kind != "^":
        raise ValueError(kind)
    if first.imag == 0 and second.imag == 0 and first.real >= 0:
        return complex(first.real**second.real)
    return complex(first**second)


def _natural(value: complex) -> int:
    if value.imag or value.real != int(value.real) or not 0 <= value.real <= 170:
        raise ValueError("not a natural number")
    return int(value.real)


_FUNCTIONS: dict[str, Callable[[complex], complex]] = {
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
    "abs": lambda value: complex(abs(value)),
    "floor": lambda value: complex(math.floor(value.real)),
    "ceil": lambda value: complex(math.ceil(value.real)),
    "!": lambda value: complex(math.factorial(_natural(value))),
}


def equal(left: Tree, right: Tree) -> bool | None:
    """Return whether two expressions are equal for all values of their letters, None if unsure."""
    if left == right:
        return True
    first, second = fraction(left), fraction(right)
    if first is not None and second is not None:
        try:
            return _multiply(first[0], second[1]) == _multiply(second[0], first[1])
        except _NotRational:
            pass
    agreed = 0
    for a, b in _values(left, right):
        if abs(a - b) > RELATIVE_TOLERANCE * max(abs(a), abs(b)) and abs(a - b) > 1e-13:
            return False
        agreed += 1
    return True if agreed >= (3 if letters(left) | letters(right) else 1) else None


def _values(left: Tree, right: Tree) -> list[tuple[complex, complex]]:
    """Return the values of two trees at the fixed points where both have one."""
    names = sorted(letters(left) | letters(right))
    if len(names) > len(_POINTS[0]):
        return []
    values = []
    for numbers in _POINTS[: None if names else 1]:
        point = dict(zip(names, numbers, strict=False))
        try:
            a, b = evaluate(left, point), evaluate(right, point)
        except (ArithmeticError, ValueError, RecursionError, KeyError):
            continue
        if cmath.isfinite(a) and cmath.isfinite(b):
            values.append((a, b))
    return values


def proportional(left: Tree, right: Tree) -> bool | None:
    """Return whether two terms vanish together: the numerators differ by a constant factor only.

    None if that is not known. Denominators are taken not to vanish.
    """
    first, second = fraction(left), fraction(right)
    if first is not None and second is not None:
        a, b = first[0], second[0]
        if not a or not b or set(a) != set(b):
            return not a and not b
        key = min(a)
        factor = a[key] / b[key]
        return all(value == factor * b[monomial] for monomial, value in a.items())
    values = _values(left, right)
    if len(values) < 3 or any(abs(b) < 1e-9 for _, b in values):
        return None
    factors = [a / b for a, b in values]
    same = all(abs(one - factors[0]) <= 1e-10 * abs(factors[0]) for one in factors)
    return True if same and abs(factors[0]) > 1e-9 else None
