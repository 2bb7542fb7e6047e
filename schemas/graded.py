"""Graded predictions: each evaluation answer compared with gold."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.enums import ANSWER_STATES
from schemas.table import Table, is_content_id, is_short_name, one_of, rule, unique


class Graded(Table):
    """How one prediction compares with the gold answer."""

    problem_id: pl.String = pa.Field(description="an evaluation problem; in `Problem`")
    round: pl.String = pa.Field(description="round whose model answered; base and control besides")
    split: pl.String = pa.Field(description="split of the problem")
    predicted_answer: pl.String = pa.Field(
        nullable=True, description="answer found in the response"
    )
    answer_state: pl.String = pa.Field(
        description="the answer check: match, mismatch, no_answer, timeout or error"
    )
    correct: pl.Boolean = pa.Field(description="whether it counts as right: match alone does")

    problem_id_form = is_content_id("problem_id")
    once = unique("problem_id", "round")
    round_name = is_short_name("round")
    split_name = is_short_name("split")
    answer_state_known = one_of("answer_state", ANSWER_STATES)
    answer_found = rule(
        "a compared answer is given",
        "predicted_answer",
        ~pl.col("answer_state").is_in(("match", "mismatch"))
        | pl.col("predicted_answer").is_not_null(),
    )
    correct_fits = rule(
        "correct means match", "correct", pl.col("correct") == (pl.col("answer_state") == "match")
    )
