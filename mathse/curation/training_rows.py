"""Merge: what a round adds to the training rows, with a reason for each trajectory left out."""

from __future__ import annotations

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.params import Merge
from mathse.curation.balance import BUCKETS, add_bucket, cap_of_bucket, over_budget
from mathse.curation.dedup import jaccard_duplicates, with_dedup_key
from mathse.curation.drops import Drops
from schemas import TrainRow, Trajectory, Verdict, column_types

UNUSABLE = ("cut_off", "too_short", "too_long")
"""Reasons for which a trajectory cannot be a training row: it does not count as a solution."""

ONE_EACH = Merge(
    max_per_problem=1,
    min_chars=0,
    max_chars=None,
    jaccard_min=None,
    easy_rate=1.0,
    easy_max=None,
    hard_rate=0.25,
    hard_max=None,
    hard_share=0.0,
    reflection_rows=False,
    select_rows=0,
)
"""The limits of the teacher's rows. All stand here: defaults of `Merge` are no dep of a stage."""

TRAIN = column_types(TrainRow)
_CANDIDATE = column_types(
    Trajectory, "trajectory_id", "problem_id", "origin", "response", "finish_reason"
)


def merge_rows(
    previous: pl.DataFrame | None,
    trajectories: pl.DataFrame | None,
    verdicts: pl.DataFrame | None,
    reflections: pl.DataFrame | None = None,
    reflection_verdicts: pl.DataFrame | None = None,
    *,
    round_name: str,
    limits: Merge,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Add a round's accepted trajectories and accepted reflections to the training rows.

    Earlier rows stay as they are. New trajectories of a problem are ordered: the student's before
    reflections, then by falling P(correct) (none is lowest), then by content hash. In this order
    one is left out for the first reason that applies: it was cut off, is too short or too long;
    its text is there already, or a near-duplicate (see `mathse.curation.dedup`); its problem has
    `max_per_problem` rows, or fewer where the problem is easy; hard problems would have less than
    their share. With no earlier rows and the teacher's trajectories this makes the r0 rows.

    Args:
        previous: `TrainRow` rows of the previous round, or None.
        trajectories: the round's `Trajectory` rows, or None where it generated nothing.
        verdicts: their `Verdict` rows.
        reflections: the round's reflections, or None.
        reflection_verdicts: their `Verdict` rows.
        round_name: this round; the new rows carry it.
        limits: the section merge of the parameters.

    Returns:
        `TrainRow` rows sorted by row_id, and trajectory_id with reason of each accepted trajectory
        left out. Every accepted trajectory is in exactly one of the two.

    Raises:
        DataError: if a verdict has no trajectory, or a trajectory is among the earlier rows.

    Source:
        arXiv 2511.06805, Eq. (2): D_next = R_correct ∪ R_reflected. Deduplication and the cap are
        additions.
    """
    drops, old = Drops(), pl.col("old")
    # Earlier rows and candidates, in the order of preference.
    earlier = pl.DataFrame(schema=TRAIN) if previous is None else previous.select(TRAIN.names())
    new = _accepted(trajectories, verdicts, "trajectories")
    repaired = _accepted(reflections, reflection_verdicts, "reflections")
    candidates = pl.concat([new, repaired])
    _check_new(earlier, candidates)
    rows = add_bucket(_in_order(earlier, candidates), verdicts, limits)

    # Trajectories that cannot be rows, and duplicates.
    chars, name = pl.col("response").str.len_chars(), pl.col("trajectory_id")
    rows = drops.keep(rows, old | (pl.col("finish_reason") == "stop"), "cut_off")
    rows = drops.keep(rows, old | (chars >= limits.min_chars), "too_short")
    if limits.max_chars is not None:
        rows = drops.keep(rows, old | (chars <= limits.max_chars), "too_long")
    for reason, key in (("identical", "response"), ("near_identical", "dedup_key")):
        rows = drops.keep(rows, old | pl.struct("problem_id", key).is_first_distinct(), reason)
    if limits.jaccard_min is not None:
        duplicates = jaccard_duplicates(rows, limits.jaccard_min)
        rows = drops.keep(rows, ~name.is_in(duplicates), "near_identical")

    # Limits of a problem, then the share of hard problems.
    rows = rows.with_columns(index=pl.int_range(pl.len()).over("problem_id"))
    cap = cap_of_bucket(limits)
    is_easy, of_any = pl.col("bucket") == "easy", pl.lit(limits.max_per_problem)
    most = pl.when(is_easy).then(pl.max_horizontal(cap, of_any)).otherwise(cap)
    rows = drops.keep(rows, old | (pl.col("index") < most), "over_cap")
    rows = drops.keep(rows, old | (pl.col("index") < cap), "easy")
    rows = drops.keep(rows, ~name.is_in(over_budget(rows, limits.hard_share)), "over_budget")

    # What is left joins the earlier rows.
    new = rows.filter(~old).with_columns(round=pl.lit(round_name))
    ids = [content_id("train row", trajectory_id) for trajectory_id in new["trajectory_id"]]
    new = new.with_columns(pl.Series("row_id", ids, dtype=pl.String)).select(TRAIN.names())
    return pl.concat([earlier, new]).sort("row_id"), drops.table()


def without_unusable(verdicts: pl.DataFrame, dropped: pl.DataFrame) -> pl.DataFrame:
    """Return verdicts for the ledger: what cannot be a training row is not accepted."""
    unusable = dropped.filter(pl.col("reason").is_in(UNUSABLE))["trajectory_id"].to_list()
    return verdicts.with_columns(pl.col("accepted") & ~pl.col("trajectory_id").is_in(unusable))


def count_buckets(
    train: pl.DataFrame, verdicts: pl.DataFrame | None, limits: Merge
) -> dict[str, int]:
    """Count rows by how often the student solved their problem in this round, zeros included."""
    found = add_bucket(train, verdicts, limits)["bucket"].to_list()
    return {bucket: found.count(bucket) for bucket in BUCKETS}


def _accepted(
    trajectories: pl.DataFrame | None, verdicts: pl.DataFrame | None, what: str
) -> pl.DataFrame:
    schema = pl.Schema({**_CANDIDATE, **column_types(Verdict, "p_correct")})
    if trajectories is None and verdicts is None:
        return pl.DataFrame(schema=schema)
    if trajectories is None or verdicts is None:
        raise DataError(f"merge needs both the {what} and their verdicts, or neither.")
    rows = (
        verdicts.filter("accepted")
        .select("trajectory_id", "p_correct")
        .join(
            trajectories.select(_CANDIDATE.names()), on="trajectory_id", how="left", validate="1:1"
        )
    )
    if missing := rows["response"].null_count():
        raise DataError(
            f"{missing} accepted trajectories are not among the {what}.",
            rule="a verdict leads to its trajectory",
            fix="run the score and reflect stages of this round again",
        )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _check_new(earlier: pl.DataFrame, candidates: pl.DataFrame) -> None:
    name = pl.col("trajectory_id")
    known = name.is_duplicated() | name.is_in(earlier["trajectory_id"].to_list())
    repeated = candidates.filter(known)["trajectory_id"]
    if len(repeated):
        raise DataError(
            f"{len(repeated)} accepted trajectories are training rows already, such as "
            f"{repeated[0]}.",
            rule="a trajectory joins the training rows once",
            fix="give the training rows of the previous round as previous",
        )


def _in_order(earlier: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """Put earlier rows first, then candidates by preference; the order decides what stays."""
    names = ["problem_id", "trajectory_id", "origin", "response"]
    old = earlier.select(names).with_columns(
        finish_reason=pl.lit("stop"), p_correct=pl.lit(None, dtype=pl.Float64), old=pl.lit(True)
    )
    new = candidates.select(*names, "finish_reason", "p_correct").with_columns(old=pl.lit(False))
    return with_dedup_key(pl.concat([old, new])).sort(
        "problem_id",
        ~pl.col("old"),
        pl.col("origin") == "reflection",
        -pl.col("p_correct").fill_null(-1.0),
        "trajectory_id",
    )
