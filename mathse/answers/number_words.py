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
    if not text.isascii():
        below, split, above = text.partition("分之")
        if split:
            a, b = (number_from_words(part) if part else None for part in (above, below))
            return None if a is None or not b else a / b
        whole_text, point, rest = text.partition("点")
        whole = _chinese_number(whole_text) if whole_text else None
        if not point or whole is None:
            return whole
        digits = [_CHINESE_DIGITS.get(char) for char in rest]
        return (
            None
            if None in digits or not digits
            else whole + Fraction("0." + "".join(map(str, digits)))
        )
    words = re.split(r"[\s-]+", text.lower().strip())
    if words[0] in ("minus", "negative") and len(words) > 1:
        positive = number_from_words(" ".join(words[1:]))
        return None if positive is None else -positive
    if words and words[0] in ("a", "an") and len(words) > 1:
        words[0] = "one"
    if words[-1].rstrip("s") in _PARTS or words[-1] in _PARTS:
        part = _PARTS.get(words[-1]) or _PARTS[words[-1].rstrip("s")]
        above_number = _whole_number(words[:-1]) if len(words) > 1 else 1
        return None if above_number is None else Fraction(above_number, part)
    count = _whole_number(words)
    return None if count is None else Fraction(count)


def _whole_number(words: list[str]) -> int | None:
    total, current, seen = 0, 0, False
    for word in words:
        if word == "and" and seen:
            continue
        if word in _WORDS:
            current += _WORDS[word]
        elif word == "hundred" and seen:
            current *= 100
        elif word in SCALES and seen:
            total, current = total + current * SCALES[word], 0
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
