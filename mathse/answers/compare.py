"""Compare a found answer with gold by its kind. What these rules cannot decide is for SymPy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from mathse.answers import algebra
from mathse.answers.expression_parser import read_expression
from mathse.answers.lists import Collection, read_collection
from mathse.answers.normalize import plain_math
from mathse.answers.options import plain_text
from mathse.answers.quantities import Quantity, read_quantity
from mathse.answers.units import read_unit


@dataclass(frozen=True)
class Outcome:
    """Whether two answers are equal (None: undecided), and by which rule."""

    equal: bool | None
    reason: str


UNDECIDED = Outcome(None, "undecided")
# `4:30`, `4:30 p.m.`, `4:30 o'clock`
_CLOCK = re.compile(
    r"^(\d{1,2})\s*:\s*(\d{2})(?:\s*:\s*\d{2})?\s*(?:o'clock)?\s*([ap])?\.?\s*(?:m\.?)?$", re.I
)
_RATIO = re.compile(r"^([^:]+):([^:]+)$")
# `x_1=`, `f(x) =`, `AB=`, `\angle ABC =`, `(x,y)=`, `area of the square: `, `x\in`
_NAME = re.compile(
    r"^\s*(?:\\?[a-zA-Z]+?(?:_(?:\w|\{[^{}]*\}))?'*\s*(?:\([^()=<>]{1,20}\))?|[A-Z]{2,4}"
    r"|\|[A-Z]{2}\||(?:\\angle|\\triangle|\\overline|\\vec|S_|V_|m\s*\\angle)"
    r"\s*\{?\s*[A-Za-z]{1,4}\s*\}?|S_\{[^{}]*\}\s*:\s*S|\\frac\s*\{[A-Z]{1,2}\}\s*\{[A-Z]{1,2}\}"
    r"|[A-Z]\s*:\s*[A-Z]|\([a-z](?:\s*,\s*[a-z])+\)|[a-zA-Z][a-zA-Z ]{2,40})"
    r"\s*(?:=(?!=)|\\in(?![a-zA-Z])|:\s*(?=[-\d\\]))\s*"
)
# `the left one`
_ONLY_WORDS = re.compile(r"^[^\W\d_][^\d\\=+*/^<>]*$")


def compare(
    gold: str,
    found: str,
    *,
    kind: str | None = None,
    unit: str | None = None,
    precision: int | None = None,
) -> Outcome:
    """Compare two answers, gold first.

    Args:
        gold: the right answer.
        found: the answer found in a response.
        kind: `integer`, `float`, `number`, `expression`, `set`, `list`, `text`, or None if unknown.
        unit: the unit the problem asks for.
        precision: digits after the point to which a float counts.

    Returns:
        The outcome; `equal` is None if only SymPy can decide.
    """
    # The same text, clock times, and declared text.
    left, right = _tidy(gold), _tidy(found)
    if not right:
        return Outcome(False, "empty")
    joined = left.replace(" ", "") == right.replace(" ", "")
    if left == right or (joined and not _SPACED_DIGITS.search(left + "|" + right)):
        return Outcome(True, "same_text")
    clock = _compare_clock(left, right)
    if clock is not None:
        return clock
    if kind == "text":
        return _compare_text(left, right)
    # Relations, then single numbers.
    named_left, named_right = _value_of(left), _value_of(right)
    if named_left is None or named_right is None:
        return _compare_relations(left, right, unit, precision)
    (first_name, left), (second_name, right) = named_left, named_right
    a, b = _quantity_or_ratio(left), _quantity_or_ratio(right)
    if a is not None and b is not None:
        if len(first_name) == 1 and second_name and first_name != second_name:
            return Outcome(False, "different_name")
        return _compare_quantities(a, b, unit, precision)
    # Lists; `3,14` may be a decimal number instead.
    first, second = read_collection(left), read_collection(right)
    both_math = _may_be_math(left) and _may_be_math(right)
    if first is not None or second is not None:
        comma = _decimal_comma(a, b, left, right)
        if comma is not None:
            return comma
        if first is not None and second is not None:
            return _compare_collections(first, second, kind, unit, precision)
        if (first is not None and b is not None) or (second is not None and a is not None):
            return Outcome(False, "different_count")
        return UNDECIDED if both_math else Outcome(False, "different")
    # A number against anything else, words, expressions.
    if (a is not None and _no_single_number(right)) or (b is not None and _no_single_number(left)):
        return Outcome(False, "different")
    if _ONLY_WORDS.match(left) or _ONLY_WORDS.match(right):
        words = _compare_text(left, right)
        if words.equal or not both_math:
            return words
    return _compare_expressions(left, right)


_SPACED_DIGITS = re.compile(r"\d\s+\d")
"""Here a space counts: 2 1/3 is not 21/3."""


def _tidy(text: str) -> str:
    text = plain_math(text).strip().rstrip(" .")
    text = re.sub(r"^\\boxed\s*\{(.*)\}$", r"\1", text)
    return text.strip().lstrip(" ;,:").rstrip(" .;,:")


def _value_of(text: str) -> tuple[str, str] | None:
    """Split `x = 5` into its name and value. A relation that is no such definition gives None."""
    exact = text.split("\\approx")[0]
    text, name = exact if "=" in exact else text.lstrip().removeprefix("\\approx"), ""
    match = _NAME.match(text)
    if match is not None and match.end() < len(text):
        name = text[: match.end()].strip().rstrip("=:").strip().removesuffix("\\in").strip()
        text = text[match.end() :]
    if "=" in text and not re.search(r"[,;]|\band\b|\bor\b", text):
        sides = [side.strip() for side in re.split(r"(?<![<>!])=", text) if side.strip()]
        if len(sides) < 2 or read_quantity(sides[-1]) is None:
            return None
        if not name and read_quantity(sides[0]) is None:
            return None
        text = sides[-1]
    if re.search(r"[<>]|\\(?:le|ge|ne|equiv|sim|mid|subset|cong|perp|parallel)(?![a-zA-Z])", text):
        return None
    return name, text.strip()


def _compare_clock(left: str, right: str) -> Outcome | None:
    first, second = _CLOCK.match(left), _CLOCK.match(right)
    if first is None or second is None:
        return None
    same_minutes = first.group(2) == second.group(2)
    hours = [int(first.group(1)), int(second.group(1))]
    halves = [(match.group(3) or "").lower() for match in (first, second)]
    if all(halves) and halves[0] != halves[1]:
        return Outcome(False, "different_time")
    for index, half in enumerate(halves):
        if half and (hours[1 - index] > 12 or hours[1 - index] == 0):
            hours[index] = hours[index] % 12 + (12 if half == "p" else 0)
    equal = same_minutes and hours[0] == hours[1]
    return Outcome(equal, "same_time" if equal else "different_time")


def _quantity_or_ratio(text: str) -> Quantity | None:
    """Read a quantity, or `7:32` as the fraction 7/32."""
    quantity, match = read_quantity(text), _RATIO.match(text)
    if quantity is not None or match is None:
        return quantity
    above, below = read_quantity(match.group(1)), read_quantity(match.group(2))
    if above is None or below is None or not below.value:
        return None
    exact = above.exact / below.exact if above.exact is not None and below.exact else None
    return Quantity(exact, above.value / below.value, ("/", above.tree, below.tree), None)


def _compare_quantities(
    gold: Quantity, found: Quantity, unit: str | None, precision: int | None
) -> Outcome:
    wanted = gold.unit or (read_unit(unit) if unit else None)
    scale = Fraction(1)
    percents = [part is not None and part.dimension == "percent" for part in (wanted, found.unit)]
    if wanted is not None and found.unit is not None and not any(percents):
        if wanted.dimension != found.unit.dimension:
            return Outcome(False, "unit_contradicts")
        scale = found.unit.size / wanted.size
    outcome = _compare_values(gold, found, scale, precision)
    if not outcome.equal and percents[0] != percents[1]:
        scale = Fraction(1, 100) if percents[1] else Fraction(100)
        if _compare_values(gold, found, scale, precision).equal:
            return Outcome(True, "same_percent")
    return outcome


def _compare_values(
    gold: Quantity, found: Quantity, scale: Fraction, precision: int | None
) -> Outcome:
    # The same value, exactly or to eleven digits.
    exact = None if found.exact is None else found.exact * scale
    if gold.exact is not None and exact is not None:
        if gold.exact == exact:
            return Outcome(True, "same_number")
        distance = abs(gold.exact - exact)
        difference = float(distance) if distance < 10**300 else float("inf")
    else:
        value = found.value * float(scale)
        difference = abs(gold.value - value)
        if difference <= algebra.RELATIVE_TOLERANCE * max(abs(gold.value), abs(value)):
            return Outcome(True, "same_value")
    if precision is not None:
        same = difference <= _half_unit(precision)
        return Outcome(same, "same_rounded" if same else "different_number")
    # One is the other, rounded to two digits or more.
    wanted, given = gold.decimals, found.decimals
    longer = wanted is not None and wanted >= 2 and (given is None or given > wanted)
    if longer and difference <= _half_unit(wanted or 0):
        return Outcome(True, "rounds_to_gold")
    endless = wanted is None and not _terminates(gold.exact)
    if endless and given is not None and given >= 2 and difference <= _half_unit(given) * scale:
        return Outcome(True, "gold_rounds_to_it")
    return Outcome(False, "different_number")


def _half_unit(decimals: int) -> float:
    """Return half a unit of the last decimal, and a little more for the rounding of floats."""
    return 0.5 * 10.0**-decimals * (1 + 1e-9)


def _terminates(value: Fraction | None) -> bool:
    if value is None:
        return False
    below = value.denominator
    for prime in (2, 5):
        while below % prime == 0:
            below //= prime
    return below == 1


def _decimal_comma(a: Quantity | None, b: Quantity | None, left: str, right: str) -> Outcome | None:
    """Read `3,14` as a decimal number where the other side is one."""
    for quantity, text in ((a, right), (b, left)):
        if quantity is not None and re.fullmatch(r"[-+]?\d+,\d+", text):
            other = read_quantity(text.replace(",", "."))
            if other is not None and other.exact == quantity.exact:
                return Outcome(True, "decimal_comma")
    return None


def _compare_collections(
    gold: Collection, found: Collection, kind: str | None, unit: str | None, precision: int | None
) -> Outcome:
    """Compare lists: as many items, each with its partner, in order if the brackets are ordered."""
    if len(gold.items) != len(found.items):
        return Outcome(False, "different_count")
    both = gold.brackets and found.brackets and "{" not in gold.brackets + found.brackets
    if kind not in ("list", "set") and both and gold.brackets != found.brackets:
        return Outcome(False, "different_brackets")
    undecided = False
    remaining = list(found.items)
    for item in gold.items:
        for candidate in remaining[:1] if gold.ordered or found.ordered else remaining:
            outcome = compare(item, candidate, unit=unit, precision=precision)
            if outcome.equal:
                remaining.remove(candidate)
                break
            undecided = undecided or outcome.equal is None
        else:
            return UNDECIDED if undecided else Outcome(False, "different_items")
    return Outcome(True, "same_items")


def _compare_text(left: str, right: str) -> Outcome:
    first, second = (re.sub("[ -]", "", plain_text(text)) for text in (left, right))
    same = first == second
    if not same:
        a, b = read_quantity(left), read_quantity(right)
        same = a is not None and b is not None and a.exact is not None and a.exact == b.exact
    return Outcome(same, "same_text" if same else "different_text")


def _may_be_math(text: str) -> bool:
    return (
        re.search(r"\d|\\[a-zA-Z]|[=<>^_|+*/]|(?<![^\W\d_])[a-zA-Z](?![^\W\d_])", text) is not None
    )


_NO_NUMBER = re.compile(r"^[-+]?\s*\\(?:infty|emptyset|varnothing)$")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
_MATH_NAMES = (
    "sqrt frac sin cos tan cot sec csc log exp abs arcsin arccos arctan pow mod gcd lcm max min"
    " times plus minus over divided squared cubed root power"
)
_MATH_WORDS = set(_MATH_NAMES.split())


def _no_single_number(text: str) -> bool:
    """Return True for infinity, and for words around no number or several, as in `from 13 to 20`.

    SymPy would take the last number that it sees. Words beside one number (`1/2 of the pizza`), and
    words of arithmetic leave the question open.
    """
    if _NO_NUMBER.match(text):
        return True
    parts, start = [], 0
    for word in _WORD.finditer(text):
        name = word.group().lower()
        if name not in _MATH_WORDS and read_unit(name) is None:
            parts.append(text[start : word.start()])
            start = word.end()
    numbers = sum(re.search(r"\d", part) is not None for part in [*parts, text[start:]])
    return bool(parts) and (numbers > 1 or (numbers == 0 and "\\" not in text))


def _compare_expressions(left: str, right: str) -> Outcome:
    first, second = read_expression(left), read_expression(right)
    if first is not None and second is not None:
        return _outcome(algebra.equal(first, second), "expression")
    if not (_may_be_math(left) and _may_be_math(right)):
        return Outcome(False, "different")
    return UNDECIDED


def _outcome(equal: bool | None, noun: str) -> Outcome:
    if equal is None:
        return UNDECIDED
    return Outcome(equal, f"same_{noun}" if equal else f"different_{noun}")


def _compare_relations(left: str, right: str, unit: str | None, precision: int | None) -> Outcome:
    """Compare an equation with another, or with a number; other relations are left to SymPy."""
    both = left + right
    sides = [
        [side.strip() for side in re.split(r"(?<![<>!])=", text) if side.strip()]
        for text in (left, right)
    ]
    a, b = read_quantity(left), read_quantity(right)
    # A number differs from an equation of which no side is that number.
    if not re.search(r"[<>,;]|\\(?:le|ge|ne|pm|in)(?![a-zA-Z])|\b(?:and|or)\b", both):
        number = a if len(sides[0]) == 1 else b
        if number is not None and sorted(len(part) > 1 for part in sides) == [False, True]:
            pairs = [(read_quantity(x), read_quantity(y)) for x in sides[0] for y in sides[1]]
            if not any(
                x and y and _compare_quantities(x, y, unit, precision).equal for x, y in pairs
            ):
                return Outcome(False, "different")
    # Two equations with polynomials on all sides.
    if not re.search(r"[<>]|\\(?:le|ge|ne)(?![a-zA-Z])", both) and len(sides[0] + sides[1]) == 4:
        trees = [[read_expression(side) for side in part] for part in sides]
        if all(len(pair) == 2 and None not in pair for pair in trees):
            differences = [("+", pair[0], ("-", pair[1])) for pair in trees]
            same = algebra.proportional(differences[0], differences[1])  # type: ignore[arg-type]
            if same is not None:
                return _outcome(same, "equation")
    if (a is not None or b is not None) and not (_may_be_math(left) and _may_be_math(right)):
        return Outcome(False, "different")
    return UNDECIDED
