"""Accuracy with its n and 95% interval, over everything or by any column."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from mathse.core.errors import DataError, ParamError
from schemas import Accuracy, Graded, column_types

Z_95 = 1.959963984540054
GRADED = column_types(Graded)


def wilson(hits: int, n: int, *, design_effect: float = 1.0) -> tuple[float, float]:
    """Return the 95% Wilson score interval of a share; with n = 0 nothing is known: (0, 1).

    Args:
        hits: how many of the n count.
        n: the sample size.
        design_effect: the interval is that of a sample of n / design_effect.

    Source:
        Wilson (1927), "Probable inference, the law of succession, and statistical inference".

    Raises:
        ParamError: if `hits` lies outside [0, n].
    """
    if not 0 <= hits <= n:
        raise ParamError(f"wilson: {hits} hits of {n} are not possible")
    if n == 0:
        return 0.0, 1.0
    share, size, z = hits / n, n / design_effect, Z_95
    middle = share + z * z / (2 * size)
    spread = z * math.sqrt(share * (1 - share) / size + z * z / (4 * size * size))
    below, above = (middle - spread) / (1 + z * z / size), (middle + spread) / (1 + z * z / size)
    return (0.0 if hits == 0 else max(0.0, below)), (1.0 if hits == n else min(1.0, above))


def share_with_interval(hits: int, n: int) -> dict[str, float | int | None]:
    """Return value (None for n = 0), n, and low and high of the 95% interval."""
    low, high = wilson(hits, n)
    return {"value": hits / n if n else None, "n": n, "low": low, "high": high}


def design_effect(
    clusters: int, n: int, hits: int, *, hits_squared: int, hits_by_size: int, size_squared: int
) -> float:
    """Return how many times the variance of a share is that of n independent problems.

    The variance over clusters is that of the ratio estimator hits / n:
    C / (C - 1) * sum of (h - p * m)^2 / n^2 over the C clusters, with h hits of m problems in each
    and p = hits / n. That of independent problems is p * (1 - p) / (n - 1), the same with C = n.
    The sums are of integers, so clusters of one problem each give exactly 1.

    Args:
        clusters: the number of clusters.
        n: problems in all.
        hits: how many of them count.
        hits_squared: the sum of h * h over the clusters.
        hits_by_size: the sum of h * m.
        size_squared: the sum of m * m.

    Returns:
        At least 1; 1 where the sample shows no variance: no hit, all hits. n where all problems are
        in one cluster, which says as much as one problem.

    Source:
        Kish (1965), "Survey Sampling", design effect and ratio estimator of cluster samples.
    """
    if clusters < 2:
        return float(max(1, n))
    if hits in (0, n):
        return 1.0
    deviations = n * n * hits_squared - 2 * n * hits * hits_by_size + hits * hits * size_squared
    independent = (clusters - 1) * n * n * hits * (n - hits)
    return max(1.0, clusters * (n - 1) * deviations / independent)


def cluster_of(graded: pl.DataFrame) -> pl.Expr:
    """Return the cluster of each row. One without, as in tables of older runs, is its own."""
    own = pl.int_range(pl.len()).cast(pl.String)  # no content id: shorter
    return pl.col("cluster").fill_null(own) if "cluster" in graded.columns else own


def grade(predictions: pl.DataFrame, checks: pl.DataFrame, clusters: pl.DataFrame) -> pl.DataFrame:
    """Put the results of the answer check on predictions.

    Args:
        predictions: `Prediction` rows.
        checks: problem_id, round, state and found, one row for each prediction.
        clusters: problem_id and cluster of each problem.

    Returns:
        `Graded` rows in the order of the predictions. An answer counts only where the state is
        "match".

    Raises:
        DataError: if a prediction has no check, or its problem no cluster.
    """
    checked = checks.select("problem_id", "round", answer_state="state", predicted_answer="found")
    rows = predictions.join(
        checked, on=["problem_id", "round"], how="left", maintain_order="left", validate="1:1"
    ).with_columns(correct=pl.col("answer_state") == "match")
    rows = rows.join(clusters, on="problem_id", how="left", maintain_order="left", validate="m:1")
    if unchecked := rows["answer_state"].null_count():
        raise DataError(
            f"{unchecked} of {rows.height} predictions have no answer check.", rule="all are graded"
        )
    if unknown := rows["cluster"].null_count():
        raise DataError(
            f"{unknown} of {rows.height} predictions are of problems without a cluster.",
            rule="each problem has a cluster",
        )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in GRADED.items())


def accuracy_table(graded: pl.DataFrame, by: Sequence[str] = ("round", "split")) -> pl.DataFrame:
    """Count right answers in each group.

    Problems of one cluster are not independent: n of them may tell less than n of different ones.
    The interval is Wilson's with the effective sample size, n by the design effect. Where each
    problem is a cluster, that is n.

    Args:
        graded: `Graded` rows, with any category columns joined (family, level, subject, …).
        by: the columns to group by.

    Returns:
        The columns of `by`, then n, correct, accuracy, low, high (95% interval), and found (share
        of responses in which an answer was found at all), sorted by `by`.

    Source:
        Wilson (1927) for the interval, Kish (1965) for the effective sample size.
    """
    n, hits = pl.col("n"), pl.col("correct")
    # One row for each cluster of a group, then one for each group.
    rows = graded.with_columns(cluster=cluster_of(graded))
    clusters = rows.group_by(*by, "cluster").agg(
        n=pl.len().cast(pl.Int64),
        correct=hits.sum().cast(pl.Int64),
        found=(pl.col("answer_state") != "no_answer").sum().cast(pl.Int64),
    )
    counts = clusters.group_by(by).agg(
        n=n.sum(),
        correct=hits.sum(),
        found=pl.col("found").sum() / n.sum(),
        clusters=pl.len(),
        hits_squared=(hits * hits).sum(),
        hits_by_size=(hits * n).sum(),
        size_squared=(n * n).sum(),
    )
    counts = counts.sort(by, nulls_last=True)
    # The interval of each group.
    sums = counts.select(
        *("clusters", "n", hits.alias("hits"), "hits_squared", "hits_by_size", "size_squared")
    )
    bounds = [
        wilson(row["hits"], row["n"], design_effect=design_effect(**row))
        for row in sums.iter_rows(named=True)
    ]
    low_high = pl.DataFrame(bounds, schema=column_types(Accuracy, "low", "high"), orient="row")
    return counts.select(*by, "n", "correct", (hits / n).alias("accuracy"), *low_high, "found")
