"""The one place where model inputs are written: prompts by role, and verdicts."""

from __future__ import annotations

from mathse.core.params import VerdictForm
from mathse.prompts.judge import (
    STATUSES,
    analysis_prefix,
    judge_messages,
    judge_solution_messages,
    judge_solution_text,
    render_verdict,
    verdict_prefix,
    weighted_span,
)
from mathse.prompts.lessons import lessons
from mathse.prompts.reflect import reflect_messages
from mathse.prompts.select import parse_selection, select_messages, selection_text
from mathse.prompts.solve import CLOSING, open_messages, solve_messages
from mathse.prompts.text import Message, choice_letter, clean_text, number_steps
from mathse.prompts.version import PROMPTS_VERSION

__all__ = [
    "CLOSING",
    "PROMPTS_VERSION",
    "STATUSES",
    "Message",
    "VerdictForm",
    "analysis_prefix",
    "choice_letter",
    "clean_text",
    "judge_messages",
    "judge_solution_messages",
    "judge_solution_text",
    "lessons",
    "number_steps",
    "open_messages",
    "parse_selection",
    "reflect_messages",
    "render_verdict",
    "select_messages",
    "selection_text",
    "solve_messages",
    "verdict_prefix",
    "weighted_span",
]
