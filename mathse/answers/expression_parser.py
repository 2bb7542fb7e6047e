r"""Read one mathematical expression, LaTeX or plain, into a tree.

The grammar: numbers, letters, the four operations, powers, roots, fractions, factorials, absolute
values, elementary functions. Relations, sets, matrices, sums and integrals are for SymPy. Reading
is linear in the length of the text and bounded in depth.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Union

Tree = Union[  # noqa: UP007  (a recursive alias cannot be written with | at run time)
    tuple[str, Fraction], tuple[str, str], tuple[str, "Tree"], tuple[str, "Tree", "Tree"]
]
"""`("n", value)`, `("v", name)`, `("-", a)`, `("+", a, b)` (or `*`, `/`, `^`), `("sin", a)`."""

MAX_CHARS = 600
MAX_DEPTH = 40

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?|\.\d+)|(?P<command>\\[a-zA-Z]+)|(?P<word>[a-zA-Z]+)"
    r"|(?P<op>\*\*|[-+*/^_!%°(){}\[\]|']))"
)
_FUNCTION_NAMES = "sin cos tan cot sec csc ln log lg exp arcsin arccos arctan"
_FUNCTIONS = set(_FUNCTION_NAMES.split())
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta kappa lambda mu nu xi rho"
    " sigma tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
)
_GREEK = set(_GREEK_NAMES.split())
# `2\frac{1}{3}`
_MIXED_LATEX = re.compile(
    r"(?<![\d.^{_])(\d+)\s*\\frac\s*(?:\{\s*(\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))"
)
# `2 1/3`, `2 and 1/3`
_MIXED_PLAIN = re.compile(r"(?<![\d.^/])(\d+)(?:\s+|\s*and\s*)(\d+)\s*/\s*(\d+)(?![\d.])")


class Unreadable(ValueError):
    """The text is not an expression of this grammar."""


@lru_cache(maxsize=8192)
def read_expression(text: str) -> Tree | None:
    """Return the tree of an expression in `plain_math` form, or None outside the grammar."""
    if not text or len(text) > MAX_CHARS:
        return None
    text = _MIXED_LATEX.sub(_mixed, text)
    text = _MIXED_PLAIN.sub(_mixed, text)
    try:
        return _Reader(_tokens(text)).whole()
    except (Unreadable, RecursionError):
        return None


def _mixed(match: re.Match[str]) -> str:
    whole, above, below = [group for group in match.groups() if group is not None]
    if int(above) >= int(below):
        return match.group(0)
    return f"({whole}+{above}/{below})"


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    index, text = 0, text.rstrip()
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            raise Unreadable(text[index:])
        index = match.end()
        token = match.group(match.lastgroup or 0)
        if match.lastgroup == "word":
            tokens.extend(_split_word(token))
        else:
            tokens.append("^" if token == "**" else token)
    return tokens


def _split_word(word: str) -> list[str]:
    """Split a word into variables of one letter, unless it spells a function, pi or sqrt."""
    if word in _FUNCTIONS or word in ("pi", "sqrt"):
        return ["\\" + word]
    if len(word) <= 3:
        return list(word)
    for name in ("sqrt", "sin", "cos", "tan", "log", "pi"):
        if word.endswith(name) and len(word) - len(name) <= 2:
            return [*word[: -len(name)], "\\" + name]
    raise Unreadable(word)


_STARTS_ATOM = re.compile(r"\d|\.\d|[a-zA-Z]|\\[a-zA-Z]+|[({]")
_CLOSERS = {"(": ")", "[": "]", "{": "}"}


class _Reader:
    """Recursive descent over a list of tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.index = 0
        self.depth = 0

    def whole(self) -> Tree:
        tree = self.sum()
        if self.index != len(self.tokens):
            raise Unreadable(self.tokens[self.index])
        return tree

    def peek(self) -> str:
        return self.tokens[self.index] if self.index < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise Unreadable("end")
        self.index += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise Unreadable(token)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("depth")

    def sum(self) -> Tree:
        self.deeper()
        tree = self.product()
        while self.peek() in ("+", "-"):
            sign = self.take()
            right = self.product()
            tree = ("+", tree, right if sign == "+" else ("-", right))
        self.depth -= 1
        return tree

    def product(self) -> Tree:
        tree = self.signed()
        while True:
            token = self.peek()
            if token in ("*", "/"):
                self.take()
                tree = (token, tree, self.signed())
            elif token and token not in ("\\pm", "\\mp") and _STARTS_ATOM.match(token):
                if (
                    token[0].isdigit()
                    and self.index > 0
                    and self.tokens[self.index - 1][-1].isdigit()
                ):
                    raise Unreadable("two numbers in a row")
                tree = ("*", tree, self.power())
            else:
                return tree

    def signed(self) -> Tree:
        signs = 0
        while self.peek() in ("+", "-"):
            signs += self.take() == "-"
            if signs > MAX_DEPTH:
                raise Unreadable("signs")
        tree = self.power()
        return ("-", tree) if signs % 2 else tree

    def power(self) -> Tree:
        base = self.atom()
        while True:
            token = self.peek()
            if token == "^":
                self.take()
                base = ("^", base, self.exponent())
            elif token == "!":
                self.take()
                base = ("!", base)
            elif token == "%":
                self.take()
                base = ("/", base, ("n", Fraction(100)))
            elif token == "°":
                self.take()
            else:
                return base

    def exponent(self) -> Tree:
        """Read what follows a caret, perhaps with a sign; powers associate to the right."""
        if self.peek() in ("-", "+"):
            minus = self.take() == "-"
            tree = self.exponent()
            return ("-", tree) if minus else tree
        base = self.argument() if self.peek()[:1].isdigit() else self.atom()
        if self.peek() == "^":
            self.take()
            self.deeper()
            return ("^", base, self.exponent())
        return base

    def argument(self) -> Tree:
        r"""Read an argument of a LaTeX command: a group, or one character (`\frac12` is 1/2)."""
        token = self.peek()
        if token[:1].isdigit() and "." not in token:
            after_caret = self.index > 0 and self.tokens[self.index - 1] == "^"
            if len(token) > 1 and not after_caret:
                self.tokens[self.index] = token[1:]
                return ("n", Fraction(token[0]))
            self.take()
            return ("n", Fraction(token))
        return self.atom()

    def atom(self) -> Tree:
        token = self.take()
        first = token[0]
        if first.isdigit() or first == ".":
            return ("n", Fraction(token))
        if first in _CLOSERS:
            tree = self.sum()
            self.expect(_CLOSERS[first])
            return tree
        if first == "|":
            tree = self.sum()
            self.expect("|")
            return ("abs", tree)
        if first == "\\":
            return self.command(token[1:])
        if first.isalpha():
            return ("v", token + self.subscript())
        raise Unreadable(token)

    def command(self, name: str) -> Tree:
        if name == "frac":
            above = self.argument()
            return ("/", above, self.argument())
        if name == "sqrt":
            degree: Tree = ("n", Fraction(2))
            if self.peek() == "[":
                self.take()
                degree = self.sum()
                self.expect("]")
            root = self.atom() if self.peek()[:1].isdigit() else self.argument()
            return ("^", root, ("/", ("n", Fraction(1)), degree))
        if name == "pi":
            return ("v", "pi")
        if name in _FUNCTIONS:
            return self.function(name)
        if name in _GREEK:
            return ("v", name + self.subscript())
        raise Unreadable(name)

    def function(self, name: str) -> Tree:
        # Powers and bases before the argument, as in `\\sin^2 x` and `\\log_2 x`.
        base: Tree | None = None
        outer: Tree | None = None
        while self.peek() in ("^", "_"):
            if self.take() == "^":
                outer = self.exponent()
            else:
                base = self.argument()
        if name == "lg":
            name, base = "log", ("n", Fraction(10))
        if name == "log" and base is None:
            raise Unreadable("log without a base")
        # The argument goes on, as in `\\sin 2x`, up to a bracket or another function.
        inner = self.signed() if self.peek() in ("-", "+") else self.power()
        while (token := self.peek()) and _STARTS_ATOM.match(token) and token[0] not in "({":
            if token[0] == "\\" and token[1:] in _FUNCTIONS:
                break
            inner = ("*", inner, self.power())
        tree: Tree = (name, inner) if base is None else ("/", ("ln", inner), ("ln", base))
        return tree if outer is None else ("^", tree, outer)

    def subscript(self) -> str:
        name = ""
        if self.peek() == "_":
            self.take()
            if self.peek() == "{":
                self.take()
                parts = []
                while self.peek() != "}":
                    parts.append(self.take())
                self.take()
                name = "_" + "".join(parts)
            else:
                name = "_" + self.take()
        while self.peek() == "'":
            name += self.take()
        return name
