"""Numbers in English and Chinese words."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve "
    "thirteen fourteen fifteen sixteen seventeen eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS = {word: value for value, word in enumerate(_SMALL.split())}
_WORDS |= {word: 10 * ten for ten, word in enumerate(_TENS.split(), start=2)}
SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_ORDINALS = "half third fourth fifth sixth seventh eighth ninth tenth"
_PARTS = {word: value for value, word in enumerate(_ORDINALS.split(), start=2)}
_PARTS |= {"halves": 2, "quarter": 4}
NUMBER_WORD = "|".join([*_WORDS, *SCALES])
_CHINESE_DIGITS = {char: value for value, char in enumerate("零一二三四五六七八九")}
_CHINESE_DIGITS |= {"〇": 0, "两": 2}
_CHINESE_SCALES = {"十": 10, "百": 100, "千": 1000, "万": 10_000, "亿": 100_000_000}


@lru_cache(maxsize=4096)
def number_from_words(text: str) -> Fraction | None:
    """Read a number word, such as `twenty-one`, `two thirds`, `三十五`, `三分之二`."""
    if not text or text[0].isdigit() or len(text) > 60:
        return None
    signed = re.match(r"(?:minus|negative)[\s-]+|负", text, re.I)
    if signed is not None:
        positive = number_from_words(text[signed.end() :])
        return None if positive is None else -positive
    if not text.isascii():
        return _from_chinese(text)
    words = re.split(r"[\s-]+", text.lower().strip())
    if words[0] in ("a", "an") and len(words) > 1:
        words[0] = "one"
    part = _PARTS.get(words[-1]) or _PARTS.get(words[-1].rstrip("s"))
    count = _whole_number(words[:-1] or ["one"]) if part else _whole_number(words)
    return None if count is None else Fraction(count, part or 1)


def _from_chinese(text: str) -> Fraction | None:
    below, split, above = text.partition("分之")
    if split:
        a, b = (number_from_words(part) for part in (above, below))
        return None if a is None or not b else a / b
    whole_text, point, rest = text.partition("点")
    whole = _chinese_number(whole_text) if whole_text else None
    if not point or whole is None:
        return whole
    digits = "".join(str(_CHINESE_DIGITS.get(char, "")) for char in rest)
    return whole + Fraction("0." + digits) if len(digits) == len(rest) > 0 else None


def _whole_number(words: list[str]) -> int | None:
    total, current = 0, 0
    for index, word in enumerate(words):
        if word in _WORDS:
            current += _WORDS[word]
        elif word == "hundred" and index:
            current *= 100
        elif word in SCALES and index:
            total, current = total + current * SCALES[word], 0
        elif word != "and" or not index:
            return None
    return total + current if words else None


def _chinese_number(text: str) -> Fraction | None:
    total, section, digit = 0, 0, 0
    for char in text:
        scale = _CHINESE_SCALES.get(char, 0)
        if char in _CHINESE_DIGITS:
            digit = _CHINESE_DIGITS[char]
        elif scale >= 10_000:
            total, section, digit = (total + section + digit) * scale, 0, 0
        elif scale:
            section, digit = section + (digit or 1) * scale, 0
        else:
            return None
    return Fraction(total + section + digit)
