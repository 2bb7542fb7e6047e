"""Cut a solution into the steps that the judge counts, and a step into tokens that can be wrong."""

from __future__ import annotations

import re
from itertools import zip_longest

MISSING = "none"
"""Stands in a diff where one side has no more tokens."""

# 12, +5, =17, x, shows
_TOKEN = re.compile(r"[-+*/=:]*\d+(?:\.\d+)?[^\W\d_]?|[-+*/=]*[^\W\d_]+")
# "2. " before a step
_NUMBERED = re.compile(r"^\s*\d+\.\s+")
_STOP_WORDS = re.compile(
    r"the|is|are|and|of|to|with|this|that|there|has|have|it|in|at|on|by|as|so|we|an|answer|problem",
    re.IGNORECASE,
)
# =17|=18
_PAIR = re.compile(r"([^\s,|]+)\|([^\s,|]+)")

StepDiff = list[tuple[str, str]]


def split_steps(response: str) -> list[str]:
    """Return the steps of a solution: its lines, stripped, without the empty ones.

    The closing sentence is the last step. Step n of a verdict is item n − 1 here.
    """
    return [line.strip() for line in response.splitlines() if line.strip()]


def step_tokens(step: str) -> list[str]:
    """Return the tokens of a step: numbers with the sign before them, letters and words.

    The step's own number, punctuation and stop words (the, is, and) are left out: `2.
    12+5=17.` is 12, +5 and =17.
    """
    found = _TOKEN.findall(_NUMBERED.sub("", step))
    return [token for token in found if not _STOP_WORDS.fullmatch(token)]


def diff_steps(right: str, given: str) -> StepDiff:
    """Return pairs of a right and a given token, up to the first that differ."""
    pairs: StepDiff = []
    for pair in zip_longest(step_tokens(right), step_tokens(given), fillvalue=MISSING):
        pairs.append(pair)
        if pair[0] != pair[1]:
            break
    return pairs


def render_step_diff(number: int, right: str, given: str) -> str:
    """Write a judge's check of a step, right tokens first: `1. 12|12 =17|=18 wrong`."""
    pairs = diff_steps(right, given)
    is_right = all(one == other for one, other in pairs)
    words = [f"{one}|{other}" for one, other in pairs]
    return " ".join([f"{number}.", *words, "right" if is_right else "wrong"])


def parse_step_diff(text: str) -> StepDiff:
    """Read the pairs of a check."""
    return _PAIR.findall(text)
