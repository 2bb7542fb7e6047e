"""ORM rows: judged trajectories that the ORM is trained and tested on."""

from __future__ import annotations

from typing import Annotated

import polars as pl

from schemas.enums import ERROR_KINDS, ORM_PARTS, ORM_STATUSES
from schemas.table import (
    Table,
    content_id,
    field,
    one_of,
    only_wrong_has_feedback,
    rule,
    steps_are_lines,
    text,
    unique,
)


class OrmRow(Table):
    """One judged trajectory; a wrong one with its first faulty step and what is wrong with it.

    `figure` and `right_step` are given where a teacher writes them: the stepwise form learns to
    look, to solve and to compare from them.
    """

    row_id: pl.String = content_id("content id of the row")
    problem_id: pl.String = content_id("its problem; in `Problem`")
    trajectory_id: pl.String = content_id("the judged trajectory; in `Trajectory`")
    part: pl.String = one_of(ORM_PARTS, "{}")
    response: pl.String = text("the trajectory's text")
    steps: Annotated[pl.List, pl.String()] = field(
        "its lines, stripped, without empty ones; some steps have several"
    )
    status: pl.String = one_of(ORM_STATUSES[:2], "{}: what the ORM must answer")
    error_step: pl.Int64 = field("first faulty step, counted from 1", nullable=True, ge=1)
    error_analysis: pl.String = text("what is wrong there", nullable=True)
    error_kind: pl.String = one_of(ERROR_KINDS, "kind of the error: {}", nullable=True)
    figure: pl.String = text("what the figure shows, as the teacher describes it", nullable=True)
    right_step: pl.String = text("what the faulty step should be", nullable=True)

    id_unique = unique("row_id")
    steps_fit = steps_are_lines()
    error_step_within = rule(
        "error_step within steps", "error_step", pl.col("error_step") <= pl.col("steps").list.len()
    )
    feedback_fits = only_wrong_has_feedback(
        "status", "error_step", "error_analysis", "error_kind", "right_step"
    )
