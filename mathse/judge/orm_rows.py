"""Rows to train and test the ORM: as many wrong as correct ones, spread over families."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.curation.dedup import with_dedup_key
from mathse.curation.drops import Drops, count_dropped
from schemas import ORM_PARTS, OrmRow, column_types

ORM_ROW = column_types(OrmRow)
_FEEDBACK = ("error_step", "error_analysis", "error_kind", "right_step")


def build_rows(
    trajectories: pl.DataFrame,
    problems: pl.DataFrame,
    *,
    test_problems: Collection[str],
    max_train: int | None = None,
    max_test: int | None = None,
    max_per_problem: int = 2,
    need_feedback: bool = True,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Choose the ORM's rows: in each part exactly as many wrong as correct trajectories.

    Each part takes rows of a status from the families in turn, and within a family first one of
    each problem, so that no family or problem fills a part. Ties are broken by content hash. Where
    one text was called both correct and wrong, the wrong one stays.

    Args:
        trajectories: trajectory_id, problem_id, response, steps, status (correct or wrong),
            error_step, error_analysis, error_kind, right_step (null for correct ones), figure (what
            it shows, or null).
        problems: `Problem` rows; the family (or the subject, where there is none) is taken from
            them.
        test_problems: ids of the problems of the test part; all others make the training part.
        max_train: most training rows in total.
        max_test: most test rows in total.
        max_per_problem: most rows of one status of one problem.
        need_feedback: whether a wrong trajectory must name step and analysis (the diagnostic form).

    Returns:
        `OrmRow` rows sorted by row_id, and trajectory_id and reason of each trajectory that was not
        taken: empty, no_feedback, step_outside, near_identical, over_problem_cap, over_balance
            or over_cap.

    Raises:
        ParamError: if a cap is too small.
        DataError: if a status is unknown, a trajectory occurs twice, or a problem is unknown.

    Source:
        arXiv 2511.06805: 30k wrong ones with annotation and 30k correct ones; test 1,000 of each.
        The spread over families is an addition.
    """
    if max_per_problem < 1 or min(cap for cap in (max_train, max_test, 2) if cap is not None) < 2:
        raise ParamError("max_per_problem must be at least 1, max_train and max_test at least 2")
    _check(trajectories)
    drops = Drops()
    rows = _with_group(trajectories, problems).with_columns(
        part=pl.when(pl.col("problem_id").is_in(list(test_problems)))
        .then(pl.lit("test"))
        .otherwise(pl.lit("train")),
        order=pl.col("trajectory_id"),
    )
    # What cannot be a row, then texts of a problem that are alike: wrong ones sort first, and stay.
    for reason, bad in _unusable(need_feedback):
        rows = drops.keep(rows, ~bad.fill_null(True), reason)
    rows = with_dedup_key(rows).sort("status", "order", descending=[True, False])
    rows = drops.keep(
        rows, pl.struct("problem_id", "dedup_key").is_first_distinct(), "near_identical"
    )
    # The order in which rows are taken: families in turn, few rows of one problem.
    rows = _in_turn(rows)
    rows = drops.keep(rows, pl.col("of_problem") < max_per_problem, "over_problem_cap")
    rows = rows.with_columns(turn=pl.int_range(pl.len()).over("part", "status"))
    # Each part ends where the rarer status ends, or at half its cap.
    counts = rows.group_by("part", "status").len()
    kept = []
    for part, cap in zip(ORM_PARTS, (max_train, max_test), strict=True):
        sizes = dict(counts.filter(pl.col("part") == part).select("status", "len").iter_rows())
        each = min(sizes.get("correct", 0), sizes.get("wrong", 0))
        chosen = rows.filter(pl.col("part") == part)
        chosen = drops.keep(chosen, pl.col("turn") < each, "over_balance")
        if cap is not None:
            chosen = drops.keep(chosen, pl.col("turn") < cap // 2, "over_cap")
        kept.append(chosen)
    return _finish(pl.concat(kept)), drops.table()


def count_rows(rows: pl.DataFrame, dropped: pl.DataFrame) -> dict[str, Any]:
    """Count rows by part, wrong ones by the kind of error, and dropped ones by reason."""
    kinds = rows.filter(pl.col("status") == "wrong").group_by("error_kind").len()
    return {
        **{part: rows.filter(pl.col("part") == part).height for part in ORM_PARTS},
        "wrong_by_kind": {
            kind or "not named": count for kind, count in kinds.sort("error_kind").iter_rows()
        },
        "dropped": count_dropped(dropped),
    }


def _check(trajectories: pl.DataFrame) -> None:
    unknown = set(trajectories["status"].unique()) - {"correct", "wrong"}
    if unknown:
        raise DataError(
            f"Trajectories for the ORM have the status {unknown}.",
            rule="status is correct or wrong",
        )
    if trajectories["trajectory_id"].is_duplicated().any():
        raise DataError(
            "A trajectory occurs twice among the trajectories for the ORM.",
            rule="one status per trajectory",
        )


def _unusable(need_feedback: bool) -> list[tuple[str, pl.Expr]]:
    wrong = pl.col("status") == "wrong"
    unnamed = pl.col("error_step").is_null() | (
        pl.col("error_analysis").fill_null("").str.strip_chars() == ""
    )
    outside = ~pl.col("error_step").is_between(1, pl.col("steps").list.len())
    return [
        ("empty", pl.col("steps").list.len() == 0),
        ("no_feedback", wrong & unnamed if need_feedback else pl.lit(False)),
        ("step_outside", wrong & outside.fill_null(False)),
    ]


def _with_group(trajectories: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    groups = problems.select("problem_id", group=pl.coalesce("family", "subject"))
    joined = trajectories.join(
        groups, on="problem_id", how="left", maintain_order="left", validate="m:1"
    )
    lost = joined.filter(pl.col("group").is_null())
    if lost.height:
        raise DataError(
            f"{lost.height} trajectories are of unknown problems, such as {lost['problem_id'][0]}.",
            rule="a trajectory's problem is known",
        )
    return joined


def _in_turn(rows: pl.DataFrame) -> pl.DataFrame:
    """Order rows of each part and status: families take turns, and problems within a family."""
    rows = rows.sort("order").with_columns(
        of_problem=pl.int_range(pl.len()).over("part", "status", "problem_id")
    )
    rows = rows.sort("of_problem", "order").with_columns(
        of_group=pl.int_range(pl.len()).over("part", "status", "group")
    )
    return rows.sort("of_group", "group")


def _finish(rows: pl.DataFrame) -> pl.DataFrame:
    wrong = pl.col("status") == "wrong"
    rows = rows.with_columns(pl.when(wrong).then(pl.col(name)).alias(name) for name in _FEEDBACK)
    ids = [content_id("orm row", name) for name in rows["trajectory_id"]]
    rows = rows.with_columns(pl.Series("row_id", ids, dtype=pl.String)).sort("row_id")
    return rows.select(pl.col(name).cast(dtype) for name, dtype in ORM_ROW.items())
