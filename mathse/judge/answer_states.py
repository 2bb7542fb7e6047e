"""The answer check of trajectories and predictions, and verdicts from it alone."""

from __future__ import annotations

import polars as pl

from mathse.answers import check_rows
from mathse.judge.acceptance import accept_trajectories


def check_answers(rows: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Add state, found and reason of the answer check.

    Args:
        rows: trajectories or predictions.
        problems: their `Problem` rows, with question_type where a benchmark has one.
    """
    names = ["answer_type", "choices", "unit", "precision"]
    names += [name for name in ("question_type",) if name in problems.columns]
    gold = problems.select("problem_id", *names, gold="answer")
    joined = rows.join(gold, on="problem_id", how="left", maintain_order="left")
    return check_rows(joined).drop("gold", *names)


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
