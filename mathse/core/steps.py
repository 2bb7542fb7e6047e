"""Cut a solution into the steps that the judge counts, and a step into tokens that can be wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

MISSING = "none"
"""Stands in a diff where one side has no more tokens."""

# 12, +5, =17, x, shows
_TOKEN = re.compile(r"[-+*/=:]*\d+(?:\.\d+)?[^\W\d_]?|[-+*/=]*[^\W\d_]+")
# "2. " before a step
_NUMBERED = re.compile(r"^\s*\d+\.\s+")
# "the", "Problem"
_STOP_WORDS = re.compile(
    r"the|is|are|and|of|to|with|this|that|there|has|have|it|in|at|on|by|as|so|we|an|answer|problem",
    re.IGNORECASE,
)
# =17|=18
_PAIR = re.compile(r"([^\s,|]+)\|([^\s,|]+)")

# "## Step 1", "**Step 1: the angle**", "【解析】"
_HEADING = re.compile(r"#{1,6}\s.*|(?:\*\*|__)(?!\s)[^*_]+(?:\*\*|__)[:：]?|【[^】]*】[:：]?")
# "- 3 apples", "* so", "• x"
_ITEM = re.compile(r"[-*+•]\s")
# "| 3 | 4 |"
_TABLE = re.compile(r"\|.*\|$")
# "---"
_RULE = re.compile(r"-{3,}|\*{3,}|_{3,}")
# "where x is", "and", "其中"
_GOES_ON = re.compile(r"[a-z,;.)，。]|[和与及且]|其中|以及|\\end\{")
_BLOCKS = (("\\[", "\\]"), ("$$", "$$"), ("\\begin{", "\\end{"), ("```", "```"))
"""How display formulas and code begin and end."""

StepDiff = list[tuple[str, str]]


def split_steps(response: str) -> list[str]:
    """Return the steps of a solution: its lines, stripped, without the empty ones.

    Lines that belong together are one step, with line breaks inside: a heading and what follows it,
    a display formula or code block and the line before it, the items of a list and the line that
    introduces them, the rows of a table, a line that goes on after a formula. The closing sentence
    is the last step. Step n of a verdict is item n − 1 here.
    """
    lines = [line for line in map(str.strip, response.splitlines()) if line]
    steps: list[list[str]] = []
    last = -1  # line of the block that was begun
    for index, line in enumerate(lines):
        if steps and (index <= last or _joins(steps[-1], line)):
            steps[-1].append(line)
        else:
            steps.append([line])
        if index > last:
            last = _block_end(lines, index)
    return ["\n".join(step) for step in steps]


def _block_end(lines: Sequence[str], start: int) -> int:
    """Return the index of the line that ends the block begun in a line; its own if there is none.

    A block that does not end is none.
    """
    for begin, end in _BLOCKS:
        begun = lines[start].count(begin)
        if begun % 2 if begin == end else begun > lines[start].count(end):
            return next((i for i in range(start + 1, len(lines)) if end in lines[i]), start)
    return start


def _joins(step: Sequence[str], line: str) -> bool:
    """Return True if a line belongs to the step before it."""
    if all(_HEADING.fullmatch(one) for one in step):
        return True
    if _HEADING.fullmatch(line):
        return False
    if line.startswith(tuple(begin for begin, _ in _BLOCKS)) or _RULE.fullmatch(line):
        return True
    if _TABLE.match(line):
        return bool(_TABLE.match(step[-1])) or step[-1].endswith((":", "："))
    if _ITEM.match(line):
        return not _ITEM.match(step[0])
    return bool(_GOES_ON.match(line)) and any(end in step[-1] for _, end in _BLOCKS)


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
    is_right = step_tokens(right) == step_tokens(given)  # a text may have the word `MISSING`
    words = [f"{one}|{other}" for one, other in pairs]
    return " ".join([f"{number}.", *words, "right" if is_right else "wrong"])


def parse_step_diff(text: str) -> StepDiff:
    """Read the pairs of a check."""
    return _PAIR.findall(text)
