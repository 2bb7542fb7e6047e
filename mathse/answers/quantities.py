"""Read one quantity: a number in any spelling, with its unit if it has one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from mathse.answers import algebra
from mathse.answers.expression_parser import Tree, read_expression
from mathse.answers.normalize import plain_math
from mathse.answers.units import Unit, read_unit


@dataclass(frozen=True)
class Quantity:
    """A constant with its unit.

    Attributes:
        exact: the exact value, if it is rational.
        value: the value as a float.
        tree: the expression it was read from.
        decimals: digits after the point if it is written as a decimal number, 0 for a written
            integer, else None.
        unit: the unit, if one is named.
    """

    exact: Fraction | None
    value: float
    tree: Tree
    decimals: int | None
    unit: Unit | None = None


_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(_SMALL.split())}
_WORDS |= {word: 10 * ten for ten, word in enumerate(_TENS.split(), start=2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS = "half third fourth fifth sixth seventh eighth ninth tenth"
_PARTS = {word: value for value, word in enumerate(_ORDINALS.split(), start=2)}
_PARTS |= {"halves": 2, "quarter": 4}
NUMBER_WORD = "|".join([*_WORDS, *_SCALES])
_CHINESE_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")}
_CHINESE_DIGITS |= {"〇": 0, "两": 2}
_CHINESE_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}

# `-12`, `3.`, `.5`
_PLAIN_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)$")
# `1,234,567`, `1 234`
_THOUSANDS = re.compile(
    r"(?<![\d.])([1-9]\d{0,2}(?:,\d{3})+)(?![\d,])|(?<![\d.])([1-9]\d{0,2}(?: \d{3})+)(?![\d ])"
)
# `e-3` of `1.5e-3`
_SCIENTIFIC = re.compile(r"(?<=\d)[eE]\s*([-+]?\d+)$")
# `3 million`, `20K`
_SCALED = re.compile(
    r"^(.*\d)\s*(hundred|thousand|million|billion|trillion|万|亿|[KMB](?=$|\s))\s*(.*)$"
)
# `$5`, `-US$ 5`, `5€`
_CURRENCY = re.compile(r"^\s*([-+]?)\s*([$€£¥]|US\$|USD|RMB|Rs\.?)\s*(?=[\d.\\-])|\s*([€£¥])$")
# `cm` of `5 cm`, `square inches`, `km per hour`, `m^{2}`
_NAMED_UNIT = re.compile(
    r"(?:(?<=[\d)}%°|])|(?<=\s)|(?<=\bpi))\s*"
    r"(?P<unit>(?:(?:square|sq|cubic|cu)\.?\s*)?(?:[^\W\d_]|[%°$])[^\W\d_.°]*"
    r"(?:\s*\^\s*\{?\s*[23]\s*\}?)?"
    r"(?:\s*(?:/|\bper\b)\s*[^\W\d_]+(?:\s*\^\s*\{?\s*[23]\s*\}?)?)?"
    r"(?:\s+squared|\s+cubed)?)\s*\.?$"
)
# `5{cm}`
_BRACED_UNIT = re.compile(r"\{\s*([A-Za-z][A-Za-z. ]*[A-Za-z])\s*\}$")
_FUNCTIONS = ("sin", "cos", "tan", "log", "sqrt", "pi")
# `about 5`, `≈5`
_APPROXIMATELY = re.compile(
    r"^(?:about|approximately|around|roughly|nearly|exactly|only|just|approx\.?"
    r"|约为?|大约|\\approx|≈|~)\s*",
    re.I,
)


@lru_cache(maxsize=16384)
def read_quantity(text: str) -> Quantity | None:
    """Read a constant in LaTeX or plain text, with or without unit; None if it is not one constant.

    Integers, decimals, fractions, mixed numbers, percents, surds and number words are constants.
    """
    if _PLAIN_NUMBER.match(text):
        return _decimal(text, None)
    body = plain_math(text).strip(" .;:,\"'*")
    body = _APPROXIMATELY.sub("", body)
    if not body or len(body) > 400:
        return None
    # A currency before or after the number.
    unit: Unit | None = None
    currency = _CURRENCY.search(body)
    if currency is not None:
        name = currency.group(2) or currency.group(3) or ""
        unit = read_unit(name.replace("US", "").replace("Rs.", "Rs"))
        body = _CURRENCY.sub(lambda match: match.group(1) or "", body)
    elif text.count("$") % 2 and text.lstrip(" -\\")[:1] == "$" and re.search(r"\$\s*\d", text):
        unit = read_unit("$")
    body = ungroup(body)
    words = number_from_words(body)
    if words is not None:
        decimals = 0 if words.denominator == 1 else None
        return Quantity(words, float(words), ("n", words), decimals, unit)
    # A unit or a counted thing after the number.
    braced = _BRACED_UNIT.search(body) if body.endswith("}") else None
    if braced is not None and read_unit(braced.group(1)):
        body = f"{body[: braced.start()]} {braced.group(1)}"
    match = _NAMED_UNIT.search(body)
    if match is not None and match.start() > 0:
        name = match.group("unit")
        attached = body[match.start("unit") - 1] not in " )}"
        known = read_unit(name)
        letters_only = re.fullmatch(r"[a-zA-Z]+", name) is not None
        if known is not None and not (len(name) == 1 and letters_only and attached):
            body, unit = body[: match.start("unit")].strip(), known
        elif known is None and len(name) > 3 and not _is_math_word(name):
            body = body[: match.start("unit")].strip()
    # A scale, as in `3 million`.
    scaled = _SCALED.match(body)
    scale = Fraction(1)
    if scaled is not None and (not scaled.group(3) or read_unit(scaled.group(3)) is not None):
        factor = {"万": 10**4, "亿": 10**8, "K": 10**3, "M": 10**6, "B": 10**9} | _SCALES
        scale = Fraction(factor[scaled.group(2)])
        body = scaled.group(1).strip()
        unit = unit or read_unit(scaled.group(3))
    # What is left must be one constant expression.
    body = body.strip(" ,")
    if _PLAIN_NUMBER.match(body) and scale == 1:
        return _decimal(body, unit)
    body = _SCIENTIFIC.sub(r"*10^{\1}", body)
    tree = read_expression(body)
    if tree is None or algebra.letters(tree):
        return None
    if scale != 1:
        tree = ("*", tree, ("n", scale))
    exact = algebra.rational(tree)
    value = float(exact) if exact is not None and abs(exact) < 10**300 else algebra.number(tree)
    if value is None:
        return None
    return Quantity(exact, value, tree, None, unit)


def _is_math_word(name: str) -> bool:
    first = name.split()[0].lower()
    return (
        first in ("frac", "and", *_FUNCTIONS)
        or name.lower() in _SCALES
        or name.startswith(_FUNCTIONS)
    )


def _decimal(text: str, unit: Unit | None) -> Quantity | None:
    if len(text) > 300:
        return None
    exact = Fraction(text.removesuffix("."))
    value = float(exact) if abs(exact) < 10**300 else 0.0
    return Quantity(exact, value, ("n", exact), len(text.partition(".")[2]), unit)


def ungroup(text: str) -> str:
    """Remove the thousands separators of `1,234,567` and `1 234`, but not the comma of `3,14`."""
    if "," not in text and " " not in text:
        return text
    return _THOUSANDS.sub(lambda match: re.sub(r"[ ,]", "", match.group(0)), text)


def number_from_words(text: str) -> Fraction | None:
    """Read an English or Chinese number word, such as `twenty-one`, `two thirds`, `三十五`."""
    if not text or text[0].isdigit() or len(text) > 60:
        return None
    if text[0] in _CHINESE_DIGITS or text[0] in _CHINESE_SCALES:
        return _chinese_number(text)
    words = re.split(r"[\s-]+", text.lower().strip())
    if words and words[0] in ("a", "an") and len(words) > 1:
        words[0] = "one"
    if words[-1].rstrip("s") in _PARTS or words[-1] in _PARTS:
        part = _PARTS.get(words[-1]) or _PARTS[words[-1].rstrip("s")]
        above = _whole_number(words[:-1]) if len(words) > 1 else 1
        return None if above is None else Fraction(above, part)
    whole = _whole_number(words)
    return None if whole is None else Fraction(whole)


def _whole_number(words: list[str]) -> int | None:
    total, current, seen = 0, 0, False
    for word in words:
        if word == "and" and seen:
            continue
        if word in _WORDS:
            current += _WORDS[word]
        elif word == "hundred" and seen:
            current *= 100
        elif word in _SCALES and seen:
            total, current = total + current * _SCALES[word], 0
        else:
            return None
        seen = True
    return total + current if seen else None


def _chinese_number(text: str) -> Fraction | None:
    total, section, digit = 0, 0, 0
    for char in text:
        if char in _CHINESE_DIGITS:
            digit = _CHINESE_DIGITS[char]
        elif char in ("万", "亿"):
            total, section, digit = (total + section + digit) * _CHINESE_SCALES[char], 0, 0
        elif char in _CHINESE_SCALES:
            section, digit = section + (digit or 1) * _CHINESE_SCALES[char], 0
        else:
            return None
    return Fraction(total + section + digit)
