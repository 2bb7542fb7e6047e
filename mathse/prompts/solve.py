"""The prompt to solve a problem."""

from __future__ import annotations

from collections.abc import Sequence

from mathse.prompts.text import Message, problem_text, user_messages

CLOSING = "The answer to this problem is"
SOLVE = "{problem}\nSolve step by step. End with: {closing} ..."


def solve_messages(question: str, choices: Sequence[str], n_images: int) -> list[Message]:
    """Ask for a solution in steps that ends in the closing sentence."""
    text = SOLVE.format(problem=problem_text(question, choices, n_images), closing=CLOSING)
    return user_messages(text, n_images)


def open_messages(question: str, choices: Sequence[str], n_images: int) -> list[Message]:
    """Ask for the solution of a problem with choices without showing them."""
    return solve_messages(question, [], n_images)
