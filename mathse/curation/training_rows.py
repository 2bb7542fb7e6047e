"""Merge: what a round adds to the training rows, with a named reason for each path that is left out."""

from __future__ import annotations

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.curation.balance import (
    BUCKETS,
    Balance,
    add_bucket,
    cap_of_bucket,
    jaccard_duplicates,
    over_budget,
)
from mathse.curation.dedup import with_dedup_key
from schemas import DROP_REASONS, TrainRow, Verdict, column_types

UNUSABLE = ("cut_off", "too_short", "too_long")
"""Reasons that make a path no training row whatever else there is: it does not count as solving its problem."""

TRAIN = column_types(TrainRow)
DROPPED = column_types(Verdict, "trajectory_id", "reason")
_PATH_COLUMNS = ("trajectory_id", "problem_id", "origin", "response", "finish_reason")


def merge_rows(
    previous: pl.DataFrame | None,
    trajectories: pl.DataFrame | None,
    verdicts: pl.DataFrame | None,
    reflections: pl.DataFrame | None = None,
    reflection_verdicts: pl.DataFrame | None = None,
    *,
    round_name: str,
    max_per_problem: int,
    balance: Balance | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Add a round's accepted paths and accepted reflections to the training rows.

    Earlier rows stay as they are. Of the new paths, those of a problem come in this order: the
    student's own before reflections, then higher P(correct) (none counts lowest), then content
    hash. A path is left out if it was cut off, too short or too long, if its text is already there,
    if it says the same in another way of writing (see `dedup_key`, and `Balance.near_min`), if its
    problem has `max_per_problem` rows, or fewer where the student always solves it (reason easy),
    or if it would leave hard problems less than their share. With no earlier rows and the teacher's
    paths this makes the r0 rows.

    Args:
        previous: `TrainRow` rows of the round before, or None.
        trajectories: the round's `Trajectory` rows, or None where it generated nothing.
        verdicts: their `Verdict` rows.
        reflections: the round's reflections, or None.
        reflection_verdicts: their `Verdict` rows.
        round_name: this round; the new rows carry it.
        max_per_problem: most rows of one problem.
        balance: further limits; None: no others.

    Returns:
        `TrainRow` rows sorted by row_id, and trajectory_id with reason for each accepted path left
        out: every accepted path is in exactly one of the two.

    Raises:
        ParamError: if `max_per_problem` is not positive.
        DataError: if a verdict has no trajectory, or a path is already among the earlier rows.

    Source:
        arXiv 2511.06805, Eq. (2): D_next = R_correct ∪ R_reflected. Deduplication and the cap are
        ours.
    """
    if max_per_problem < 1:
        raise ParamError(f"merge.max_per_problem must be at least 1, not {max_per_problem}")
    earlier = pl.DataFrame(schema=TRAIN) if previous is None else previous.select(TRAIN.names())
    candidates = pl.concat(
        [
            _accepted(trajectories, verdicts, "trajectories"),
            _accepted(reflections, reflection_verdicts, "reflections"),
        ]
    )
    _check_new(earlier, candidates)
    balance = balance or Balance()
    old = pl.col("old")
    rows = add_bucket(_in_order(earlier, candidates), verdicts, balance)
    dropped: list[pl.DataFrame] = []
    for reason, good in _usable(balance):
        rows = _take(rows, old | good, reason, dropped)
    for reason, key in (("identical", "response"), ("near_identical", "dedup_key")):
        rows = _take(rows, old | pl.struct("problem_id", key).is_first_distinct(), reason, dropped)
    if balance.near_min is not None:
        same = jaccard_duplicates(rows, balance.near_min)
        rows = _take(rows, ~pl.col("trajectory_id").is_in(same), "near_identical", dropped)
    rows = rows.with_columns(place=pl.int_range(pl.len()).over("problem_id"))
    cap = cap_of_bucket(max_per_problem, balance)
    most = pl.max_horizontal(cap, pl.lit(max_per_problem))
    rows = _take(rows, old | (pl.col("place") < most), "over_cap", dropped)
    rows = _take(rows, old | (pl.col("place") < cap), "easy", dropped)
    surplus = over_budget(rows, balance.hard_share)
    rows = _take(rows, ~pl.col("trajectory_id").is_in(surplus), "over_budget", dropped)
    new = rows.filter(~pl.col("old")).with_columns(round=pl.lit(round_name))
    ids = [content_id("train row", name) for name in new["trajectory_id"]]
    new = new.with_columns(pl.Series("row_id", ids, dtype=pl.String))
    train = pl.concat([earlier, new.select(TRAIN.names())]).sort("row_id")
    return train, pl.concat(dropped).cast(DROPPED).sort("trajectory_id")


def count_dropped(dropped: pl.DataFrame) -> dict[str, int]:
    """Count the paths left out by reason, zeros included."""
    found = dict(dropped.group_by("reason").len().iter_rows())
    return {reason: int(found.get(reason, 0)) for reason in DROP_REASONS}


def without_unusable(verdicts: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
    """Return verdicts in which paths that cannot be training rows are not accepted, for the ledger to count.

    Args:
        verdicts: `Verdict` rows.
        dropped: what `merge_rows` left out.
    """
    unusable = dropped.filter(pl.col("reason").is_in(UNUSABLE))["trajectory_id"].to_list()
    return verdicts.with_columns(pl.col("accepted") & ~pl.col("trajectory_id").is_in(unusable))


def count_buckets(
    train: pl.DataFrame, verdicts: pl.DataFrame | None, balance: Balance
) -> dict[str, int]:
    """Count rows by how often the student solved their problem in this round, zeros included."""
    found = dict(add_bucket(train, verdicts, balance).group_by("bucket").len().iter_rows())
    return {bucket: int(found.get(bucket, 0)) for bucket in BUCKETS}


def _usable(balance: Balance) -> list[tuple[str, pl.Expr]]:
    chars = pl.col("response").str.len_chars()
    longest = pl.lit(True) if balance.max_chars is None else chars <= balance.max_chars
    return [
        ("cut_off", pl.col("finish_reason") == "stop"),
        ("too_short", chars >= balance.min_chars),
        ("too_long", longest),
    ]


def _accepted(paths: pl.DataFrame | None, verdicts: pl.DataFrame | None, what: str) -> pl.DataFrame:
    schema = {**dict.fromkeys(_PATH_COLUMNS, pl.String), "p_correct": pl.Float64}
    if paths is None or verdicts is None:
        if paths is not None or verdicts is not None:
            raise DataError(f"merge needs both the {what} and their verdicts, or neither.")
        return pl.DataFrame(schema=schema)
    passed = verdicts.filter("accepted").select("trajectory_id", "p_correct")
    rows = passed.join(paths.select(_PATH_COLUMNS), on="trajectory_id", how="left", validate="1:1")
    if lost := rows["response"].null_count():
        raise DataError(
            f"{lost} accepted paths are not among the {what}.",
            rule="a verdict leads to its trajectory",
            fix="run the score and reflect stages of this round again",
        )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _check_new(earlier: pl.DataFrame, candidates: pl.DataFrame) -> None:
    twice = candidates.filter(
        pl.col("trajectory_id").is_duplicated()
        | pl.col("trajectory_id").is_in(earlier["trajectory_id"].to_list())
    )
    if twice.height:
        raise DataError(
            f"{twice.height} accepted paths are training rows already, such as {twice['trajectory_id'][0]}.",
            rule="a path joins the training rows once",
            fix="give the training rows of the round before as previous",
        )


def _in_order(earlier: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """Put earlier rows first, then candidates by preference; the order decides what stays."""
    names = ["problem_id", "trajectory_id", "origin", "response"]
    old = earlier.select(names).with_columns(
        finish_reason=pl.lit("stop"), p_correct=pl.lit(None, dtype=pl.Float64), old=pl.lit(True)
    )
    new = candidates.select(*names, "finish_reason", "p_correct").with_columns(old=pl.lit(False))
    rows = with_dedup_key(pl.concat([old, new]))
    return rows.sort(
        "problem_id",
        ~pl.col("old"),
        pl.col("origin") == "reflection",
        -pl.col("p_correct").fill_null(-1.0),
        "trajectory_id",
    )


def _take(
    rows: pl.DataFrame, keep: pl.Expr, reason: str, dropped: list[pl.DataFrame]
) -> pl.DataFrame:
    marked = rows.with_columns(keep.alias("keep"))
    dropped.append(marked.filter(~pl.col("keep")).select("trajectory_id", reason=pl.lit(reason)))
    return marked.filter(pl.col("keep")).drop("keep")
