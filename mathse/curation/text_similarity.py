"""What a question says apart from how it is written: its numbers, and the pieces of its words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from math import fsum, log

_PLACEHOLDER = re.compile(r"<image[ _]?\d*>")
_COMMAND = re.compile(
    r"\\(?:mathrm|mathbf|text|textbf|operatorname|left|right|displaystyle|quad|qquad|d?frac)(?![a-z])"
)
_THOUSANDS = re.compile(r"(?<=\d)[,\u202f](?=\d{3}(?!\d))")
_SPACED_DIGITS = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_TOKEN = re.compile(r"[^\W\d_]+|[-+*/=<>^%°×÷√∠△⊥∥]")
_WORDS = (
    "zero two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_SPELLED = {
    word: str(number) for number, word in zip([0, *range(2, 21)], _WORDS.split(), strict=True)
}
"""Spelled numbers. "One" is left out: it is a pronoun as often ("which one")."""


def normalise(text: str) -> str:
    """Return a text without image placeholders, LaTeX commands, upper case and compatibility forms."""
    text = unicodedata.normalize("NFKC", _PLACEHOLDER.sub(" ", text)).lower()
    return _SPACED_DIGITS.sub("", _THOUSANDS.sub("", _COMMAND.sub(" ", text)))


def numbers(text: str) -> frozenset[str]:
    """Return the different numbers of a text, digits or words, without leading and trailing zeros."""
    plain = normalise(text)
    found = {_plain_number(number) for number in _NUMBER.findall(plain)}
    return frozenset(found | {_SPELLED[word] for word in _TOKEN.findall(plain) if word in _SPELLED})


def char_trigrams(text: str) -> frozenset[str]:
    """Return the pieces that two wordings are compared by: three letters each, words marked at both ends.

    Pieces know nothing of the order of words, and little of their endings: "the counted triangles"
    and "count the triangle" share most. Numbers give none, they are compared apart. Of scripts
    without blanks each letter and each pair are pieces.
    """
    found: set[str] = set()
    for token in _TOKEN.findall(normalise(text)):
        if token in _SPELLED:
            continue
        if token[0] > "\u2e7f":
            found.update(token)
            found.update(token[at : at + 2] for at in range(len(token) - 1))
        else:
            marked = f"^{token}$"
            found.update(marked[at : at + 3] for at in range(max(1, len(marked) - 2)))
    return frozenset(found)


def same_answer(one: str, other: str) -> bool:
    """Tell whether two gold answers are the same text, apart from case, blanks, LaTeX and a number's zeros."""
    return _plain_answer(one) == _plain_answer(other)


def idf_weights(texts: Iterable[frozenset[str]]) -> dict[str, float]:
    """Return a weight for each piece: the more texts have it, the less it says."""
    counts: Counter[str] = Counter()
    total = 0
    for found in texts:
        counts.update(found)
        total += 1
    return {piece: log(1 + total / count) for piece, count in counts.items()}


def weighted_jaccard(
    one: frozenset[str], other: frozenset[str], weights: dict[str, float]
) -> float:
    """Return the share of pieces that two wordings have in common, by weight: from 0 to 1 (Jaccard)."""
    # fsum: sets have no order of their own, and the same texts must score the same in every
    # process.
    shared = fsum(weights.get(piece, 0.0) for piece in one & other)
    either = fsum(weights.get(piece, 0.0) for piece in one | other)
    return shared / either if either else float(one == other)


def answer_text(answer: str, choices: Sequence[str]) -> str:
    """Return the text of an answer: that of the choice where it is a choice's letter."""
    place = ord(answer) - ord("A") if len(answer) == 1 else -1
    return choices[place] if 0 <= place < len(choices) and answer not in choices else answer


def _plain_number(number: str) -> str:
    whole, _, part = number.partition(".")
    whole, part = whole.lstrip("0") or "0", part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def _plain_answer(answer: str) -> str:
    text = re.sub(r"[\s${}\\]+", "", normalise(answer))
    return _NUMBER.sub(lambda found: _plain_number(found[0]), text)
