"""The answer check at work in a stage."""

from __future__ import annotations

import polars as pl

from mathse.answers import check_rows


def check_answers(paths: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """Add state, found and reason of the answer check to paths or predictions."""
    gold = pool.select("problem_id", "answer_type", "choices", "unit", "precision", gold="answer")
    added = ["gold", "answer_type", "choices", "unit", "precision"]
    return check_rows(paths.join(gold, on="problem_id", how="left", maintain_order="left")).drop(added)
