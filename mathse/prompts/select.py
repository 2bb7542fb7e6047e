"""The prompt to choose the right one among several solutions of a problem."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mathse.core.steps import split_steps
from mathse.prompts.text import Message, number_steps, problem_text, user_messages

SELECT = (
    "{problem}\nOne of these solutions is right.\n{solutions}\nWhich one? End with: {closing} ..."
)
_CLOSING = "The right solution is"
# "The right solution is 2."
_CHOSEN = re.compile(rf"{_CLOSING} (\d+)", re.IGNORECASE)


def select_messages(
    question: str, choices: Sequence[str], n_images: int, solutions: Sequence[str]
) -> list[Message]:
    """Ask which of some solutions is right.

    Source:
        Cheng et al. (2024), arXiv 2411.00855 (R3V), for training a model to choose among its own
        solutions. Prompt and answer are our own.
    """
    numbered = [
        f"Solution {number}:\n{number_steps(split_steps(solution), n_images)}"
        for number, solution in enumerate(solutions, start=1)
    ]
    text = SELECT.format(
        problem=problem_text(question, choices, n_images),
        solutions="\n".join(numbered),
        closing=_CLOSING,
    )
    return user_messages(text, n_images)


def selection_text(index: int) -> str:
    """Return the answer that names a solution; the first has the index 0."""
    return f"{_CLOSING} {index + 1}."


def parse_selection(text: str, count: int) -> int | None:
    """Return the index of the solution that a text names; None if it names none of them."""
    found = _CHOSEN.findall(text)
    index = int(found[-1]) - 1 if found else -1
    return index if 0 <= index < count else None
