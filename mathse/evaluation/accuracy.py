"""Accuracy with its n and 95% interval, over everything or by any column."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from mathse.core.errors import DataError, ParamError
from schemas import Graded, column_types

Z_95 = 1.959963984540054
GRADED = column_types(Graded)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Return the Wilson score interval of a share; with n = 0 nothing is known: (0, 1).

    Source:
        Wilson (1927), "Probable inference, the law of succession, and statistical inference".

    Raises:
        ParamError: if `hits` lies outside [0, n].
    """
    if not 0 <= hits <= n:
        raise ParamError(f"wilson: {hits} hits of {n} are not possible")
    if n == 0:
        return 0.0, 1.0
    share, z = hits / n, Z_95
    middle = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    below, above = (middle - spread) / (1 + z * z / n), (middle + spread) / (1 + z * z / n)
    return (0.0 if hits == 0 else max(0.0, below)), (1.0 if hits == n else min(1.0, above))


def share_with_interval(hits: int, n: int) -> dict[str, float | int | None]:
    """Return value (None for n = 0), n, and low and high of the 95% interval."""
    low, high = wilson(hits, n)
    return {"value": hits / n if n else None, "n": n, "low": low, "high": high}


def grade(predictions: pl.DataFrame, checks: pl.DataFrame) -> pl.DataFrame:
    """Put the results of the answer check on predictions.

    Args:
        predictions: `Prediction` rows.
        checks: problem_id, round, state and found, one row for each prediction.

    Returns:
        `Graded` rows in the order of the predictions. An answer counts only where the state is
        "match".

    Raises:
        DataError: if a prediction has no check.
    """
    checked = checks.select("problem_id", "round", answer_state="state", predicted_answer="found")
    rows = predictions.join(
        checked, on=["problem_id", "round"], how="left", maintain_order="left", validate="1:1"
    ).with_columns(correct=pl.col("answer_state") == "match")
    if unchecked := rows["answer_state"].null_count():
        raise DataError(
            f"{unchecked} of {rows.height} predictions have no answer check.", rule="all are graded"
        )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in GRADED.items())


def accuracy_table(graded: pl.DataFrame, by: Sequence[str] = ("round", "split")) -> pl.DataFrame:
    """Count right answers in each group.

    Args:
        graded: `Graded` rows, with any category columns joined (family, level, subject, …).
        by: the columns to group by.

    Returns:
        The columns of `by`, then n, correct, accuracy, low, high (95% Wilson interval), and found
        (share of responses in which an answer was found at all), sorted by `by`.
    """
    counts = graded.group_by(by).agg(
        n=pl.len().cast(pl.Int64),
        correct=pl.col("correct").sum().cast(pl.Int64),
        found=(pl.col("answer_state") != "no_answer").mean(),
    )
    counts = counts.sort(by, nulls_last=True)
    bounds = [wilson(hits, n) for hits, n in counts.select("correct", "n").iter_rows()]
    low_high = pl.DataFrame(bounds, schema={"low": pl.Float64, "high": pl.Float64}, orient="row")
    accuracy = pl.col("correct") / pl.col("n")
    return counts.select(*by, "n", "correct", accuracy.alias("accuracy"), *low_high, "found")
