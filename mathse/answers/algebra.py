"""Decide whether two expression trees have the same value.

Polynomials with rational coefficients (π counts as a letter) are compared exactly. Everything else
is evaluated at fixed points: different values prove that two expressions differ, and agreement to
eleven digits at every point is taken as equality. Otherwise the result is None: SymPy decides.
"""

from __future__ import annotations

import cmath
import math
from fractions import Fraction
from functools import lru_cache

from mathse.answers.expression_parser import Tree

Polynomial = dict[tuple[tuple[str, int], ...], Fraction]
"""Coefficients by monomial; a monomial is its sorted (letter, exponent) pairs."""

MAX_TERMS = 200
MAX_EXPONENT = 60
MAX_BITS = 2_000
"""Of a coefficient."""

MAX_CONSTANT_BITS = 32_000
"""Of a number that stands alone, such as `3^{2014}`."""

RELATIVE_TOLERANCE = 1e-11

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


class _NotPolynomial(Exception):
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


@lru_cache(maxsize=8192)
def polynomial(tree: Tree) -> Polynomial | None:
    """Expand a tree to a polynomial with rational coefficients; None if impossible or too large."""
    try:
        return _expand(tree)
    except (_NotPolynomial, ZeroDivisionError, OverflowError, RecursionError):
        return None


def _expand(tree: Tree) -> Polynomial:
    kind = tree[0]
    if kind == "n":
        value = tree[1]
        assert isinstance(value, Fraction)
        return {(): value} if value else {}
    if kind == "v":
        if tree[1] == "e":
            raise _NotPolynomial
        return {((str(tree[1]), 1),): Fraction(1)}
    if kind == "-":
        return {monomial: -value for monomial, value in _expand(_child(tree, 1)).items()}
    if kind == "+":
        return _add(_expand(_child(tree, 1)), _expand(_child(tree, 2)))
    if kind == "*":
        return _multiply(_expand(_child(tree, 1)), _expand(_child(tree, 2)))
    if kind == "/":
        below = _expand(_child(tree, 2))
        if set(below) != {()}:
            raise _NotPolynomial
        return {monomial: value / below[()] for monomial, value in _expand(_child(tree, 1)).items()}
    if kind == "^":
        return _to_power(_expand(_child(tree, 1)), _expand(_child(tree, 2)))
    if kind in ("abs", "!"):
        inner = rational(_child(tree, 1))
        if inner is not None and kind == "abs":
            return {(): abs(inner)} if inner else {}
        if inner is not None and inner.denominator == 1 and 0 <= inner <= 200:
            return {(): Fraction(math.factorial(int(inner)))}
    raise _NotPolynomial


def _child(tree: Tree, index: int) -> Tree:
    child = tree[index]
    assert isinstance(child, tuple)
    return child


def _add(left: Polynomial, right: Polynomial) -> Polynomial:
    total = dict(left)
    for monomial, value in right.items():
        total[monomial] = total.get(monomial, Fraction(0)) + value
    return _bounded(total)


def _multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    if len(left) * len(right) > MAX_TERMS * 4:
        raise _NotPolynomial
    total: Polynomial = {}
    for first, a in left.items():
        for second, b in right.items():
            exponents = dict(first)
            for name, exponent in second:
                exponents[name] = exponents.get(name, 0) + exponent
            monomial = tuple(sorted(exponents.items()))
            total[monomial] = total.get(monomial, Fraction(0)) + a * b
    return _bounded(total)


def _to_power(base: Polynomial, power: Polynomial) -> Polynomial:
    if not power:
        return {(): Fraction(1)}
    if set(power) != {()} or power[()].denominator != 1:
        return _exact_root(base, power)
    exponent = int(power[()])
    if abs(exponent) > MAX_EXPONENT:
        constant = base.get(()) if set(base) == {()} else None
        if constant is None or abs(exponent) * _bits(constant) > MAX_CONSTANT_BITS:
            raise _NotPolynomial
    if exponent < 0:
        if set(base) != {()}:
            raise _NotPolynomial
        base, exponent = {(): 1 / base[()]}, -exponent
    if set(base) == {()}:
        if exponent * _bits(base[()]) > MAX_CONSTANT_BITS:
            raise _NotPolynomial
        return {(): base[()] ** exponent}
    result: Polynomial = {(): Fraction(1)}
    for _ in range(exponent):
        result = _multiply(result, base)
    return result


def _exact_root(base: Polynomial, power: Polynomial) -> Polynomial:
    r"""Take a root that comes out rational, as in `\sqrt{4}`."""
    if set(power) != {()} or (base and set(base) != {()}):
        raise _NotPolynomial
    exponent, value = power[()], base.get((), Fraction(0))
    if exponent.denominator != 2 or abs(exponent.numerator) > 9:
        raise _NotPolynomial
    if value < 0 or (not value and exponent < 0):
        raise _NotPolynomial
    above, below = math.isqrt(value.numerator), math.isqrt(value.denominator)
    if above * above != value.numerator or below * below != value.denominator:
        raise _NotPolynomial
    root = Fraction(above, below) ** exponent.numerator
    return {(): root} if root else {}


def _bits(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _bounded(terms: Polynomial) -> Polynomial:
    """Drop terms that cancel; refuse what has grown too large."""
    terms = {monomial: value for monomial, value in terms.items() if value}
    most = MAX_CONSTANT_BITS if set(terms) == {()} else MAX_BITS
    if len(terms) > MAX_TERMS or any(_bits(value) > most for value in terms.values()):
        raise _NotPolynomial
    return terms


@lru_cache(maxsize=8192)
def letters(tree: Tree) -> frozenset[str]:
    """Return the letters of a tree that stand for unknowns (not π, e)."""
    if tree[0] == "v":
        return frozenset() if tree[1] in ("pi", "e") else frozenset([str(tree[1])])
    return frozenset().union(*(letters(child) for child in tree[1:] if isinstance(child, tuple)))


def number(tree: Tree) -> float | None:
    """Return the real value of a tree without unknowns, or None."""
    if letters(tree):
        return None
    try:
        value = _evaluate(tree, {})
    except (ArithmeticError, ValueError, RecursionError):
        return None
    if not math.isfinite(value.real) or abs(value.imag) > 1e-12 * max(1.0, abs(value.real)):
        return None
    return value.real


def _evaluate(tree: Tree, point: dict[str, float]) -> complex:
    kind = tree[0]
    if kind == "n":
        return complex(float(tree[1]))  # type: ignore[arg-type]
    if kind == "v":
        name = str(tree[1])
        if name in ("pi", "e"):
            return complex(math.pi if name == "pi" else math.e)
        return complex(point[name])
    first = _evaluate(_child(tree, 1), point)
    if kind == "-":
        return -first
    if kind == "+":
        return first + _evaluate(_child(tree, 2), point)
    if kind == "*":
        return first * _evaluate(_child(tree, 2), point)
    if kind == "/":
        return first / _evaluate(_child(tree, 2), point)
    if kind == "^":
        power = _evaluate(_child(tree, 2), point)
        if first.imag == 0 and power.imag == 0 and first.real >= 0:
            return complex(first.real**power.real)
        return complex(first**power)
    if kind == "abs":
        return complex(abs(first))
    if kind == "!":
        if first.imag or first.real < 0 or first.real != int(first.real) or first.real > 170:
            raise ValueError("factorial")
        return complex(math.factorial(int(first.real)))
    return _FUNCTIONS[kind](first)


_FUNCTIONS = {
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
}


def equal(left: Tree, right: Tree) -> bool | None:
    """Return whether two expressions are equal for all values of their letters, None if unsure."""
    if left == right:
        return True
    first, second = polynomial(left), polynomial(right)
    if first is not None and second is not None:
        return first == second
    names = sorted(letters(left) | letters(right))
    if len(names) > len(_POINTS[0]):
        return None
    # Neither is a polynomial: compare values at fixed points, skipping those where one has none.
    agreed = 0
    for values in _POINTS:
        point = dict(zip(names, values, strict=False))
        try:
            a, b = _evaluate(left, point), _evaluate(right, point)
        except (ArithmeticError, ValueError, RecursionError, KeyError):
            continue
        if not (cmath.isfinite(a) and cmath.isfinite(b)):
            continue
        if abs(a - b) > RELATIVE_TOLERANCE * max(abs(a), abs(b)) and abs(a - b) > 1e-13:
            return False
        agreed += 1
        if not names:
            break
    return True if agreed >= (1 if not names else 3) else None


def proportional(left: Tree, right: Tree) -> bool | None:
    """Return whether two polynomials differ by a constant factor only; None for anything else."""
    first, second = polynomial(left), polynomial(right)
    if first is None or second is None:
        return None
    if not first or not second or set(first) != set(second):
        return not first and not second
    key = min(first)
    factor = first[key] / second[key]
    return all(value == factor * second[monomial] for monomial, value in first.items())
