"""The answer check at work in a stage."""

from __future__ import annotations

import polars as pl

from mathse.answers import check_rows


def check_answers(paths: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """Add state, found and reason of the answer check to paths or predictions.

    Args:
        paths: rows with problem_id and response.
        pool: their `Problem` rows, which may tell a question_type besides.
    """
    asked = [name for name in ("question_type",) if name in pool.columns]
    names = ["answer_type", "choices", "unit", "precision", *asked]
    gold = pool.select("problem_id", *names, gold="answer")
    return check_rows(paths.join(gold, on="problem_id", how="left", maintain_order="left")).drop(
        "gold", *names
    )
