"""Read a whole answer into a typed value, with nothing left over."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from functools import lru_cache

from mathse.answers import algebra, real_sets
from mathse.answers.expressions import Tree, Unreadable, read_expression, tokens_of
from mathse.answers.plain import ROW, plain_math
from mathse.answers.quantities import read_compound, read_term
from mathse.answers.real_sets import all_reals, as_reals, chain, interval, is_empty, points
from mathse.answers.structure import (
    CLOSERS,
    JOINERS,
    OPENERS,
    Tokens,
    closes_at_end,
    read_name,
    read_names,
    split_at,
    without_condition,
)
from mathse.answers.units import read_unit
from mathse.answers.values import (
    Family,
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

MAX_ITEMS = 64

# `4:30`, `4:30 p.m.`, `4:30 o'clock`
_CLOCK = re.compile(
    r"(\d{1,2})\s*:\s*(\d{2})(?:\s*:\s*(\d{2}))?\s*(?:o'clock)?\s*(?:([ap])\.?\s*m\.?)?", re.I
)
_MONTH_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = _MONTH_NAMES.split()
# `May 3rd, 2024`, `3 May`
_DATE = re.compile(
    r"(?:(?P<month>[a-z]{3,9})\.? (?P<day>\d{1,2})(?:st|nd|rd|th)?"
    r"|(?P<day2>\d{1,2})(?:st|nd|rd|th)? (?:of )?(?P<month2>[a-z]{3,9}))(?:,? (?P<year>\d{4}))?",
    re.I,
)
# `①②`, `① and ③`
_MARKS = re.compile(r"[①-⑳](?:[\s,、和及与]|and)*(?:[①-⑳](?:[\s,、和及与]|and)*)*")
# `43 (base 8)`, `321 in base four`
_BASE = re.compile(r"^(\d+) \(?(?:in )?base (\w+)\)?$")
# `about 5`, `≈5`, `only x = 0`
_ADVERB_WORDS = (
    "about approximately around roughly nearly exactly only just approx all either so thus hence"
    " therefore then at \\approx ~ 约 约为 大约 共 共有 为 是"
)
_ADVERBS = set(_ADVERB_WORDS.split())
_SIGN_NAMES = "le ge ne in notin parallel perp sim cong equiv subset subseteq to mapsto"
_SIGNS = {"=", "<", ">", *("\\" + name for name in _SIGN_NAMES.split())}


@lru_cache(maxsize=16384)
def read_value(text: str) -> Value | None:
    """Read an answer in LaTeX or plain text; `Words` if it is words, None if it is neither.

    Nothing of the text is left over: what is not understood as a whole has no value.
    """
    body = plain_math(text).strip().lstrip(' ;,:*"').rstrip(' .;,:*"。')
    body = _BASE.sub(r"\1_{\2}", body)
    if not body or len(body) > 2000:
        return None
    special = _special(body)
    if special is not None:
        return special
    try:
        value = _Reader(body).value(tokens_of(body))
    except (Unreadable, RecursionError, ArithmeticError, LookupError):
        value = None
    if value is not None and len(signed := _both_signs(value)) > 1:
        value = Group(tuple(signed))
    if isinstance(value, Term) and value.unit is None and _is_dollars(text):
        value = Term(value.tree, read_unit("$"), value.decimals, value.digits)
    if value is None and _is_words(body):
        return Words(body)
    return value


def read_number(text: str) -> Term | None:
    """Read one real constant with its unit; None for anything else."""
    value = read_value(text)
    if isinstance(value, Ratio) and len(value.terms) == 2:
        return ratio_as_number(value)
    return value if isinstance(value, Term) and value.is_number else None


def ratio_as_number(ratio: Ratio) -> Term | None:
    """Return `7:32` as the fraction 7/32."""
    term = Term(("/", ratio.terms[0].tree, ratio.terms[1].tree))
    return term if len(ratio.terms) == 2 and term.is_number else None


def _is_dollars(text: str) -> bool:
    stripped = text.lstrip(" -*")
    return stripped[:2] == "\\$" or (stripped[:1] == "$" and text.count("$") % 2 == 1)


def _special(body: str) -> Value | None:
    """Read times, dates and numbered statements."""
    clock = _CLOCK.fullmatch(body)
    if clock is not None and int(clock[2]) < 60 and int(clock[1]) < 25:
        hour, minute, second = (int(part or 0) for part in clock.groups()[:3])
        half = "p" if hour > 12 else (clock[4] or "").lower() or (None if hour else "a")
        ratio = Ratio(tuple(_whole(int(part)) for part in clock.groups()[:3] if part))
        as_written = None if clock[4] else hour  # 4:30 is not 16:30; 4:30 pm is both
        return Moment((hour % 12, minute, second, half, as_written), None if clock[4] else ratio)
    date = _DATE.fullmatch(body)
    if date is not None:
        month = (date["month"] or date["month2"])[:3].lower()
        if month in _MONTHS:
            year = int(date["year"]) if date["year"] else None
            return Moment((month, int(date["day"] or date["day2"]), year))
    if _MARKS.fullmatch(body):
        return Group(tuple(_whole(ord(c) - 0x245F) for c in body if "①" <= c <= "⑳"), "{}")
    return None


def _whole(number: int) -> Term:
    return Term(("n", Fraction(number)))


# `red`, `北京`
_WORD = re.compile(r"[^\W\d_]{2,}")


def _is_words(body: str) -> bool:
    """Return True if a text is words (and perhaps single letters), without formulas."""
    # `5`, `\`, `=`, `%`
    return _WORD.search(body) is not None and not re.search(r"[\d\\=+*/^<>_{}|°%]", body)


_ALL_REALS = interval(float("-inf"), float("inf"), "()")
_FIXED_SETS = dict.fromkeys(("\\mathbb { R }", "R", "all real numbers", "全体实数"), _ALL_REALS)
_FIXED_SETS |= dict.fromkeys(("\\emptyset", "no solution", "无解"), points(()))


class _Reader:
    """Recursive descent over the tokens of one answer."""

    def __init__(self, text: str) -> None:
        self.text = text

    def value(self, tokens: Tokens) -> Value:
        """Read a value of any type.

        Raises:
            Unreadable: if the tokens are no value.
        """
        while tokens and tokens[0].text.lower() in _ADVERBS:
            tokens = tokens[1:]
        tokens, letter, ring = without_condition(tokens)
        if not tokens:
            raise Unreadable("empty")
        if tokens[0].text == "from":
            return self.interval(tokens[1:], {"to"}, "[]")
        value = self.joined(tokens)
        return Family(value, letter, ring) if letter else value

    def joined(self, tokens: Tokens) -> Value:
        fixed = _FIXED_SETS.get(" ".join(token.text for token in tokens))
        if fixed is not None:
            return fixed
        for readers in (self.listed, self.related, self.single):
            value = readers(tokens)
            if value is not None:
                return value
        raise Unreadable("no value")

    # Several values.

    def listed(self, tokens: Tokens) -> Value | None:
        """Read items joined by commas, "and", "or", or a union of sets."""
        parts, signs = split_at(tokens, {"\\cup", "\\setminus"})
        if signs and not split_at(tokens, _SIGNS)[1]:
            sets = all_reals([self.joined(part) for part in parts])
            if sets is None:
                raise Unreadable("union")
            return chain(sets, ["or" if sign == "\\cup" else "minus" for sign in signs])
        for separators in ({";"}, set(JOINERS)):
            parts, signs = split_at(tokens, separators)
            if signs:
                break
        joiners = [JOINERS[sign] for sign in signs]
        if not joiners:
            return None
        # `1, 2, and 3`: two joiners in a row are one.
        for index in range(len(parts) - 2, 0, -1):
            if not parts[index]:
                del parts[index]
                del joiners[index - 1]
        if not all(parts) or len(parts) > MAX_ITEMS:
            raise Unreadable("empty item")
        if len(parts) == 1:
            return self.joined(parts[0])
        mixed = [token.text for token in tokens[1::2]] == ["and", "/"] and len(tokens) == 5
        if mixed and (tree := read_expression((tokens[0], *tokens[2:]))):  # `2 and 1/3`
            return Term(tree)
        if (whole := read_compound(self.text, tokens)) is not None:
            return whole
        items = [item for part in parts for item in _both_signs(self.value(part))]
        sets = all_reals(items) if any(isinstance(item, Reals) for item in items) else None
        if sets is not None and len({one.name for one in sets if one.name}) <= 1:
            joined = chain(sets, ["or" if sign == "or" else "and" for sign in joiners])
            unsure = is_empty(joined) and set(joiners) == {","}
            return chain(sets, ["or"] * len(joiners)) if unsure else joined
        first = items[0]
        names = {item.name for item in items if isinstance(item, Named)}
        if isinstance(first, Named) and len(names) == 1:
            # `x = 1, 2` and `x = 1 or x = 2` give several values of one name.
            values = [item.value if isinstance(item, Named) else item for item in items]
            return Named(first.name, Group(tuple(values)))
        return Group(tuple(items))

    # Relations.

    def related(self, tokens: Tokens) -> Value | None:
        """Read equations, definitions, inequalities and memberships."""
        exact, approximations = split_at(tokens, {"\\approx"})
        if approximations:
            name = read_name(exact[0])
            return self.value(exact[0]) if name is None else Named(name, self.value(exact[1]))
        sides, signs = split_at(tokens, _SIGNS)
        if not signs:
            return None
        if not all(sides):
            if signs[0] == "=" and not sides[0] and len(sides) == 2:
                return self.value(sides[1])
            raise Unreadable("side")
        name = read_name(sides[0])
        if set(signs) == {"="}:
            return self.defined(name, sides)
        if signs == ["\\in"] and name is not None:
            reals = as_reals(Named(name, self.value(sides[1])))
            if reals is None:
                raise Unreadable("set")
            return reals
        return self.inequality(sides, signs) or self.relation(sides, signs)

    def relation(self, sides: list[Tokens], signs: list[str]) -> Relation:
        trees = [tree for side in sides if (tree := read_expression(side)) is not None]
        if len(trees) < len(sides) or (signs[0] == "=" and len(sides) > 3):
            raise Unreadable("relation")
        return Relation(tuple(signs), tuple(trees))

    def defined(self, name: str | None, sides: list[Tokens]) -> Value:
        """Read `x = 5`, `(x, y) = (1, 2)`, `1 + 1 = 2`, or an equation."""
        names = read_names(sides[0])
        if names and len(sides) == 2:
            point = self.value(sides[1])
            if not isinstance(point, Group) or (point.brackets and len(point.items) != len(names)):
                raise Unreadable("tuple")
            named = tuple(map(Named, names, point.items)) if point.brackets else point.items
            return Group(named, point.brackets)
        left, last = read_expression(sides[0]), read_expression(sides[-1])
        constant = not name and left is not None and not algebra.letters(left)
        constant = constant and not (last is not None and algebra.letters(last))
        relation = name is None and not constant
        value: Value | None = None if relation else self.value(sides[-1])
        # `x` of `x_1`, `\theta`
        if name and isinstance(value, Term) and (own := re.match(r"\\?([a-zA-Z]+)", name)):
            bare = value.tree[0] == "v" and "(" not in name
            relation = bare or own[1] in algebra.letters(value.tree)
        if value is None or relation:
            return self.relation(sides, ["="] * (len(sides) - 1))
        return value if constant else Named(name or "", value)

    def inequality(self, sides: list[Tokens], signs: list[str]) -> Reals | None:
        """Read `x < 3`, `5 >= x`, `-1 < x <= 4`; None if it is not about one name and numbers."""
        trees = [read_expression(side) for side in sides]
        numbers = [None if tree is None else algebra.number(tree) for tree in trees]
        unknown = [index for index, number in enumerate(numbers) if number is None]
        known = real_sets.ORDERS.keys() >= set(signs) and len(sides) < 4 and len(unknown) == 1
        if not known or (len(sides) == 3 and unknown != [1]):
            return None
        turns = len(sides) == 3 and (signs[0] in ("<", "\\le")) != (signs[1] in ("<", "\\le"))
        name = read_name(sides[unknown[0]])
        if name is None or turns or (len(sides) == 3 and "\\ne" in signs):
            return None
        return real_sets.inequality(numbers, signs, name)

    # One value.

    def single(self, tokens: Tokens) -> Value | None:
        if "\\begin" in [token.text for token in tokens[:2]]:
            return self.environment(tokens)
        opener, closer = tokens[0].text, tokens[-1].text
        if outwards := {"][": "()", "]]": "(]", "[[": "[)"}.get(opener + closer):
            return self.interval(tokens[1:-1], {",", ";"}, outwards)
        if opener in OPENERS and closer in CLOSERS and closes_at_end(tokens):
            value = self.bracketed(tokens)
            if value is not None:
                return value
        point = tokens[0].kind == "letter" and tokens[0].text.isupper() and len(tokens) > 4
        if point and tokens[1].text == "(" and closes_at_end(tokens[1:]):
            inner = self.bracketed(tokens[1:])
            if isinstance(inner, Group) and len(inner.items) > 1:
                return Named(tokens[0].text, inner)
        return (
            self.ratio(tokens) or read_compound(self.text, tokens) or read_term(self.text, tokens)
        )

    def interval(self, tokens: Tokens, separators: set[str], brackets: str) -> Reals:
        """Read the ends of an interval: `7 to 9`, the inner part of `]0, 1[`."""
        ends = [read_term(self.text, part) for part in split_at(tokens, separators)[0]]
        reals = as_reals(Group(tuple(end for end in ends if end is not None), brackets))
        if reals is None:
            raise Unreadable("interval")
        return reals

    def bracketed(self, tokens: Tokens) -> Value | None:
        """Read a tuple, an interval, a set or a set-builder; None for brackets around one term."""
        inner = tokens[1:-1]
        brackets = tokens[0].text + tokens[-1].text
        brackets = "<>" if "\\langle" in brackets else brackets
        if not inner:
            return points(()) if brackets == "{}" else None
        if brackets == "{}":
            parts, signs = split_at(inner, {"|", "\\mid", ":"})
            if len(signs) == 1 and read_name(parts[0][:1]) and split_at(parts[1], _SIGNS)[1]:
                return self.value(parts[1])
        parts, signs = split_at(inner, {";"})
        if not signs:
            parts, signs = split_at(inner, {",", "、"})
        if not signs and brackets != "{}":
            return self.related(inner) if split_at(inner, _SIGNS)[1] else None
        if not all(parts) or len(parts) > MAX_ITEMS:
            raise Unreadable("empty item")
        items = [self.value(part) for part in parts]
        if brackets == "{}":
            listed = [signed for item in items for signed in _both_signs(item)]
            return Group(tuple(listed), "{}")
        choices = list(itertools.product(*map(_both_signs, items)))
        if len(choices) > MAX_ITEMS:
            raise Unreadable("too many signs")
        groups = [Group(choice, brackets) for choice in choices]
        return groups[0] if len(groups) == 1 else Group(tuple(groups))

    def environment(self, tokens: Tokens) -> Value:
        r"""Read a matrix, a determinant or a system of equations between \begin and \end."""
        # `\begin{pmatrix}1&2\end{pmatrix}`
        match = re.fullmatch(
            r"\{?\s*\\begin\s*\{\s*([a-z]+)\*?\s*\}(?:\s*\{[lcr|\s]*\})?(.*)"
            r"\\end\s*\{\s*\1\*?\s*\}\s*\}?",
            self.text[tokens[0].start : tokens[-1].end].strip(),
            re.S,
        )
        if match is None:
            raise Unreadable("environment")
        rows = [row.strip(" ,;") for row in match[2].split(ROW) if row.strip(" ,;")]
        if match[1] in ("cases", "array", "aligned") and all("&" not in row for row in rows):
            return _read_part(" ; ".join(rows))
        if not rows:
            raise Unreadable("empty matrix")
        matrix = Matrix(tuple(tuple(map(_read_part, row.split("&"))) for row in rows))
        return _determinant(matrix) if match[1] == "vmatrix" else matrix

    def ratio(self, tokens: Tokens) -> Ratio | None:
        """Read `2:3`, `2 to 3`, `2比3`."""
        parts, signs = split_at(tokens, {":", "to", "比"})
        if not signs or len(set(signs)) > 1:
            return None
        terms = [read_term(self.text, part) for part in parts if part]
        if len(terms) != len(parts) or any(term is None for term in terms):
            raise Unreadable("ratio")
        return Ratio(tuple(term for term in terms if term is not None))


def _read_part(text: str) -> Value:
    value = read_value(text)
    if value is None:
        raise Unreadable(text)
    return value


def _determinant(matrix: Matrix) -> Term:
    trees = [[cell.tree for cell in row if isinstance(cell, Term)] for row in matrix.rows]
    if len({len(trees), *map(len, trees)}) != 1 or len(trees) > 3:
        raise Unreadable("determinant")
    return Term(_expanded(trees))


def _expanded(rows: list[list[Tree]]) -> Tree:
    if len(rows) == 1:
        return rows[0][0]
    total: Tree = ("n", Fraction(0))
    for column, cell in enumerate(rows[0]):
        minor = _expanded([row[:column] + row[column + 1 :] for row in rows[1:]])
        part: Tree = ("*", cell, minor)
        total = ("+", total, ("-", part) if column % 2 else part)
    return total


def _both_signs(value: Value) -> list[Value]:
    """Return both values of `1 ± √2`."""
    if isinstance(value, Term) and "±" in str(value.tree):
        return [Term(_with_sign(value.tree, sign), value.unit) for sign in (1, -1)]
    if isinstance(value, Named):
        return [Named(value.name, one) for one in _both_signs(value.value)]
    return [value]


def _with_sign(tree: Tree, sign: int) -> Tree:
    parts = [_with_sign(part, sign) if isinstance(part, tuple) else part for part in tree]
    if tree[0] == "±":
        return ("*", ("n", sign * parts[1][1]), parts[2])
    return tuple(parts)
