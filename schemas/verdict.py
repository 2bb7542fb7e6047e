"""Verdicts: answer check and ORM's judgement of each trajectory, and whether it is accepted."""

from __future__ import annotations

import polars as pl

from schemas.enums import ANSWER_STATES, ERROR_KINDS, ORM_STATUSES, REJECT_REASONS
from schemas.graded import ANSWER_GIVEN
from schemas.table import (
    Table,
    content_id,
    field,
    one_of,
    only_wrong_has_feedback,
    rule,
    short_name,
    text,
    unique,
)


class Verdict(Table):
    """One verdict. `reason` names why a trajectory is not accepted."""

    trajectory_id: pl.String = content_id("the judged trajectory; in `Trajectory`")
    problem_id: pl.String = content_id("its problem; in `Problem`")
    round: pl.String = short_name("round of the trajectory")
    answer_state: pl.String = one_of(ANSWER_STATES, "the answer check: {}")
    predicted_answer: pl.String = field("answer found in the response", nullable=True)
    orm_status: pl.String = one_of(
        ORM_STATUSES, "the ORM's judgement: {} (skipped: it was not asked)"
    )
    p_correct: pl.Float64 = field(
        "the ORM's probability of correct, from 0 to 1",
        nullable=True,
        in_range={"min_value": 0, "max_value": 1},
    )
    error_step: pl.Int64 = field(
        "first faulty step that the ORM names, counted from 1", nullable=True, ge=1
    )
    error_analysis: pl.String = text("what is wrong there, by the ORM", nullable=True)
    error_kind: pl.String = one_of(ERROR_KINDS, "kind of the error: {}", nullable=True)
    accepted: pl.Boolean = field("whether the trajectory may become a training row")
    reason: pl.String = one_of(
        REJECT_REASONS, "why not: {}; null for an accepted trajectory", nullable=True
    )

    id_unique = unique("trajectory_id")
    answer_found = rule("a compared answer is given", "predicted_answer", ANSWER_GIVEN)
    feedback_fits = only_wrong_has_feedback(
        "orm_status", "error_step", "error_analysis", "error_kind"
    )
    reason_fits = rule(
        "rejected trajectories and only they have a reason",
        "reason",
        pl.col("accepted") == pl.col("reason").is_null(),
    )
    accepted_passed = rule(
        "an accepted trajectory passed a check",
        "accepted",
        ~pl.col("accepted")
        | (pl.col("answer_state") == "match")
        | (pl.col("orm_status") == "correct")
        | ((pl.col("orm_status") == "wrong") & (pl.col("p_correct").fill_null(0.0) > 0.0)),
    )
