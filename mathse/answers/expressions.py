r"""Read one mathematical expression, LaTeX or plain, into a tree.

The grammar: numbers in any spelling, letters, the four operations, powers, roots, fractions,
factorials, binomials, absolute values, floors, elementary functions, degrees. It is read by
recursive descent, not by a table-driven parser: three of its rules depend on what stands around a
token: products without a sign, arguments of one digit (`\frac12`), mixed numbers (`2 1/3`).
Reading is linear in the length of the text and bounded in depth.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

Tree = tuple[Any, ...]
"""`("n", value)`, `("v", name)`, `("-", a)`, `("+", a, b)` (or `*`, `/`, `^`), `("sin", a)`."""

MAX_CHARS = 2_000
MAX_DEPTH = 40


class Token(NamedTuple):
    """A piece of text: its kind (number, letter, word, command or sign), and where it stands."""

    kind: str
    text: str
    spaced: bool
    start: int = 0
    end: int = 0


class Unreadable(ValueError):
    """The text is not of this grammar."""


_TOKEN = re.compile(
    r"(?P<space>\s*)(?:"
    # `0.1\overline{6}`, `0.\dot{3}`, `0.\dot{1}4\dot{2}`
    r"(?P<periodic>\d+\.\d*\\(?:overline|bar|dot)\s*\{?\d+\}?(?:\d*\\dot\s*\{?\d\}?)?)"
    # `1.234,5`, `1,234,567.8`, `1 234`, `12'345`, `1,00,000`
    r"|(?P<european>\d{1,3}(?:\.\d{3})+,\d+(?![\d,]))"
    r"|(?P<grouped>[1-9]\d{0,2}(?:(?:,\d{3})+(?![\d,])|(?: \d{3})+(?! ?\d)|(?:'\d{3})+(?![\d'])"
    r"|(?:,\d{2})+,\d{3}(?![\d,]))(?:\.\d+)?)"
    # `12`, `3.5`, `.5`, `3e-8`
    r"|(?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE]\s?[-+]?\d+(?![\w.]))?)"
    r"|(?P<command>\\[a-zA-Z]+|\\[|])|(?P<word>[a-zA-Z]{2,})|(?P<letter>[a-zA-Z])"
    r"|(?P<cjk>[万亿]|[\u4e00-\u9fff]+)|(?P<sign>''|[^\s\\]))"
)
_KINDS = {"periodic": "number", "european": "number", "grouped": "number", "cjk": "word"}


@lru_cache(maxsize=8192)
def tokens_of(text: str) -> tuple[Token, ...]:
    """Cut a text in `plain_math` form into tokens.

    Raises:
        Unreadable: if it is too long or a character fits no token.
    """
    if len(text) > MAX_CHARS:
        raise Unreadable("length")
    tokens: list[Token] = []
    index, depth, text = 0, 0, text.rstrip()
    while index < len(text):
        match = _TOKEN.match(text, index)
        if match is None:
            raise Unreadable(text[index:])
        kind = match.lastgroup or ""
        piece, start = match[kind], match.start(kind)
        # Inside brackets and lists a comma separates: (312,123), 19, 1,234.
        if kind in ("grouped", "european") and "," in piece and (depth or ", " in text):
            # `312` of `312,123`
            piece, kind = re.findall(r"\d+(?:\.\d+)?", piece)[0], "number"
        depth += (piece in "([") - (piece in ")]") if len(piece) == 1 else 0
        spaced = start > index or not index
        index = start + len(piece)
        if piece == "." and tokens and tokens[-1].kind == "word":
            continue  # an abbreviation, as in `sq. in.`
        tokens.append(Token(_KINDS.get(kind, kind), piece, spaced, start, index))
    return tuple(tokens)


# `0.1\overline{6}`, `0.\dot{1}4\dot{2}`
_PERIODIC = re.compile(
    r"(\d+\.)(\d*)\\(?:overline|bar|dot)\s*\{?(\d+)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?"
)


def number_of(token: str) -> tuple[Fraction, int | None]:
    """Return the exact value of a number token, and its digits after the point if it has an end."""
    periodic = _PERIODIC.match(token)
    if periodic is not None:
        whole, before, *parts = periodic.groups("")
        period = "".join(parts)
        rest = Fraction(int(period), (10 ** len(period) - 1) * 10 ** len(before))
        return Fraction(whole + before + "0") + rest, None
    # `1.234,5`
    if re.fullmatch(r"\d{1,3}(?:\.\d{3})+,\d+", token):
        token = token.replace(".", "").replace(",", ".")
    # the separator of `1,234`, `12'345`, `1 234`
    token = re.sub(r"[ ,']", "", token)
    digits, _, power = token.lower().partition("e")
    if len(digits) > 1000 or len(power) > 4 or abs(int(power or 0)) > 1000:
        raise Unreadable(token)
    decimals = len(digits.partition(".")[2]) - int(power or 0)
    return Fraction(token), decimals


_FUNCTION_NAMES = "sin cos tan cot sec csc ln log lg exp arcsin arccos arctan arccot"
_FUNCTIONS = set(_FUNCTION_NAMES.split())
_INVERSE = {"sin": "arcsin", "cos": "arccos", "tan": "arctan"}
_GREEK_NAMES = (
    "alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta kappa lambda mu nu xi rho"
    " sigma tau phi varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega"
    " pi ell hbar infty emptyset odot"
)
GREEK = set(_GREEK_NAMES.split())
# names of points, lines and vectors: `\angle ABC`, `\overrightarrow{AB}`
_DECORATIONS = "angle triangle overline vec overrightarrow widehat bar hat odot mathbb"
_DECORATED = set(_DECORATIONS.split())
# what closes a bracket, and the function that it stands for
_BRACKETS = {"(": (")", ""), "[": ("]", ""), "{": ("}", ""), "|": ("|", "abs")}
_BRACKETS |= {"\\lvert": ("\\rvert", "abs"), "\\lfloor": ("\\rfloor", "floor")}
_BRACKETS |= {"\\lceil": ("\\rceil", "ceil")}
_BASES = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9}


# `\\frac{dy}{dx}`, `dy/dx`
_DERIVATIVE = re.compile(r"\\frac\{d.*\}\{d[a-zA-Z\\]|d[a-zA-Z]/d[a-zA-Z]")


def read_expression(tokens: tuple[Token, ...]) -> Tree | None:
    """Return the tree of an expression, or None outside the grammar."""
    if _DERIVATIVE.search("".join(token.text for token in tokens)):
        return None
    try:
        return _Reader(tokens).whole()
    except (Unreadable, RecursionError):
        return None


_PROSE_WORDS = (
    "yes no not is are was be has had the and but or of in on at to it we so if do for all any its"
    " get got use let now our out set too was way who why they this that here there my me us he"
    " by as can see you one two six ten sum top end area side red put odd how cut dot box line"
)
_PROSE = set(_PROSE_WORDS.split())
"""Short words that are no products of letters."""


def _split_word(token: Token) -> list[str]:
    """Split a word into variables of one letter, unless it spells a function, pi or sqrt."""
    word = token.text
    if token.kind != "word" or not word.isascii() or word in _BASES:
        return [word]
    if word in _FUNCTIONS or word in ("pi", "sqrt"):
        return ["\\" + word]
    if word.lower() in _PROSE:
        raise Unreadable(word)
    if len(word) <= 3 or (len(word) == 4 and word.isupper()):
        return list(word)
    for name in ("sqrt", "sin", "cos", "tan", "log", "pi"):
        if word.endswith(name) and len(word) - len(name) <= 2:
            return [*word[: -len(name)], "\\" + name]
    raise Unreadable(word)


class _Reader:
    """Recursive descent over tokens."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.tokens = [
            Token("command" if part[0] == "\\" else token.kind, part, token.spaced and not number)
            for token in tokens
            for number, part in enumerate(_split_word(token))
        ]
        self.end = len(self.tokens)
        self.tokens += [Token("", "", False)] * 3
        self.index = 0
        self.depth = 0

    def whole(self) -> Tree:
        tree = self.sum()
        if self.index != self.end:
            raise Unreadable(self.peek())
        return tree

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.index + ahead].text

    def kind(self, ahead: int = 0) -> str:
        return self.tokens[self.index + ahead].kind

    def take(self) -> str:
        if self.index >= self.end:
            raise Unreadable("end")
        self.index += 1
        return self.tokens[self.index - 1].text

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise Unreadable(token)

    def takes(self, *tokens: str) -> str:
        """Take the next token if it is one of these."""
        return self.take() if self.peek() in tokens else ""

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("depth")

    def sum(self) -> Tree:
        self.deeper()
        tree = self.product()
        while self.peek() in _BOTH_SIGNS or self.peek() in ("+", "-"):
            sign = self.takes("+", "-")
            right = self.product()
            tree = ("+", tree, ("-", right) if sign == "-" else right)
        self.depth -= 1
        return tree

    def starts_atom(self) -> bool:
        token, kind = self.peek(), self.kind()
        if kind == "command":
            return token[1:] in _STARTERS
        return kind in ("number", "letter", "word") or token in ("(", "{")

    def product(self) -> Tree:
        tree = self.signed()
        while True:
            times_ten = self.peek() in ("x", "X") and (self.peek(1), self.peek(2)) == ("10", "^")
            if self.peek() in ("*", "/") or times_ten:
                sign = "/" if self.take() == "/" else "*"
                tree = (sign, tree, self.signed())
            elif self.starts_atom():
                if self.kind() == self.kind(-1) == "number":
                    raise Unreadable("two numbers in a row")
                tree = ("*", tree, self.power())
            else:
                return tree

    def signed(self) -> Tree:
        if self.peek() in _BOTH_SIGNS:
            return ("±", ("n", Fraction(_BOTH_SIGNS[self.take()])), self.product())
        signs = ""
        while self.peek() in ("+", "-"):
            signs += self.take()
        if len(signs) > MAX_DEPTH:
            raise Unreadable("signs")
        tree = self.power()
        return ("-", tree) if signs.count("-") % 2 else tree

    def power(self) -> Tree:
        base = self.atom()
        while True:
            if self.takes("^"):
                base = ("^", base, self.exponent())
            elif self.peek(1) != "!" and self.takes("!"):
                base = ("!", base)
            elif self.takes("%"):
                base = ("/", base, ("n", Fraction(100)))
            elif self.takes("°"):
                base = ("deg", base)
            else:
                return base

    def exponent(self) -> Tree:
        """Read what follows a caret, perhaps with a sign; powers associate to the right."""
        if sign := self.takes("-", "+"):
            tree = self.exponent()
            return ("-", tree) if sign == "-" else tree
        base = self.atom(argument=True)
        if self.takes("^"):
            self.deeper()
            return ("^", base, self.exponent())
        return base

    def argument(self) -> Tree:
        r"""Read an argument of a LaTeX command: a group, or one character (`\frac12` is 1/2)."""
        token = self.peek()
        if self.kind() != "number":
            return self.atom(argument=True)
        if not token.isdigit():
            raise Unreadable(token)
        self.tokens[self.index] = self.tokens[self.index]._replace(text=token[1:])
        self.index += len(token) == 1
        return ("n", Fraction(token[0]))

    def atom(self, *, argument: bool = False) -> Tree:
        kind = self.kind()
        token = self.take()
        if kind == "number":
            return self.number(token, argument)
        if token in _BRACKETS:
            closer, function = _BRACKETS[token]
            tree = self.sum()
            self.expect(closer)
            return (function, tree) if function else tree
        if kind == "command":
            return self.command(token[1:])
        if kind == "letter" or (kind == "word" and token.isascii()):
            name = token + self.subscript()
            after = self.tokens[self.index]
            if token in ("f", "g", "h") and after.text == "(" and not after.spaced:
                name += self.raw("(")
            return ("v", name)
        raise Unreadable(token)

    def number(self, token: str, argument: bool) -> Tree:
        value, decimals = number_of(token)
        if self.peek() == "_" and not argument:
            return ("n", self.in_base(token))
        if argument or decimals != 0 or not token.isdigit():
            return ("n", value)
        # A mixed number: `2 1/3`, `1又1/2`, `2\frac{1}{3}`.
        start = self.index
        self.takes("又")
        is_fraction = self.peek() == "\\frac"
        if is_fraction:
            self.take()
            part = ("/", self.argument(), self.argument())
        elif (self.kind(), self.peek(1), self.kind(2)) == ("number", "/", "number"):
            above, _, below = self.take(), self.take(), self.take()
            part = ("/", ("n", Fraction(above)), ("n", Fraction(below)))
        else:
            self.index = start
            return ("n", value)
        if part[1][0] == part[2][0] == "n" and 0 < part[1][1] < part[2][1]:
            return ("+", ("n", value), part)
        if is_fraction and self.tokens[start].text == "\\frac":
            return ("*", ("n", value), part)
        raise Unreadable("mixed number")

    def in_base(self, digits: str) -> Fraction:
        self.take()
        name = self.subscripted()
        base = int(name) if name.isdigit() else _BASES.get(name, 0)
        if not 2 <= base <= 36 or not digits.isdigit() or max(map(int, digits)) >= base:
            raise Unreadable("base")
        return Fraction(int(digits, base))

    def command(self, name: str) -> Tree:
        if name in ("frac", "binom", "dbinom", "tbinom"):
            return ("/" if name == "frac" else "binom", self.argument(), self.argument())
        if name == "sqrt":
            degree: Tree = ("n", Fraction(2))
            if self.takes("["):
                degree = self.sum()
                self.expect("]")
            return ("^", self.atom(argument=True), ("/", ("n", Fraction(1)), degree))
        if name in _FUNCTIONS:
            return self.function(name)
        if name in _DECORATED and self.peek():
            return ("v", f"{name} {self.subscripted()}")
        if name in GREEK:
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
                base = self.atom(argument=True)
        if outer == ("-", ("n", Fraction(1))) and name in _INVERSE:
            name, outer = _INVERSE[name], None
        if name == "lg":
            name, base = "log", ("n", Fraction(10))
        if name == "log" and base is None:
            raise Unreadable("log without a base")
        # The argument goes on, as in `\\sin 2x`, up to a bracket or another function.
        inner = self.signed() if self.peek() in ("-", "+") else self.power()
        while self.starts_atom() and self.peek() not in ("(", "{"):
            if self.kind() == "command" and self.peek()[1:] in _FUNCTIONS:
                break
            inner = ("*", inner, self.power())
        tree: Tree = (name, inner) if base is None else ("/", ("ln", inner), ("ln", base))
        return tree if outer is None else ("^", tree, outer)

    def subscript(self) -> str:
        name = ""
        while sign := self.takes("_", "'", "''"):
            name += "_" + self.subscripted() if sign == "_" else sign
        return name

    def subscripted(self) -> str:
        return (self.raw("{") if self.peek() == "{" else self.take()).strip("{}")

    def raw(self, opener: str) -> str:
        """Take a bracketed group as it is written."""
        text, depth = self.take(), 1
        while depth:
            token = self.take()
            text += token
            depth += (token == opener) - (token == _BRACKETS[opener][0])
        return text


_BOTH_SIGNS = {"\\pm": 1, "\\mp": -1}
_STARTERS = _FUNCTIONS | GREEK | _DECORATED
_STARTERS |= {"frac", "sqrt", "binom", "dbinom", "tbinom", "lfloor", "lceil", "lvert"}
