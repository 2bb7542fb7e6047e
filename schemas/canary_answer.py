"""Canary answers: what a model still can of the skills that the base model has."""

from __future__ import annotations

import polars as pl

from schemas.enums import CANARY_SKILLS
from schemas.table import Table, content_id, field, one_of, rule, short_name, text, unique


class CanaryAnswer(Table):
    """What the model of a round wrote for one canary question."""

    problem_id: pl.String = content_id("content id of the question; in no other table")
    round: pl.String = short_name("round whose model answers; base and control besides")
    skill: pl.String = one_of(CANARY_SKILLS, "{}")
    question: pl.String = text("the question, in the words of the pre-training")
    answer: pl.String = text("the only text that counts")
    response: pl.String = field("the text as written, greedily")
    error: pl.String = text("why the engine failed; null if it did not", nullable=True)
    correct: pl.Boolean = field("whether response and answer are the same but for blanks around")

    once = unique("problem_id", "round")
    failed_is_wrong = rule(
        "a failed request is not correct", "correct", ~pl.col("correct") | pl.col("error").is_null()
    )
