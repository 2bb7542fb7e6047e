"""Does an annotator's text give the gold answer away?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mathse.answers.check_answer import Task, Verdict, gold_value, judge
from mathse.answers.read import read_number

_STATED = ("marker", "boxed", "conclusion")
"""Where the answer check finds an answer that is stated as such, and not a last number."""
# 12, 1,200, -3.5, 3/4
_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:,\d{3})*(?:\.\d+)?(?:/\d+)?(?![\w/])")
# "step 3", "steps 2", "第3步", "第 2 个"
_STEP = re.compile(r"\bsteps?\s*\d+|第\s*\d+\s*[步个]", re.IGNORECASE)
_MIN_CHARS = 2
"""Shorter texts than this occur by chance."""


def reveals_answer(text: str, problem: Mapping[str, Any], response: str) -> bool:
    """Return True if a text states gold, or holds it where neither question nor response does.

    Args:
        text: analysis and suggestion.
        problem: a `Problem` row.
        response: the trajectory that the text is about.
    """
    choices = problem["choices"]
    stated = judge(
        Task(problem["answer"], text, None, problem["answer_type"], tuple(choices), problem["unit"])
    )
    if isinstance(stated, Verdict) and stated.state == "match" and stated.explain in _STATED:
        return True
    gold = gold_value(problem["answer"])
    if len(gold) == 1 and gold.isalpha() and ord(gold) - ord("A") < len(choices):
        gold = choices[ord(gold) - ord("A")]
    shown = f"{problem['question']}\n{response}"
    number = read_number(gold)
    if number is not None and number.value in _values(gold):
        return number.value in _values(_STEP.sub("", text)) - _values(shown)
    short, found_in, known_in = (_plain(part) for part in (gold, text, shown))
    return len(short) >= _MIN_CHARS and short in found_in and short not in known_in


def _values(text: str) -> set[float]:
    """Return the numbers of a text."""
    found = map(read_number, _NUMBER.findall(text))
    return {number.value for number in found if number and number.value is not None}


def _plain(text: str) -> str:
    r"""Return letters, digits and signs alone, so that `$x^{2}$` and `x^{2}` are alike."""
    # the signs of "$x$", "\(x\)", "7."
    return re.sub(r"[\s$,.;:，。；：]|\\[()\[\]]", "", text).casefold()
