"""What a training row teaches the student: prompts with the text to write."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mathse.prompts.reflect import reflect_messages
from mathse.prompts.select import select_messages, selection_text
from mathse.prompts.solve import solve_messages
from mathse.prompts.text import Message


def lessons(row: Mapping[str, Any]) -> Iterator[tuple[str, list[Message], str]]:
    """Yield task, prompt and text to write: to solve, to reflect on a draft, to choose.

    Args:
        row: a `TrainRow` with question, choices and image_ids of its problem.
    """
    response, problem = row["response"], (row["question"], row["choices"], len(row["image_ids"]))
    yield "solve", solve_messages(*problem), response
    if row.get("draft"):
        feedback = row["draft"], row["error_step"], row["error_analysis"]
        yield "reflection", reflect_messages(*problem, *feedback), response
    if candidates := row.get("candidates"):
        right = candidates.index(response)
        yield "selection", select_messages(*problem, candidates), selection_text(right)
