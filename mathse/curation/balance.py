"""Limit the new rows of a problem: fewer for easy problems, a minimum share for hard ones.

A problem is easy if the share `merge.easy_rate` of the student's trajectories was accepted, hard if
less than `merge.hard_rate` was, as where only a reflection solved it.
"""

from __future__ import annotations

import polars as pl

from mathse.core.params import Merge

BUCKETS = ("easy", "middle", "hard")


def add_bucket(rows: pl.DataFrame, verdicts: pl.DataFrame | None, limits: Merge) -> pl.DataFrame:
    """Add `rate` and `bucket` to rows with a problem_id, by the student's verdicts of the round.

    A problem without a verdict has rate 0.
    """
    if verdicts is None:
        rows = rows.with_columns(rate=pl.lit(0.0))
    else:
        rates = verdicts.group_by("problem_id").agg(rate=pl.col("accepted").mean())
        rows = rows.join(rates, on="problem_id", how="left", maintain_order="left")
    rate = pl.col("rate").fill_null(0.0)
    bucket = (
        pl.when(rate < limits.hard_rate)
        .then(pl.lit("hard"))
        .when(rate >= limits.easy_rate)
        .then(pl.lit("easy"))
        .otherwise(pl.lit("middle"))
    )
    return rows.with_columns(rate, bucket=bucket)


def cap_of_bucket(limits: Merge) -> pl.Expr:
    """Return the most rows of a problem, by its bucket."""
    most = limits.max_per_problem
    caps = {"easy": limits.easy_max or most, "middle": most, "hard": limits.hard_max or most}
    return pl.col("bucket").replace_strict(caps, return_dtype=pl.Int64)


def over_budget(rows: pl.DataFrame, hard_share: float) -> set[str]:
    """Choose new rows to leave out so that hard problems have their share of the new rows.

    Rows of the problems that the student solves most often go first, last rows before others. The
    first row of each problem stays, even if the share is missed then.

    Args:
        rows: trajectory_id, bucket, rate, old, and index: how many rows of the problem are before.
        hard_share: share of hard problems' rows among the new ones, in [0, 1).

    Returns:
        The trajectory ids of the rows to leave out.
    """
    new = rows.filter(~pl.col("old"))
    others = new.filter(pl.col("bucket") != "hard")
    n_hard = new.height - others.height
    if hard_share <= 0 or n_hard == 0:
        return set()
    allowed = int(n_hard * (1 - hard_share) / hard_share + 1e-9)
    spare = others.filter(pl.col("index") > 0).sort(
        "rate", "index", "trajectory_id", descending=[True, True, False]
    )
    return set(spare["trajectory_id"].head(max(0, others.height - allowed)))
