"""The options of a multiple-choice problem: their labels, their words, and which one a short text equals."""

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
    """Label the options: A, B, C … by position, unless the options are letters of their own."""
    texts = tuple(plain_characters(choice).strip() for choice in choices)
    letters = [text.strip("() .") for text in texts]
    if (
        texts
        and all(re.fullmatch(r"[A-Z]", letter) for letter in letters)
        and len(set(letters)) == len(letters)
    ):
        return Options(tuple(letters), texts)
    labelled = [_LABELLED.match(text) for text in texts]
    if (
        texts
        and all(labelled)
        and len({match.group(1).upper() for match in labelled if match}) == len(texts)
    ):
        return Options(
            tuple(match.group(1).upper() for match in labelled if match),
            tuple(_LABELLED.sub("", text) for text in texts),
        )
    return Options(tuple(string.ascii_uppercase[: len(texts)]), texts)


@lru_cache(maxsize=16384)
def plain_text(text: str) -> str:
    """Reduce words to what counts in a comparison: lower case, no articles, no punctuation at the edges."""
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
        squeezed = plain.replace(" ", "")
        same = [
            index
            for index, option in enumerate(options.texts)
            if plain_text(option).replace(" ", "") == squeezed
        ]
    if not same:
        same = [index for index, option in enumerate(options.texts) if _same_value(text, option)]
    return same[0] if same and len({options.texts[index] for index in same}) == 1 else None


@lru_cache(maxsize=16384)
def _same_value(text: str, option: str) -> bool:
    left, right = read_quantity(text), read_quantity(option)
    if left is not None and right is not None:
        if (
            left.unit is not None
            and right.unit is not None
            and left.unit.dimension != right.unit.dimension
        ):
            return False
        if left.exact is not None and right.exact is not None:
            return left.exact == right.exact
        return abs(left.value - right.value) <= 1e-9 * max(1.0, abs(right.value))
    if left is not None or right is not None:
        return False
    first, second = read_expression(plain_math(text)), read_expression(plain_math(option))
    return first is not None and second is not None and algebra.equal(first, second) is True
