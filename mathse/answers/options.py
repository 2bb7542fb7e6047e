"""The options of a multiple-choice problem, and which one a short text equals."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import lru_cache

from mathse.answers import algebra
from mathse.answers.expression_parser import read_expression
from mathse.answers.normalize import plain_characters, plain_math
from mathse.answers.quantities import read_quantity


@dataclass(frozen=True)
class Options:
    """The options of one problem: their labels and texts, in order."""

    labels: tuple[str, ...]
    texts: tuple[str, ...]


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


@lru_cache(maxsize=16384)
def plain_text(text: str) -> str:
    """Reduce words for a comparison: lower case, no articles, no punctuation at the edges."""
    text = plain_math(text).lower().replace("_", " ")
    text = re.sub(r"^(?:the|an|a)\s+", "", text.strip(" .;:,!?\"'*()"))
    return re.sub(r"[\s\"'`*]+", " ", text).strip(" .;:,!?")


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
    left, right = read_quantity(text), read_quantity(option)
    if left is not None and right is not None:
        if left.unit and right.unit and left.unit.dimension != right.unit.dimension:
            return False
        if left.exact is not None and right.exact is not None:
            return left.exact == right.exact
        return abs(left.value - right.value) <= 1e-9 * max(1.0, abs(right.value))
    if left is not None or right is not None:
        return False
    first, second = read_expression(plain_math(text)), read_expression(plain_math(option))
    return first is not None and second is not None and algebra.equal(first, second) is True
