"""Short expressions: `3+4*5`, `2*(3+4)`, `3x+7`, `6/8`, read exactly and worked out.

An expression is read into a tree of atoms and operations. An atom is a number, a letter, or a
number with a letter (`3x`). A letter stands for one number of a world (see `LETTERS`), so that two
expressions are equal if they are equal in every world.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

LETTERS = (Fraction(1009), Fraction(2003), Fraction(3001))
"""What a letter stands for in the problem itself and in its twins (`mathse.figures.twins`)."""

# `12`, `3x`, `x`, `+`, `(`
_TOKEN = re.compile(r"\d+[a-z]?|[a-z](?![a-z])|[-+*/()]")
_DEPTH_MAX = 12
_TOKENS_MAX = 60


class NotAnExpression(ValueError):
    """A text that cannot be read as an expression of numbers, letters and + - * / ( )."""


@dataclass(frozen=True)
class Atom:
    """A number, a letter, or a number with a letter."""

    text: str


@dataclass(frozen=True)
class Operation:
    """Two expressions and one of + - * /."""

    sign: str
    left: Expression
    right: Expression


Expression = Atom | Operation


def read(text: str) -> Expression:
    """Read an expression whole.

    Raises:
        NotAnExpression: something is left over, or missing.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text or not 0 < len(tokens) <= _TOKENS_MAX:
        raise NotAnExpression(text)
    tree, rest = _sum(tokens, 0, 0)
    if rest != len(tokens):
        raise NotAnExpression(text)
    return tree


def value(tree: Expression, world: int = 0) -> Fraction:
    """Work an expression out; raise ZeroDivisionError where it divides by zero."""
    if isinstance(tree, Atom):
        digits = tree.text.rstrip("abcdefghijklmnopqrstuvwxyz")
        number = Fraction(int(digits)) if digits else Fraction(1)
        return number if digits == tree.text else number * LETTERS[world]
    one, two = value(tree.left, world), value(tree.right, world)
    return apply(tree.sign, one, two)


def apply(sign: str, one: Fraction, two: Fraction) -> Fraction:
    """Apply one of + - * / to two numbers."""
    if sign == "+":
        return one + two
    if sign == "-":
        return one - two
    return one * two if sign == "*" else one / two


def atoms(tree: Expression) -> Iterator[Atom]:
    """Yield the atoms from left to right."""
    if isinstance(tree, Atom):
        yield tree
    else:
        yield from atoms(tree.left)
        yield from atoms(tree.right)


def addends(tree: Expression) -> list[Expression]:
    """Return the parts of a pure sum, the whole if it is none: `2*3+4+5` has three."""
    if isinstance(tree, Operation) and tree.sign == "+":
        return [*addends(tree.left), *addends(tree.right)]
    return [tree]


def work_out(text: str) -> str:
    """Return an expression's result in its usual form: `17`, `3/4`, `15x`.

    Raises:
        NotAnExpression: the text is none, or its result has more than one term.
    """
    tree = read(text)
    result, other = value(tree, 0), value(tree, 1)
    letter = next((c for c in text if c.isalpha()), "")
    if letter and result != other:
        factor = result / LETTERS[0]
        if factor != other / LETTERS[1] or factor.denominator != 1:
            raise NotAnExpression(f"{text} has several terms")
        return letter if factor == 1 else f"{factor.numerator}{letter}"
    if result.denominator == 1:
        return str(result.numerator)
    return f"{result.numerator}/{result.denominator}"


def _sum(tokens: list[str], at: int, depth: int) -> tuple[Expression, int]:
    tree, at = _product(tokens, at, depth)
    while at < len(tokens) and tokens[at] in "+-":
        sign = tokens[at]
        right, at = _product(tokens, at + 1, depth)
        tree = Operation(sign, tree, right)
    return tree, at


def _product(tokens: list[str], at: int, depth: int) -> tuple[Expression, int]:
    tree, at = _atom(tokens, at, depth)
    while at < len(tokens) and tokens[at] in "*/":
        sign = tokens[at]
        right, at = _atom(tokens, at + 1, depth)
        tree = Operation(sign, tree, right)
    return tree, at


def _atom(tokens: list[str], at: int, depth: int) -> tuple[Expression, int]:
    if at >= len(tokens) or depth > _DEPTH_MAX:
        raise NotAnExpression("".join(tokens))
    token = tokens[at]
    if token == "(":
        tree, at = _sum(tokens, at + 1, depth + 1)
        if at >= len(tokens) or tokens[at] != ")":
            raise NotAnExpression("".join(tokens))
        return tree, at + 1
    if token == "-":  # a negative number: 0 less it
        tree, at = _atom(tokens, at + 1, depth + 1)
        return Operation("-", Atom("0"), tree), at
    if token in "+*/)":
        raise NotAnExpression("".join(tokens))
    return Atom(token), at + 1
