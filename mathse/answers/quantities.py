"""Read one number or expression with what is counted: units, scales, nouns."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction

from mathse.answers import algebra
from mathse.answers.expressions import Token, Tree, Unreadable, number_of, read_expression
from mathse.answers.number_words import number_from_words
from mathse.answers.structure import JOINERS, Tokens
from mathse.answers.units import DEGREE, MINUTES, Unit, read_unit
from mathse.answers.values import Term

# words beside a number that change what it means, so that it is no counted thing
_NO_NOUN_WORDS = (
    "or and not no less more than plus minus times per to between half dozen hundred mod if when"
    " except other either from where for with but then squared cubed halves thirds fourths fifths"
    " quarters tenths hundredths wrong incorrect score percent pct negative above below"
)
_NO_NOUNS = set(_NO_NOUN_WORDS.split())
_SUFFIXES = {"K": "thousand", "M": "million", "B": "billion"}
MAX_UNIT_TOKENS = 16
"""More words beside a number than this are a sentence."""


def read_compound(text: str, tokens: Tokens) -> Term | None:
    """Read a quantity in several units of one kind: `3 h 30 min`, `45°15'30''`, `3元5角`."""
    starts = [n for n, token in enumerate(tokens) if token.kind == "number"]
    lead = starts[0] if starts else len(tokens)
    if len(starts) < 2 or lead > 1 or (lead and tokens[0].text != "-"):
        return None
    total = Fraction(0)
    units: list[Unit] = []
    for first, last in zip(starts, [*starts[1:], len(tokens)], strict=True):
        words = tokens[first + 1 : last]
        if words and words[-1].text in ("and", ",") and last < len(tokens):
            words = words[:-1]
        unit = read_unit(text[words[0].start : words[-1].end]) if words else None
        if unit is not None and words[0].text == "分" and units:
            unit = MINUTES if units[0].dimension == MINUTES.dimension else unit
        if unit is None or (
            units and (unit.dimension, True) != (units[0].dimension, unit.size < units[-1].size)
        ):
            return None
        units.append(unit)
        total += number_of(tokens[first].text)[0] * unit.size
    total = -total / units[0].size if lead else total / units[0].size
    return Term(("n", total), units[0])


def read_term(text: str, tokens: Tokens) -> Term | None:
    """Read one number or expression, with a unit, a scale or a counted thing beside it."""
    if not tokens:
        raise Unreadable("empty term")
    words = number_from_words(text[tokens[0].start : tokens[-1].end])
    if words is not None:
        return Term(("n", words))
    signed = tokens[0].text in ("-", "+") and len(tokens) > 1
    head = tokens[1] if signed else tokens[0]
    if head.text in ("€", "£", "¥", "$", "US", "USD", "RMB"):
        unit = read_unit("USD" if head.text == "US" else head.text)
        amount = read_term(text, tokens[: int(signed)] + tokens[1 + signed :])
        return None if amount is None else replace(amount, unit=amount.unit or unit)
    for index, token in enumerate(tokens[1:], start=1):
        follows = token.kind in ("word", "letter") or token.text in "%°'''$€£¥"
        braced = token.text == "{" and tokens[index - 1].text != "_"
        braced = braced and _is_braced_word(tokens[index:])
        if braced or follows or token.text == "\\Omega":
            rest = (*tokens[:index], *tokens[index + 1 : -1]) if braced else tokens
            if (term := _with_unit(text, rest, index)) is not None:
                return term
    return _plain_term(tokens)


def _plain_term(tokens: Tokens) -> Term | None:
    """Read an expression without words beside it."""
    tree = read_expression(tokens)
    if tree is None:
        return None
    stripped, degrees = _without_degrees(tree)
    decimals, digits = _written(tokens)
    return Term(stripped, DEGREE if degrees else None, decimals, digits)


def _with_unit(text: str, tokens: Tokens, index: int) -> Term | None:
    """Read tokens before an index as a number, those from there on as what is counted."""
    after = tokens[index:]
    if len(after) > MAX_UNIT_TOKENS:
        return None
    touching = after[0].kind == "letter" and not after[0].spaced and after[0].text not in "°%"
    for end in range(len(after), 0, -1):
        if not all(map(_is_noun, after[end:])):
            break
        unit = read_unit(text[after[0].start : after[end - 1].end])
        if touching and end == 1:
            unit = read_unit(_SUFFIXES.get(after[0].text, "")) if len(after) == 1 else None
        tree = read_expression(tokens[:index])
        if unit is None or tree is None or (unit == DEGREE and after[0].text == "°"):
            continue
        if not algebra.letters(tree) or not (after[0].kind == "letter" or after[0].text[0] == "'"):
            decimals, digits = _written(tokens[:index])
            if unit.scale > 1:
                tree = ("*", tree, ("n", Fraction(unit.scale)))
                decimals = None if decimals is None else decimals - len(str(unit.scale)) + 1
            measured = replace(unit, scale=1) if unit.dimension else None
            return Term(_without_degrees(tree)[0], measured, decimals, digits)
    if all(map(_is_noun, after)):
        before = _plain_term(tokens[:index])
        return before if before is not None and before.is_number else None
    return None


def _is_braced_word(tokens: Tokens) -> bool:
    """Return True if this is `{square inches}`."""
    words = tokens[1:-1]
    return tokens[-1].text == "}" and len(words) > 0 and all(t.kind == "word" for t in words)


def _is_noun(token: Token) -> bool:
    """Return True if a word may name a counted thing, or describe it."""
    if token.kind != "word" or token.text.lower() in _NO_NOUNS or token.text in JOINERS:
        return False
    if not token.text.isascii():
        # `或`, `不`, `以上`
        return not re.search("[或且比又分之不以多余]", token.text)
    if len(token.text) < 3:
        return token.text in ("of", "in", "at", "by", "on", "sq", "cu", "st", "nd", "rd", "th")
    # the `a` of `apples`
    return re.search("[aeiou]", token.text) is not None and token.text not in ("sqrt", "sin", "log")


def _without_degrees(tree: Tree) -> tuple[Tree, bool]:
    """Take off the degree signs outside the arguments of functions; True if there were any."""
    if tree[0] == "deg":
        return tree[1], True
    if tree[0] not in ("+", "-", "*", "/"):
        return tree, False
    parts = [_without_degrees(part) for part in tree[1:]]
    return (tree[0], *(part for part, _ in parts)), any(has for _, has in parts)


def _written(tokens: Tokens) -> tuple[int | None, int]:
    r"""Return digits after the point and significant digits of `-3.14`, `2.5 \times 10^{-3}`."""
    tokens = tokens[1:] if tokens[0].text in ("-", "+") else tokens
    if tokens[0].kind != "number":
        return None, 0
    # `3.14e-5` gives `314`
    digits = len(re.sub(r"e.*|\D", "", tokens[0].text.lower()).lstrip("0"))
    decimals = number_of(tokens[0].text)[1]
    rest = "".join(token.text for token in tokens[1:])
    if not rest:
        return decimals, digits
    # `*10^{-3}`
    power = re.fullmatch(r"[*xX]10\^\{?(-?\d{1,3})\}?", rest)
    return (None, 0) if power is None or decimals is None else (decimals - int(power[1]), digits)
