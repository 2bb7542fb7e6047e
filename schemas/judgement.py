"""Judgements: what the ORM says of its test rows."""

from __future__ import annotations

import polars as pl

from schemas.enums import ERROR_KINDS, ORM_STATUSES
from schemas.table import Table, content_id, field, one_of, only_wrong_has_feedback, text, unique


class Judgement(Table):
    """The ORM's judgement of one test row."""

    row_id: pl.String = content_id("the judged row; in `OrmRow`")
    trajectory_id: pl.String = content_id("its trajectory; in `Trajectory`")
    problem_id: pl.String = content_id("its problem; in `Problem`")
    orm_status: pl.String = one_of(ORM_STATUSES, "{}")
    p_correct: pl.Float64 = field(
        "the ORM's probability of correct, from 0 to 1",
        nullable=True,
        in_range={"min_value": 0, "max_value": 1},
    )
    error_step: pl.Int64 = field("first faulty step by the ORM, from 1", nullable=True, ge=1)
    error_analysis: pl.String = text("what is wrong there, by the ORM", nullable=True)
    error_kind: pl.String = one_of(ERROR_KINDS, "kind of the error: {}", nullable=True)

    id_unique = unique("row_id")
    feedback_fits = only_wrong_has_feedback(
        "orm_status", "error_step", "error_analysis", "error_kind"
    )
