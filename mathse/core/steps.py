"""Cut a written solution into the steps that the judge counts, and a step into the pieces that can be wrong."""

from __future__ import annotations

import re

NOTHING = "none"
"""Stands in a comparison where one side has no more pieces."""

_PIECE = re.compile(r"[-+*/=:]*\d+(?:\.\d+)?[^\W\d_]?|[-+*/=]*[^\W\d_]+")
_NUMBERED = re.compile(r"^\s*\d+\.\s+")
_SAYING_LITTLE = re.compile(
    r"the|is|are|and|of|to|with|this|that|there|has|have|it|in|at|on|by|as|so|we|an|answer|problem",
    re.IGNORECASE,
)
_PAIR = re.compile(r"([^\s,|]+)\|([^\s,|]+)")

Pairs = list[tuple[str, str]]


def split_steps(response: str) -> list[str]:
    """Return the steps of a solution: its lines, stripped, without the empty ones.

    The closing sentence is the last step. Step n of a verdict is item n − 1 here.
    """
    return [line.strip() for line in response.splitlines() if line.strip()]


def pieces(step: str) -> list[str]:
    """Return what a step says piece by piece: numbers with the sign before them, letters and words.

    The step's own number, punctuation and words that say little (the, is, and) are left out: `2.
    12+5=17.` is 12, +5 and =17.
    """
    found = _PIECE.findall(_NUMBERED.sub("", step))
    return [piece for piece in found if not _SAYING_LITTLE.fullmatch(piece)]


def compare_steps(right: str, given: str) -> Pairs:
    """Lay a step beside what it should be: pairs of a right and a given piece, up to the first that differ."""
    ours, theirs = pieces(right), pieces(given)
    length = max(len(ours), len(theirs))
    padded = zip(
        ours + [NOTHING] * (length - len(ours)),
        theirs + [NOTHING] * (length - len(theirs)),
        strict=True,
    )
    pairs: Pairs = []
    for pair in padded:
        pairs.append(pair)
        if pair[0] != pair[1]:
            break
    return pairs


def write_check(number: int, right: str, given: str) -> str:
    """Write what a judge says of a step: `1. 12|12 =17|=18 wrong`, the right piece of each pair first."""
    pairs = compare_steps(right, given)
    same = all(ours == theirs for ours, theirs in pairs)
    return " ".join(
        [
            f"{number}.",
            *(f"{ours}|{theirs}" for ours, theirs in pairs),
            "right" if same else "wrong",
        ]
    )


def read_pairs(text: str) -> Pairs:
    """Read the pairs of a check."""
    return [(right, given) for right, given in _PAIR.findall(text)]
