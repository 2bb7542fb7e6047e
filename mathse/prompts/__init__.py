"""The one place where model inputs are written: prompts by role, and verdicts."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mathse.core import steps
from mathse.core.code import Module
from mathse.core.ids import content_id
from mathse.prompts.judge import (
    STATUSES,
    VerdictForm,
    judge_messages,
    judge_solution_messages,
    judge_solution_text,
    render_verdict,
    verdict_prefix,
    weighted_span,
)
from mathse.prompts.reflect import reflect_messages
from mathse.prompts.solve import CLOSING, solve_messages
from mathse.prompts.text import Message, choice_letter, clean_text, number_steps

__all__ = [
    "CLOSING",
    "STATUSES",
    "Message",
    "VerdictForm",
    "choice_letter",
    "clean_text",
    "judge_messages",
    "judge_solution_messages",
    "judge_solution_text",
    "number_steps",
    "prompts_digest",
    "reflect_messages",
    "render_verdict",
    "solve_messages",
    "verdict_prefix",
    "weighted_span",
]


@cache
def prompts_digest() -> str:
    """Return a hash of the source of all prompts; comments and docstrings do not change it."""
    files = [*sorted(Path(__file__).parent.glob("*.py")), Path(steps.__file__)]
    return content_id([[file.name, Module(file.stem, file).text] for file in files])
