"""Compare two answers by their types. A named rule decides; `None` says that no rule can."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from fractions import Fraction

from mathse.answers import algebra
from mathse.answers.compare_numbers import UNDECIDED, Asked, Outcome, compare_terms
from mathse.answers.expressions import Tree
from mathse.answers.families import compare_families, matched
from mathse.answers.number_words import NUMBER_WORD
from mathse.answers.plain import plain_math, plain_text
from mathse.answers.read import ratio_as_number, read_number, read_value
from mathse.answers.real_sets import as_reals, same_reals
from mathse.answers.units import read_unit
from mathse.answers.values import (
    Group,
    Matrix,
    Moment,
    Named,
    Ratio,
    Reals,
    Relation,
    Term,
    Value,
    Words,
)

# `\boxed{5}` as the whole answer
_BOX = re.compile(r"^\\boxed\s*\{(.*)\}$", re.S)
_SPACED_DIGITS = re.compile(r"\d\s+\d")
"""Here a space counts: 2 1/3 is not 21/3."""


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
        kind: the type of gold, where the problem declares it; only `text` changes the rules.
        unit: the unit the problem asks for.
        precision: digits after the point to which a number counts.

    Returns:
        The outcome; undecided for the reason `unread` if one of the two was not read.
    """
    gold, found = (_BOX.sub(r"\1", text.strip().rstrip(" .")) for text in (gold, found))
    left, right = (plain_math(text).lstrip(" ;,:*").rstrip(" .;,:*") for text in (gold, found))
    if not right:
        return Outcome(False, "empty")
    joined = left.replace(" ", "") == right.replace(" ", "")
    # Equal texts and equal words need no reading.
    if left == right or (joined and not _SPACED_DIGITS.search(left + "|" + right)):
        return Outcome(True, "same_text")
    if kind == "text" and _same_words(left, right):
        return Outcome(True, "same_words")
    first, second = read_value(gold), read_value(found)
    if kind == "text" and (first is None or second is None):
        return Outcome(False, "different_words")
    # What was not read stays undecided, but for texts and for sentences with other numbers alone.
    if first is None or second is None:
        if isinstance(first, Term) and second is None and _states_others(right, first):
            return Outcome(False, "states_other_numbers")
        # `53_8`, `x = 101_2`
        digits_below = re.search(r"(?:^|[\s=({])\d+\s*_", left + "|" + right)
        return Outcome(None, "base" if digits_below else "unread")
    # Two values that were read. Where they differ, `3,14` may still be a decimal number.
    asked = Asked(read_unit(unit) if unit else None, precision)
    outcome = same_value(first, second, asked)
    if outcome.equal is None and kind == "text":
        return Outcome(False, "different_words")
    if not outcome.equal and (decimal := _decimal_comma(left, right, asked)):
        return decimal
    return outcome


# words and signs of arithmetic, as in `3 times 4`: what they state is to be computed
_ARITHMETIC = re.compile(
    r"[\\^_=]|\b(?:times|plus|minus|over|divided|squared|cubed|power|root|half|dozen|hundred)\b"
)


def _states_others(text: str, gold: Term) -> bool:
    """Return True if a sentence holds numbers, and none of them is gold."""
    # three letters in a row: `are`
    if not gold.is_number or _ARITHMETIC.search(text) or not re.search(r"[^\W\d_]{3}", text):
        return False
    # `12`, `1,234.5`, `3/4`
    numbers = [read_value(number) for number in re.findall(r"\d[\d.,]*(?:/\d+)?", text)]
    values = [number.value for number in numbers if isinstance(number, Term)]
    return len(values) == len(numbers) > 0 and gold.value not in values


# `3,14`, but not `3,140`
_COMMA = re.compile(r"[-+]?(?:0,\d+|\d+,(?!\d{3}$)\d+)")


def _decimal_comma(left: str, right: str, asked: Asked) -> Outcome | None:
    """Read `3,14` as a decimal number where the other side is one."""
    commas = [_COMMA.fullmatch(text) is not None for text in (left, right)]
    if commas[0] == commas[1]:
        return None
    texts = (
        text.replace(",", ".") if comma else text
        for text, comma in zip((left, right), commas, strict=True)
    )
    a, b = map(read_number, texts)
    same = a and b and compare_terms(a, b, Asked(asked.unit)).reason == "same_number"
    return Outcome(True, "decimal_comma") if same else None


def same_value(gold: Value, found: Value, asked: Asked) -> Outcome:
    """Compare two values that were read."""
    if isinstance(gold, Term) and isinstance(found, Term) and gold.is_number and found.is_number:
        return compare_terms(gold, found, asked)
    for view in (compare_families, _names, _reals, _matrices, _ratios):
        outcome = view(gold, found, asked)
        if outcome is not None:
            return outcome
    return _by_type(gold, found, asked)


def _by_type(gold: Value, found: Value, asked: Asked) -> Outcome:
    rule = _RULES.get((type(gold), type(found)))
    if rule is not None:
        return rule(gold, found, asked)
    if isinstance(gold, Relation) or isinstance(found, Relation):
        return _solved(gold, found)
    if isinstance(gold, Words) or isinstance(found, Words):
        return _words_and_value(gold, found)
    return Outcome(False, "_and_".join(type(value).__name__.lower() for value in (gold, found)))


# Views: what one value is in the other's type.


# `f(x)`: a function's name and its argument
_FUNCTION = re.compile(r"([a-zA-Z]\w*)\(([a-zA-Z])\)")


def _names(gold: Value, found: Value, asked: Asked) -> Outcome | None:
    """Compare by names: `x = 5` is 5 but not `y = 5`; `f(x) = 2x` is `f(t) = 2t`."""
    sides = (gold, found)
    if Named not in map(type, sides):
        return None
    if Relation in map(type, sides):
        relations = [
            Relation(("=",), (("v", side.name), side.value.tree))
            if isinstance(side, Named) and isinstance(side.value, Term)
            else side
            for side in sides
        ]
        if all(isinstance(side, Relation) for side in relations):
            return same_value(relations[0], relations[1], asked)
    left, right = (side.name if isinstance(side, Named) else "" for side in sides)
    a, b = (side.value if isinstance(side, Named) else side for side in sides)
    if left and right and left != right:
        functions = [_FUNCTION.fullmatch(name) for name in (left, right)]
        one, two = (match.groups() if match else ("", "") for match in functions)
        if one[0] and one[0] == two[0]:
            if isinstance(a, Term) and isinstance(b, Term):
                a = Term(algebra.substituted(a.tree, one[1], ("v", two[1])))
        elif not _may_be_one_name(left, right, functions):
            known = len(left) <= 2 and len(right) <= 2 and left.islower() and right.islower()
            if same_value(a, b, asked).equal is False:
                return Outcome(False, "different_value")
            return Outcome(False if known or "(" in left + right else None, "different_name")
    return same_value(a, b, asked)


def _may_be_one_name(left: str, right: str, functions: list[re.Match[str] | None]) -> bool:
    """Return True if two names can stand for one thing: `y` and `f(x)`, `x` and `x_1`."""
    if "y" in (left, right) and any(functions):
        return True
    # `_1` of `x_1`, `'` of `f'`, `\mathrm`
    bases = [re.sub(r"[_'|].*|\\mathrm", "", name.strip("|")) for name in (left, right)]
    return bases[0] == bases[1] and ("_" not in left or "_" not in right)


def _reals(gold: Value, found: Value, asked: Asked) -> Outcome | None:
    """Compare sets of reals: intervals, inequalities, unions."""
    if not isinstance(gold, Reals) and not isinstance(found, Reals):
        return None
    left, right = as_reals(gold), as_reals(found)
    if left is None or right is None:
        return _words_and_value(gold, found) if Words in (type(gold), type(found)) else UNDECIDED
    if left.name and right.name and left.name != right.name and len(left.name + right.name) == 2:
        return Outcome(False, "different_name")
    same = same_reals(left, right)
    return Outcome(same, "same_set" if same else "different_set")


def _matrices(gold: Value, found: Value, asked: Asked) -> Outcome | None:
    """Compare matrices entry by entry; a tuple is a row or a column, too."""
    sides = [
        side.rows if isinstance(side, Matrix) else tuple((item,) for item in side.items)
        for side in (gold, found)
        if isinstance(side, Matrix) or (isinstance(side, Group) and side.ordered)
    ]
    if Matrix not in (type(gold), type(found)) or len(sides) < 2:
        return None
    if type(gold) is not type(found):  # a row becomes a column
        sides = [tuple(zip(*rows, strict=True)) if len(rows) == 1 else rows for rows in sides]
    if [*map(len, sides[0])] != [*map(len, sides[1])]:
        return Outcome(False, "different_shape")
    first, second = ([*itertools.chain(*rows)] for rows in sides)
    return _items(first, second, True, asked)


def _ratios(gold: Value, found: Value, asked: Asked) -> Outcome | None:
    """Compare a ratio with a number: `20:3` is 20/3. A time may be a ratio: `3:20`."""
    if Ratio not in (type(gold), type(found)) and {type(gold), type(found)} != {Moment, Term}:
        return None
    sides: list[Value | None] = [
        side.ratio or side if isinstance(side, Moment) else side for side in (gold, found)
    ]
    if Term in map(type, sides):
        sides = [ratio_as_number(side) if isinstance(side, Ratio) else side for side in sides]
    first, second = sides
    if first is None or second is None:
        return Outcome(False, "ratio_and_number")
    return _by_type(first, second, asked)


# Rules by type.


def _names_all(named: dict[str, Value], group: Group) -> bool:
    """Return True if items have names of their own: `x` and `y`, but not `x_1` and `x_2`."""
    return len({name.partition("_")[0] for name in named}) == len(group.items) > 1


_INTERVALS = {"[]", "[)", "(]"}


def _groups(gold: Group, found: Group, asked: Asked) -> Outcome:
    """Compare lists: as many items, each with its partner, in order if the brackets are ordered."""
    left, right = (
        {item.name: item.value for item in side.items if isinstance(item, Named) and item.name}
        for side in (gold, found)
    )
    if len(left) == len(gold.items) and len(right) == len(found.items):
        return _systems(left, right, asked)
    if len(gold.items) != len(found.items):
        return Outcome(False, "different_count")
    if _names_all(left, gold) and not right:
        return _items(gold.items, found.items, True, asked)  # `x = 3, y = 4` is 3, 4, not 4, 3
    if _names_all(right, found) and not left:
        # The names of gold are not known: other values differ, another order may be the same.
        outcomes = [_items(gold.items, found.items, order, asked) for order in (True, False)]
        return outcomes[0] if outcomes[0].equal or not outcomes[1].equal else UNDECIDED
    if "{}" in (gold.brackets, found.brackets) and {gold.brackets, found.brackets} & _INTERVALS:
        return Outcome(False, "different_brackets")
    both = gold.ordered and found.ordered
    if both and gold.brackets != found.brackets and "<>" not in (gold.brackets, found.brackets):
        return Outcome(False, "different_brackets")
    ordered = gold.ordered or found.ordered
    return _items(gold.items, found.items, ordered, asked)


def _items(gold: Sequence[Value], found: Sequence[Value], ordered: bool, asked: Asked) -> Outcome:
    outcomes: list[Outcome] = []

    def same(a: Value, b: Value) -> bool:
        outcomes.append(same_value(a, b, asked))
        return bool(outcomes[-1].equal)

    if ordered:
        paired = all([same(a, b) for a, b in zip(gold, found, strict=True)])
        known = any(outcome.equal is False for outcome in outcomes)
    else:
        paired = matched(gold, found, same)
        known = all(outcome.equal is not None for outcome in outcomes)
    if paired:
        return Outcome(True, "same_items")
    return Outcome(False, "different_items") if known else UNDECIDED


def _systems(left: dict[str, Value], right: dict[str, Value], asked: Asked) -> Outcome:
    """Compare `x = 1, y = 2` with `y = 2, x = 1`: each name has its value."""
    if set(left) != set(right):
        known = len(left) != len(right) or not "".join([*left, *right]).strip("xyzabc_0123456789")
        return Outcome(False if known else None, "different_names")
    names = sorted(left)
    return _items([left[name] for name in names], [right[name] for name in names], True, asked)


_FLIPPED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}


def _relations(gold: Relation, found: Relation, asked: Asked) -> Outcome:
    flipped = tuple(_FLIPPED.get(sign, sign) for sign in found.signs[::-1])
    ways = [(found.signs, found.sides), (flipped, found.sides[::-1])]
    for signs, sides in ways[:1] if "\\in" in flipped else ways:
        if signs == gold.signs and all(map(algebra.equal, gold.sides, sides)):
            return Outcome(True, "same_relation")
    if gold.signs == found.signs == ("=",):
        same = algebra.proportional(_difference(gold), _difference(found))
        if same is not None:
            return Outcome(same, "same_equation" if same else "different_equation")
    return UNDECIDED


def _difference(relation: Relation) -> Tree:
    return ("+", relation.sides[0], ("-", relation.sides[1]))


def _solved(gold: Value, found: Value) -> Outcome:
    """Compare an equation with the value of the one letter that it is solved for."""
    relation, other = (gold, found) if isinstance(gold, Relation) else (found, gold)
    if not isinstance(relation, Relation) or not isinstance(other, Term):
        return UNDECIDED
    if set(relation.signs) != {"="}:
        return UNDECIDED
    given = algebra.letters(other.tree)
    unknowns = frozenset().union(*map(algebra.letters, relation.sides))
    if given >= unknowns or len(unknowns) > 1 > len(given):
        equal = [algebra.equal(side, other.tree) for side in relation.sides]
        same = True if all(equal) else None if None in equal or any(equal) else False
        return Outcome(same, "same_sides" if same else "different_sides")
    if len(relation.signs) > 1 or len(unknowns - given) != 1:
        return Outcome(None, "equation_and_value")
    # It is linear in that letter, and the value makes both sides equal.
    [letter] = unknowns - given
    difference = _difference(relation)
    zero, one, two = (
        algebra.substituted(difference, letter, ("n", Fraction(number))) for number in (0, 1, 2)
    )
    solved = algebra.substituted(difference, letter, other.tree)
    linear = algebra.equal(("+", zero, two), ("*", ("n", Fraction(2)), one))
    if linear and algebra.equal(solved, ("n", Fraction(0))):
        return Outcome(True, "solves_equation")
    return Outcome(None, "equation_and_value")


def _ratio_rule(gold: Ratio, found: Ratio, asked: Asked) -> Outcome:
    if len(gold.terms) != len(found.terms):
        return Outcome(False, "different_count")
    (a, *first), (b, *second) = ([term.tree for term in side.terms] for side in (gold, found))
    pairs = zip(first, second, strict=True)  # a : c = b : d
    equal = [algebra.equal(("*", a, d), ("*", b, c)) for c, d in pairs]
    if all(equal):
        return Outcome(True, "same_ratio")
    return Outcome(False if False in equal else None, "different_ratio")


def _moments(gold: Moment, found: Moment, asked: Asked) -> Outcome:
    """Compare times or dates; a part that one of them leaves open may be any."""
    same = len(gold.parts) == len(found.parts) and all(
        a == b or None in (a, b) for a, b in zip(gold.parts, found.parts, strict=True)
    )
    return Outcome(same, "same_time" if same else "different_time")


MAX_NAME_WORDS = 3
"""Longer texts may say the same in other words: that they differ is not known."""


def _words(gold: Words, found: Words, asked: Asked) -> Outcome:
    if _same_words(gold.text, found.text):
        return Outcome(True, "same_words")
    return Outcome(False if _are_short(gold, found) else None, "different_words")


def _are_short(*values: Value) -> bool:
    return all(len(v.text.split()) <= MAX_NAME_WORDS for v in values if isinstance(v, Words))


def _same_words(left: str, right: str) -> bool:
    yes_no = [plain_text(text).split(",")[0].split(" ")[0] for text in (left, right)]
    if plain_text(left) in ("yes", "no"):
        return yes_no[0] == yes_no[1]
    first, second = (
        # `red, blue and dark-green` gives `red`, `blue`, `darkgreen`
        sorted(re.sub("[ -]", "", part) for part in re.split(r",|、|\band\b|和", plain_text(text)))
        for text in (left, right)
    )
    return first == second and any(first)


# `twenty`, `half`, `三`
_NUMBER_WORDS = re.compile(
    rf"\b(?:{NUMBER_WORD}|half|third|quarter|none|no)|[零一二两三四五六七八九十百半]"
)


def _words_and_value(gold: Value, found: Value) -> Outcome:
    """A number is no bare word; sentences may hold the number in words."""
    number = isinstance(found, Words) and isinstance(gold, Term) and gold.is_number
    if number and not _NUMBER_WORDS.search(plain_text(found.text)):  # type: ignore[union-attr]
        return Outcome(False, "states_no_number")
    return Outcome(False if _are_short(gold, found) else None, "words_and_value")


_RULES: dict[tuple[type, type], Callable[..., Outcome]] = {
    (Term, Term): compare_terms,
    (Group, Group): _groups,
    (Relation, Relation): _relations,
    (Ratio, Ratio): _ratio_rule,
    (Moment, Moment): _moments,
    (Words, Words): _words,
}
