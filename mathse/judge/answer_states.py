"""The answer check of trajectories and predictions, and verdicts from it alone."""

from __future__ import annotations

import polars as pl

from mathse.answers.check_table import check_answers
from mathse.judge.acceptance import accept_trajectories


def with_answer_states(trajectories: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Add answer_state and predicted_answer, as `Verdict` has them."""
    checked = check_answers(trajectories, problems)
    return checked.rename({"state": "answer_state", "found": "predicted_answer"}).drop("reason")


def judge_by_answer(trajectories: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Return verdicts that accept the trajectories whose answer is gold: there is no ORM yet."""
    rows = with_answer_states(trajectories, problems).with_columns(
        orm_status=pl.lit("skipped"),
        p_correct=pl.lit(None, dtype=pl.Float64),
        error_step=pl.lit(None, dtype=pl.Int64),
        error_analysis=pl.lit(None, dtype=pl.String),
        error_kind=pl.lit(None, dtype=pl.String),
    )
    return accept_trajectories(rows, accept="answer")
