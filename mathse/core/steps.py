"""Cut a written solution into the steps that the judge counts, and a step into the pieces that can be wrong."""

from __future__ import annotations

import re

MISSING = "none"
"""Stands in a comparison where one side has no more pieces."""

_TOKEN = re.compile(r"[-+*/=:]*\d+(?:\.\d+)?[^\W\d_]?|[-+*/=]*[^\W\d_]+")
_NUMBERED = re.compile(r"^\s*\d+\.\s+")
_STOP_WORDS = re.compile(
    r"the|is|are|and|of|to|with|this|that|there|has|have|it|in|at|on|by|as|so|we|an|answer|problem",
    re.IGNORECASE,
)
_PAIR = re.compile(r"([^\s,|]+)\|([^\s,|]+)")

StepDiff = list[tuple[str, str]]


def split_steps(response: str) -> list[str]:
    """Return the steps of a solution: its lines, stripped, without the empty ones.

    The closing sentence is the last step. Step n of a verdict is item n − 1 here.
    """
    return [line.strip() for line in response.splitlines() if line.strip()]


def step_tokens(step: str) -> list[str]:
    """Return what a step says piece by piece: numbers with the sign before them, letters and words.

    The step's own number, punctuation and words that say little (the, is, and) are left out: `2.
    12+5=17.` is 12, +5 and =17.
    """
    found = _TOKEN.findall(_NUMBERED.sub("", step))
    return [piece for piece in found if not _STOP_WORDS.fullmatch(piece)]


def diff_steps(right: str, given: str) -> StepDiff:
    """Lay a step beside what it should be: pairs of a right and a given piece, up to the first that differ."""
    ours, theirs = step_tokens(right), step_tokens(given)
    length = max(len(ours), len(theirs))
    padded = zip(
        ours + [MISSING] * (length - len(ours)),
        theirs + [MISSING] * (length - len(theirs)),
        strict=True,
    )
    pairs: StepDiff = []
    for pair in padded:
        pairs.append(pair)
        if pair[0] != pair[1]:
            break
    return pairs


def render_step_diff(number: int, right: str, given: str) -> str:
    """Write what a judge says of a step: `1. 12|12 =17|=18 wrong`, the right piece of each pair first."""
    pairs = diff_steps(right, given)
    same = all(ours == theirs for ours, theirs in pairs)
    return " ".join(
        [
            f"{number}.",
            *(f"{ours}|{theirs}" for ours, theirs in pairs),
            "right" if same else "wrong",
        ]
    )


def parse_step_diff(text: str) -> StepDiff:
    """Read the pairs of a check."""
    return [(right, given) for right, given in _PAIR.findall(text)]
