"""ORM rows: judged paths that the ORM is trained and tested on."""

from __future__ import annotations

from typing import Annotated

import pandera.polars as pa
import polars as pl

from schemas.enums import ERROR_KINDS, ORM_PARTS, ORM_STATUSES
from schemas.table import (
    Table,
    at_least,
    is_content_id,
    not_empty,
    one_of,
    rule,
    steps_are_lines,
    unique,
)

_NO_FEEDBACK = pl.all_horizontal(
    pl.col("error_step", "error_analysis", "error_kind", "right_step").is_null()
)


class OrmRow(Table):
    """One judged path. Wrong paths carry the first faulty step and what is wrong with it.

    `figure` and `right_step` are there where a teacher tells: the stepwise form learns to look, to
    solve and to compare from them.
    """

    row_id: pl.String = pa.Field(description="content id of the row")
    problem_id: pl.String = pa.Field(description="its problem; in `Problem`")
    trajectory_id: pl.String = pa.Field(description="the judged path; in `Trajectory`")
    part: pl.String = pa.Field(description="train or test")
    response: pl.String = pa.Field(description="the path's text")
    steps: Annotated[pl.List, pl.String()] = pa.Field(
        description="its lines, stripped, without empty ones"
    )
    status: pl.String = pa.Field(description="correct or wrong: what the ORM is to say")
    error_step: pl.Int64 = pa.Field(nullable=True, description="first faulty step, counted from 1")
    error_analysis: pl.String = pa.Field(nullable=True, description="what is wrong there")
    error_kind: pl.String = pa.Field(
        nullable=True,
        description="kind of the error: vision, question, knowledge, reasoning or calculation",
    )
    figure: pl.String = pa.Field(
        nullable=True, description="what the figure shows, as the teacher tells it"
    )

    right_step: pl.String = pa.Field(nullable=True, description="what the faulty step should be")

    id_form = is_content_id("row_id")
    id_unique = unique("row_id")
    problem_id_form = is_content_id("problem_id")
    trajectory_id_form = is_content_id("trajectory_id")
    part_known = one_of("part", ORM_PARTS)
    response_given = not_empty("response")
    steps_fit = steps_are_lines()
    status_known = one_of("status", ORM_STATUSES[:2])
    error_step_range = at_least("error_step", 1)
    error_step_within = rule(
        "error_step within steps", "error_step", pl.col("error_step") <= pl.col("steps").list.len()
    )
    error_analysis_given = not_empty("error_analysis")
    error_kind_known = one_of("error_kind", ERROR_KINDS)
    figure_told = not_empty("figure")
    right_step_told = not_empty("right_step")
    feedback_fits = rule(
        "only wrong paths have feedback", "status", (pl.col("status") == "wrong") | _NO_FEEDBACK
    )
