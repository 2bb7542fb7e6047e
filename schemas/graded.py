"""Graded predictions: each evaluation answer compared with gold."""

from __future__ import annotations

import polars as pl

from schemas.enums import ANSWER_STATES
from schemas.table import Table, content_id, field, one_of, rule, short_name, unique

ANSWER_GIVEN = ~pl.col("answer_state").is_in(("match", "mismatch"))
ANSWER_GIVEN |= pl.col("predicted_answer").is_not_null()


class Graded(Table):
    """How one prediction compares with the gold answer."""

    problem_id: pl.String = content_id("an evaluation problem; in `Problem`")
    round: pl.String = short_name("round whose model answered; base and control besides")
    split: pl.String = short_name("split of the problem")
    cluster: pl.String = content_id(
        "what the problem's picture shows, up to symmetries; intervals and tests resample clusters"
    )
    predicted_answer: pl.String = field("answer found in the response", nullable=True)
    answer_state: pl.String = one_of(ANSWER_STATES, "the answer check: {}")
    correct: pl.Boolean = field("whether it counts as right: match alone does")

    once = unique("problem_id", "round")
    answer_found = rule("a compared answer is given", "predicted_answer", ANSWER_GIVEN)
    correct_fits = rule(
        "correct means match", "correct", pl.col("correct") == (pl.col("answer_state") == "match")
    )
