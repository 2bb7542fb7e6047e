"""Numbers in English and Chinese words."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(_SMALL.split())}
_WORDS |= {word: 10 * ten for ten, word in enumerate(_TENS.split(), start=2)}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALES = _SCALES | {"万": 10**4, "亿": 10**8}
_ORDINALS = "half third fourth fifth sixth seventh eighth ninth tenth"
_PARTS = {word: value for value, word in enumerate(_ORDINALS.split(), start=2)}
_PARTS |= {"halves": 2, "quarter": 4}
_COUNTED = _WORDS | _SCALES | {"and": 0}
_CHINESE = set("〇零一二两三四五六七八九十百千万亿")
NUMBER_WORD = "|".join([*_WORDS, *_SCALES])
PART_WORD = _ORDINALS.partition(" ")[2].replace(" ", "|") + "|quarter"


@lru_cache(maxsize=4096)
def number_from_words(text: str) -> Fraction | None:
    """Read a number word, such as `twenty-one`, `two thirds`, `三十五`, `三分之二`."""
    if not text or text[0].isdigit() or len(text) > 60:
        return None
    # `minus ` of `minus five`, `负`
    signed = re.match(r"(?:minus|negative)[\s-]+|负", text, re.I)
    if signed is not None:
        positive = number_from_words(text[signed.end() :])
        return None if positive is None else -positive
    if not text.isascii():
        return _from_chinese(text)
    # `twenty-one thousand` gives `twenty`, `one`, `thousand`
    words = re.split(r"[\s-]+", text.lower().strip())
    if words[0] in ("a", "an") and len(words) > 1:
        words[0] = "one"
    part = _PARTS.get(words[-1]) or _PARTS.get(words[-1].rstrip("s"))
    words = words[:-1] or ["one"] if part else words
    if words[0] not in _WORDS or not _COUNTED.keys() >= set(words):
        return None
    return Fraction(_sum([_COUNTED[word] for word in words]), part or 1)


def _from_chinese(text: str) -> Fraction | None:
    below, split, above = text.partition("分之")
    if split:
        a, b = (number_from_words(part) for part in (above, below))
        return None if a is None or not b else a / b
    whole, point, rest = text.partition("点")
    if not whole or bool(point) != bool(rest) or not _CHINESE.issuperset(whole + rest):
        return None
    digits = "".join(f"{unicodedata.numeric(char):.0f}" for char in rest)
    values = [int(unicodedata.numeric(char)) for char in whole]
    return _sum(values, ten=10) + Fraction(f"0.{digits}0")


def _sum(values: list[int], ten: int = 100) -> int:
    """Add up `2, 1000, 3, 100, 5`: a scale, from `ten` on, multiplies what stands before it."""
    scale = max(values, default=0)
    if scale < ten:
        return sum(values)
    index = values.index(scale)
    return (_sum(values[:index], ten) or 1) * scale + _sum(values[index + 1 :], ten)
