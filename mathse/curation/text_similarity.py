"""Compare questions: their numbers, and the weighted Jaccard similarity of their n-grams."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import chain
from math import fsum, log
from typing import Any
from zlib import crc32

import numpy as np
import polars as pl

from mathse.answers.number_words import NUMBER_WORD, number_from_words
from schemas import IMAGE_PLACEHOLDER

_BANDS, _BAND_ROWS = 40, 3
_PRIME, _MASK = np.uint64((1 << 61) - 1), np.uint64((1 << 32) - 1)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

# "<image>", "<image 2>"
_PLACEHOLDER = re.compile(IMAGE_PLACEHOLDER)
# "\mathrm", "\dfrac", but not "\textstyle".
_COMMAND = re.compile(
    r"\\(?:mathrm|mathbf|text|textbf|operatorname|left|right|displaystyle|quad|qquad|d?frac)"
    r"(?![a-z])"
)
# The comma of "1,200".
_THOUSANDS = re.compile(r"(?<=\d)[,\u202f](?=\d{3}(?!\d))")
# The blank of "1 200".
_SPACED_DIGITS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
# "12", "3.5"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
# "angle", "∠", "+"
_TOKEN = re.compile(r"[^\W\d_]+|[-+*/=<>^%°×÷√∠△⊥∥]")
_VALUES = {word: number_from_words(word) for word in NUMBER_WORD.split("|")}  # "hundred": None
_SCALE = "|".join(word for word, value in _VALUES.items() if value is None)
_TENS = "|".join(word for word, value in _VALUES.items() if value and value > 19)
_SMALL = "|".join(word for word, value in _VALUES.items() if value is not None and value < 20)
_UNITS = "|".join(word for word, value in _VALUES.items() if value and value < 10)
_BELOW_HUNDRED = rf"(?:(?:{_TENS})(?:[\s-](?:{_UNITS}))?|{_SMALL})"
# "seven", "twenty-five", "a hundred", "two thousand three hundred and one"
_SPELLED = re.compile(
    rf"\b(?:{_BELOW_HUNDRED}|a(?=[\s-](?:{_SCALE})\b))"
    rf"(?:[\s-](?:{_SCALE})(?:[\s-](?:and[\s-])?{_BELOW_HUNDRED})?)*\b"
)


def normalise(text: str) -> str:
    """Return a text in lower case, without image placeholders, LaTeX commands and wide forms.

    Numbers in English words become digits.
    """
    text = unicodedata.normalize("NFKC", _PLACEHOLDER.sub(" ", text)).lower()
    text = _SPACED_DIGITS.sub("", _THOUSANDS.sub("", _COMMAND.sub(" ", text)))
    return _SPELLED.sub(_digits, text)


def _digits(found: re.Match[str]) -> str:
    # Alone, "one" is a pronoun as often ("which one").
    value = None if found[0] == "one" else number_from_words(found[0])
    return found[0] if value is None else str(value)


def numbers(text: str) -> frozenset[str]:
    """Return the different numbers of a text, digits or words, without needless zeros."""
    return frozenset(map(_plain_number, _NUMBER.findall(normalise(text))))


def char_trigrams(text: str) -> frozenset[str]:
    """Return the character trigrams of the words, each word marked at both ends.

    They ignore the order of words and most of their endings: "the counted triangles" and "count the
    triangle" share most. Numbers give none. Scripts without blanks give letters and bigrams.
    """
    found: set[str] = set()
    for token in _TOKEN.findall(normalise(text)):
        if token[0] > "\u2e7f":
            found.update(token)
            found.update(token[i : i + 2] for i in range(len(token) - 1))
        else:
            marked = f"^{token}$"
            found.update(marked[i : i + 3] for i in range(max(1, len(marked) - 2)))
    return frozenset(found)


def idf_weights(texts: Iterable[frozenset[str]]) -> dict[str, float]:
    """Return the inverse document frequency of each n-gram: log(1 + texts / texts with it)."""
    texts = list(texts)
    counts = Counter(chain.from_iterable(texts))
    return {gram: log(1 + len(texts) / count) for gram, count in counts.items()}


def jaccard(
    one: frozenset[Hashable], other: frozenset[Hashable], weights: Mapping[Any, float] | None = None
) -> float:
    """Return the Jaccard similarity of two sets, by the weights of their members if given."""
    if not one | other:
        return 1.0
    if weights is None:
        return len(one & other) / len(one | other)
    # fsum: sets have no order, and the same texts must score the same in every process.
    shared = fsum(weights.get(item, 0.0) for item in one & other)
    either = fsum(weights.get(item, 0.0) for item in one | other)
    return shared / either if either else float(one == other)


def answer_text(answer: str, choices: Sequence[str]) -> str:
    """Return the text of an answer: of the choice, if the answer is its letter."""
    index = ord(answer) - ord("A") if len(answer) == 1 else -1
    return choices[index] if 0 <= index < len(choices) and answer not in choices else answer


def _plain_number(number: str) -> str:
    whole, _, part = number.partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def plain_answer(answer: str) -> str:
    """Return a gold answer without case, blanks, LaTeX and needless zeros of numbers."""
    # "$x = {5}$" becomes "x=5".
    text = re.sub(r"[\s${}\\]+", "", normalise(answer))
    return _NUMBER.sub(lambda found: _plain_number(found[0]), text)


def candidate_pairs(
    left: Sequence[tuple[frozenset[str], str]], right: Sequence[tuple[frozenset[str], str]]
) -> pl.DataFrame:
    """Return pairs of texts with one key that may be similar, by locality-sensitive hashing.

    Two texts with the Jaccard similarity s share one of 40 bands of 3 MinHashes with probability
    1 − (1 − s³)⁴⁰: 0.93 at 0.4, 0.995 at 0.5, 0.9999 at 0.6. The caller measures the similarity.

    Args:
        left: n-grams and key of each text.
        right: those to compare with.

    Returns:
        Columns left and right: indices, each pair once, sorted.

    Source:
        Broder 1997 (MinHash); Indyk and Motwani 1998 (bands).
    """
    joined = _lsh_bands(left).join(_lsh_bands(right), on=["band", "bucket"], suffix="_right")
    pairs = joined.select(left="index", right="index_right").unique()
    return pairs.sort("left", "right").collect()


def _lsh_bands(texts: Sequence[tuple[frozenset[str], str]]) -> pl.LazyFrame:
    """Return index, band and bucket: the hash of the key and of the MinHashes in the band."""
    seeds = np.random.Generator(np.random.PCG64(20)).integers(
        1, 1 << 31, size=(2, _BANDS * _BAND_ROWS), dtype=np.uint64
    )
    buckets = np.empty((len(texts), _BANDS), dtype=np.uint64)
    for index, (grams, key) in enumerate(texts):
        hashes = np.array([crc32(gram.encode()) for gram in grams] or [0], dtype=np.uint64)
        permuted = (hashes[:, None] * seeds[0] + seeds[1]) % _PRIME & _MASK
        least = permuted.min(axis=0).reshape(_BANDS, _BAND_ROWS)
        buckets[index] = least[:, 0]
        for column in (*least.T[1:], np.uint64(crc32(key.encode()))):
            buckets[index] = (buckets[index] * _MULTIPLIER) ^ column
    return pl.LazyFrame(
        {
            "index": np.repeat(np.arange(len(texts), dtype=np.int64), _BANDS),
            "band": np.tile(np.arange(_BANDS, dtype=np.int8), len(texts)),
            "bucket": buckets.ravel(),
        }
    )
