"""The values that columns may hold, by the column's name, and patterns of values."""

from __future__ import annotations

from typing import Literal, get_args

FinishReason = Literal["stop", "length", "error"]
FailureKind = Literal["retryable", "permanent"]

ANSWER_TYPES = ("number", "choice", "expression", "text", "set")
IMAGE_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
ORIGINS = ("teacher", "student", "reflection")
FINISH_REASONS = get_args(FinishReason)
FAILURE_KINDS = get_args(FailureKind)
UNDECIDED_STATES = ("unknown", "unreadable")
"""An answer that was found, of which the check says neither right nor wrong."""

ANSWER_STATES = ("match", "mismatch", "no_answer", *UNDECIDED_STATES, "timeout", "error")
ORM_STATUSES = ("correct", "wrong", "unparseable", "skipped")
ERROR_KINDS = ("vision", "question", "knowledge", "reasoning", "calculation")
AUDIT_STATES = ("right", "wrong", "unreadable")
ORM_PARTS = ("train", "test")
LEDGER_STATES = (
    "distilled",
    "accepted",
    "reflected",
    "hard",
    "remaining",
    "quarantined",
    "contaminated",
)
ANSWER_OUTCOMES = ("correct", "incorrect")
CANARY_SKILLS = ("descriptions", "sums")
MATCH_RULES = ("text_and_picture", "picture_and_answer", "text", "text_and_answer")

REJECT_REASONS = (
    "empty",
    "cut_off",
    "no_answer",
    "answer_unknown",
    "answer_timeout",
    "answer_error",
    "answer_mismatch",
    "orm_skipped",
    "orm_unparseable",
    "orm_wrong",
    "low_p_correct",
)
"""Why a trajectory is not accepted, in the order of the checks: the first that applies is kept."""

DROP_REASONS = (
    "cut_off",
    "too_short",
    "too_long",
    "identical",
    "near_identical",
    "over_cap",
    "easy",
    "over_budget",
)
"""Why an accepted trajectory becomes no training row."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""The letters of choices, in order."""

_IMAGE = r"(?i:<image[ _]?(%s)>)"
IMAGE_PLACEHOLDER = _IMAGE % r"\d*"  # <image>, <image1>, <IMAGE 2>: group 1 is the number
NUMBERED_IMAGE = _IMAGE % r"\d+"  # <image 2>
UNNUMBERED_IMAGE = _IMAGE % ""  # <image>
"""Patterns of where a text means an image, for `re` and polars."""
