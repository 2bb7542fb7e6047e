"""The prompt to write a new solution from a wrong one and its verdict."""

from __future__ import annotations

from collections.abc import Sequence

from mathse.core.steps import split_steps
from mathse.prompts.solve import CLOSING
from mathse.prompts.text import Message, clean_text, number_steps, problem_text, user_messages

REFLECT = (
    "{problem}\nThis solution ends in a wrong answer:\n{steps}\n"
    "A checker says of step {error_step}: {error_analysis}\n"
    "The checker may err; the answer is surely wrong. "
    "Think again and write a full new solution. End with: {closing} ..."
)
_UNNAMED_STEP = "?"
_NO_ANALYSIS = "wrong."


def reflect_messages(
    question: str,
    choices: Sequence[str],
    n_images: int,
    wrong_response: str,
    error_step: int | None,
    error_analysis: str | None,
) -> list[Message]:
    """Ask for a new solution, given a wrong one and what the judge found in it.

    Source:
        arXiv 2511.06805, reflection prompt, by content: the feedback may be questionable, the
        answer is wrong.
    """
    text = REFLECT.format(
        problem=problem_text(question, choices, n_images),
        steps=number_steps(split_steps(wrong_response), n_images),
        error_step=_UNNAMED_STEP if error_step is None else error_step,
        error_analysis=clean_text(error_analysis or "", n_images) or _NO_ANALYSIS,
        closing=CLOSING,
    )
    return user_messages(text, n_images)
