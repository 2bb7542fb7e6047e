"""Audits: the step verifier's word beside the ORM's, for trajectories of built-in problems."""

from __future__ import annotations

import polars as pl

from schemas.enums import ANSWER_STATES, AUDIT_STATES, ERROR_KINDS, ORIGINS, ORM_STATUSES
from schemas.table import Table, content_id, field, one_of, rule, short_name, unique


class Audit(Table):
    """One judged trajectory, judged again by the step verifier."""

    trajectory_id: pl.String = content_id("the trajectory; in `Trajectory`")
    problem_id: pl.String = content_id("its problem; in `Problem`")
    round: pl.String = short_name("round of the trajectory")
    origin: pl.String = one_of(ORIGINS, "who wrote it: {}")
    answer_state: pl.String = one_of(ANSWER_STATES, "the answer check: {}")
    orm_status: pl.String = one_of(ORM_STATUSES, "the ORM's judgement: {}")
    p_correct: pl.Float64 = field("the ORM's probability of correct", nullable=True)
    error_step: pl.Int64 = field("first faulty step by the ORM, from 1", nullable=True, ge=1)
    accepted: pl.Boolean = field("whether the loop accepted it")
    truth: pl.String = one_of(
        AUDIT_STATES, "the step verifier: {} (unreadable: a line in no known wording)"
    )
    fault_step: pl.Int64 = field(
        "first faulty or unreadable step by the verifier, from 1", nullable=True, ge=1
    )
    fault_kind: pl.String = one_of(ERROR_KINDS, "kind of that fault: {}", nullable=True)

    id_unique = unique("trajectory_id")
    fault_fits = rule(
        "wrong trajectories and only they have a kind of fault",
        "fault_kind",
        (pl.col("truth") == "wrong") == pl.col("fault_kind").is_not_null(),
    )
