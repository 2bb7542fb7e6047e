"""The options of a multiple-choice problem, and which one a short text equals."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from mathse.answers.compare import same_value
from mathse.answers.compare_numbers import EXACT
from mathse.answers.plain import plain_characters, plain_text
from mathse.answers.read import read_value
from mathse.answers.units import PERCENT
from mathse.answers.values import Term, Words


@dataclass(frozen=True)
class Options:
    """The options of one problem: their labels and texts, in order."""

    labels: tuple[str, ...]
    texts: tuple[str, ...]


# `A. ` of `A. red`, `(b) ` of `(b) 12`
_LABELLED = re.compile(r"^\s*[(]?([A-Ha-h])\s*[).:、]\s*(?=\S)")


@lru_cache(maxsize=4096)
def read_options(choices: tuple[str, ...]) -> Options:
    """Label the options A, B, C …, unless they are letters (`F`) or bring labels (`A. red`)."""
    texts = tuple(plain_characters(choice).strip() for choice in choices)
    letters = tuple(text.strip("() .") for text in texts)
    if len(set(letters)) == len(texts) and all(re.fullmatch("[A-Z]", part) for part in letters):
        return Options(letters, texts)
    labels = tuple(match[1].upper() for text in texts if (match := _LABELLED.match(text)))
    if len(set(labels)) == len(texts):
        return Options(labels, tuple(_LABELLED.sub("", text) for text in texts))
    return Options(tuple(string.ascii_uppercase[: len(texts)]), texts)


def option_by_text(text: str, options: Options) -> int | None:
    """Return the option whose words or value a short answer gives, or None."""
    plain = plain_text(text)
    if not plain:
        return None
    same = [index for index, option in enumerate(options.texts) if plain_text(option) == plain]
    if not same:
        joined = [plain_text(option).replace(" ", "") for option in options.texts]
        same = [index for index, option in enumerate(joined) if option == plain.replace(" ", "")]
    if not same:
        same = [index for index, option in enumerate(options.texts) if _same_value(text, option)]
    return same[0] if same and len({options.texts[index] for index in same}) == 1 else None


@lru_cache(maxsize=16384)
def _same_value(text: str, option: str) -> bool:
    left, right = read_value(text), read_value(option)
    if left is None or right is None or Words in (type(left), type(right)):
        return False
    if isinstance(left, Term) and isinstance(right, Term) and left.unit == PERCENT != right.unit:
        left = Term(("/", left.tree, ("n", Fraction(100))))  # `15%` is not the option 15
    return same_value(left, right, EXACT).equal is True
