"""Limit the new rows of a problem: fewer for easy problems, a minimum share for hard ones."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from mathse.core.errors import ParamError

BUCKETS = ("easy", "middle", "hard")


@dataclass(frozen=True)
class Balance:
    """Limits beside the cap of a problem. The defaults limit nothing.

    Attributes:
        min_chars: fewest characters of a trajectory.
        max_chars: most characters of a trajectory.
        jaccard_min: see `mathse.curation.dedup.jaccard_duplicates`; None: only `dedup_key` counts.
        easy_rate: a problem is easy if this share of the student's trajectories was accepted.
        easy_max: most rows of an easy problem.
        hard_rate: a problem is hard if a smaller share was accepted, as where only a reflection
            solved it.
        hard_max: most rows of a hard problem.
        hard_share: least share of hard problems among the round's new rows.
    """

    min_chars: int = 0
    max_chars: int | None = None
    jaccard_min: float | None = None
    easy_rate: float = 1.0
    easy_max: int | None = None
    hard_rate: float = 0.25
    hard_max: int | None = None
    hard_share: float = 0.0

    def __post_init__(self) -> None:
        """Raise a ParamError that names a limit which nothing could meet."""
        if self.max_chars is not None and self.max_chars < self.min_chars:
            raise ParamError(
                f"merge.max_chars is {self.max_chars}, below merge.min_chars of {self.min_chars}"
            )
        if self.hard_rate > self.easy_rate:
            raise ParamError(
                f"merge.hard_rate is {self.hard_rate}, above merge.easy_rate of {self.easy_rate}"
            )
        if min(cap for cap in (self.easy_max, self.hard_max, 1) if cap is not None) < 1:
            raise ParamError(
                "merge.easy_max and merge.hard_max must be at least 1: a solved problem keeps a row"
            )
        if not 0 <= self.hard_share < 1:
            raise ParamError(f"merge.hard_share must lie in [0, 1), not {self.hard_share}")


def add_bucket(rows: pl.DataFrame, verdicts: pl.DataFrame | None, balance: Balance) -> pl.DataFrame:
    """Add `rate` and `bucket` to rows with a problem_id.

    Args:
        rows: candidates.
        verdicts: the round's `Verdict` rows of the student. A problem without any has rate 0.
        balance: the limits.
    """
    if verdicts is None:
        rows = rows.with_columns(rate=pl.lit(0.0))
    else:
        rates = verdicts.group_by("problem_id").agg(rate=pl.col("accepted").mean())
        rows = rows.join(rates, on="problem_id", how="left", maintain_order="left")
    rate = pl.col("rate").fill_null(0.0)
    bucket = (
        pl.when(rate < balance.hard_rate)
        .then(pl.lit("hard"))
        .when(rate >= balance.easy_rate)
        .then(pl.lit("easy"))
        .otherwise(pl.lit("middle"))
    )
    return rows.with_columns(rate, bucket=bucket)


def cap_of_bucket(max_per_problem: int, balance: Balance) -> pl.Expr:
    """Return the most rows of a problem, by its bucket."""
    caps = {"easy": balance.easy_max, "middle": None, "hard": balance.hard_max}
    caps = {bucket: max_per_problem if cap is None else cap for bucket, cap in caps.items()}
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
