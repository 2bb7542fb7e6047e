"""Compare numbers and expressions: exactly, by unit, rounded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from mathse.answers import algebra
from mathse.answers.units import DEGREE, PERCENT, Unit, read_unit
from mathse.answers.values import Term


@dataclass(frozen=True)
class Outcome:
    """Whether two answers are equal (None: undecided), and by which rule."""

    equal: bool | None
    reason: str


@dataclass(frozen=True)
class Asked:
    """What the problem says of the answer: its unit, and the decimals to which it counts."""

    unit: Unit | None = None
    precision: int | None = None
    exactly: bool = False


EXACT = Asked(exactly=True)
"""No rounding."""

UNDECIDED = Outcome(None, "undecided")


def compare_terms(gold: Term, found: Term, asked: Asked) -> Outcome:
    """Compare numbers or expressions, with their units."""
    if not (gold.is_number and found.is_number):
        equal = algebra.equal(gold.tree, found.tree)
        if gold.is_number != found.is_number and not (gold.value is None and found.value is None):
            return Outcome(bool(equal), "same_expression" if equal else "number_and_expression")
        if equal is None:
            return UNDECIDED
        return Outcome(equal, "same_expression" if equal else "different_expression")
    wanted, given = gold.unit or asked.unit, found.unit
    if wanted and given and (wanted == PERCENT) != (given == PERCENT):
        return Outcome(False, "unit_contradicts")  # 100% and 100 cm
    if wanted and given and wanted != PERCENT:
        if wanted.dimension != given.dimension:
            radians = _in_radians(gold, found)
            return radians or Outcome(False, "unit_contradicts")
        return _numbers(gold, found, given.size / wanted.size, asked)
    outcome = _numbers(gold, found, Fraction(1), asked)
    if not outcome.equal and (wanted == PERCENT) != (given == PERCENT):
        scale = Fraction(1, 100) if given == PERCENT else Fraction(100)
        if _numbers(gold, found, scale, asked).equal:
            return Outcome(True, "same_percent")
    return outcome if outcome.equal else _in_radians(gold, found) or outcome


def _in_radians(gold: Term, found: Term) -> Outcome | None:
    """Compare degrees with a number that holds π, or with radians."""
    if DEGREE not in (gold.unit, found.unit):
        return None
    for one, other in ((gold, found), (found, gold)):
        radians = "pi" in str(other.tree) if other.unit is None else other.unit == read_unit("rad")
        if one.unit == DEGREE and radians and algebra.equal(("deg", one.tree), other.tree):
            return Outcome(True, "degrees_and_radians")
    return None


def _numbers(gold: Term, found: Term, scale: Fraction, asked: Asked) -> Outcome:
    # The same value, exactly or to eleven digits.
    exact = None if found.exact is None else found.exact * scale
    if gold.exact is not None and exact is not None:
        if gold.exact == exact:
            return Outcome(True, "same_number")
        distance = abs(gold.exact - exact)
        difference = float(distance) if distance < 10**300 else float("inf")
    elif gold.value is None or found.value is None:
        return UNDECIDED
    else:
        value = found.value * float(scale)
        difference = abs(gold.value - value)
        if difference <= algebra.RELATIVE_TOLERANCE * max(abs(gold.value), abs(value)):
            return Outcome(True, "same_value")
    if asked.exactly:
        return Outcome(False, "different_number")
    if (precision := asked.precision) is not None:
        same = difference <= _half_unit(precision)
        return Outcome(same, "same_rounded" if same else "different_number")
    # One is the other, rounded; or gold was cut off after its last place.
    decimals = gold.decimals or 0
    if _is_rounded(gold, found) and difference <= _half_unit(decimals):
        return Outcome(True, "rounds_to_gold")
    unit = _half_unit(found.decimals or 0) * scale
    if _is_endless(gold) and _is_precise(found) and difference <= unit:
        return Outcome(True, "gold_rounds_to_it")
    further = abs(found.value or 0) > abs(gold.value or 0)
    cut = gold.digits >= 4 and decimals >= 2 and _is_endless(found) and further
    if cut and difference < 2 * _half_unit(decimals):
        return Outcome(True, "cut_off_to_gold")
    return Outcome(False, "different_number")


def _is_precise(term: Term) -> bool:
    """Return True if a decimal is given to two decimals, or to three digits and one place."""
    return (term.decimals or 0) >= 2 or ((term.decimals or 0) >= 1 and term.digits >= 3)


def _is_rounded(gold: Term, found: Term) -> bool:
    if found.decimals is None and _is_endless(found):
        return _is_precise(gold)
    longer = found.decimals is None or found.decimals > (gold.decimals or 0)
    return longer and (gold.decimals or 0) >= 2


def _is_endless(term: Term) -> bool:
    """Return True if a number has no finite decimal: 1/3, √2, π."""
    below = 1 if term.exact is None else term.exact.denominator
    return term.decimals is None and (term.exact is None or 10 ** below.bit_length() % below != 0)


def _half_unit(decimals: int) -> float:
    """Return half a unit of the last decimal, and a little more for the rounding of floats."""
    return 0.5 * 10.0**-decimals * (1 + 1e-9)
