"""The answer check of trajectories and predictions, by the problems that they solve."""

from __future__ import annotations

import polars as pl

from mathse.answers.check_table import check_rows


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
