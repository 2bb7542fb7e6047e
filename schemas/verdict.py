"""Verdicts: what the answer check and the ORM say of each trajectory, and whether it is accepted."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.enums import ANSWER_STATES, ERROR_KINDS, ORM_STATUSES
from schemas.table import (
    Table,
    at_least,
    is_content_id,
    is_short_name,
    not_empty,
    one_of,
    rule,
    unique,
)

_NO_FEEDBACK = pl.all_horizontal(pl.col("error_step", "error_analysis", "error_kind").is_null())


class Verdict(Table):
    """One verdict. `reason` says by name why a path is not accepted."""

    trajectory_id: pl.String = pa.Field(description="the path that is judged; in `Trajectory`")
    problem_id: pl.String = pa.Field(description="its problem; in `Problem`")
    round: pl.String = pa.Field(description="round of the path")
    answer_state: pl.String = pa.Field(
        description="the answer check: match, mismatch, no_answer, timeout or error"
    )
    predicted_answer: pl.String = pa.Field(
        nullable=True, description="answer found in the response"
    )
    orm_status: pl.String = pa.Field(
        description="the ORM's word: correct, wrong, unparseable; skipped where it was not asked"
    )
    p_correct: pl.Float64 = pa.Field(
        nullable=True, description="the ORM's probability of correct, from 0 to 1"
    )
    error_step: pl.Int64 = pa.Field(
        nullable=True, description="first faulty step that the ORM names, counted from 1"
    )
    error_analysis: pl.String = pa.Field(
        nullable=True, description="what the ORM says is wrong there"
    )
    error_kind: pl.String = pa.Field(
        nullable=True,
        description="kind of the error: vision, question, knowledge, reasoning or calculation",
    )
    accepted: pl.Boolean = pa.Field(description="whether the path may become a training row")
    reason: pl.String = pa.Field(
        nullable=True, description="why not, by name; null for an accepted path"
    )

    id_form = is_content_id("trajectory_id")
    id_unique = unique("trajectory_id")
    problem_id_form = is_content_id("problem_id")
    round_name = is_short_name("round")
    answer_state_known = one_of("answer_state", ANSWER_STATES)
    answer_found = rule(
        "a compared answer is given",
        "predicted_answer",
        ~pl.col("answer_state").is_in(("match", "mismatch"))
        | pl.col("predicted_answer").is_not_null(),
    )
    orm_status_known = one_of("orm_status", ORM_STATUSES)
    p_correct_range = rule(
        "p_correct is from 0 to 1",
        "p_correct",
        pl.col("p_correct").is_between(0, 1) & ~pl.col("p_correct").is_nan(),
    )
    error_step_range = at_least("error_step", 1)
    error_analysis_given = not_empty("error_analysis")
    error_kind_known = one_of("error_kind", ERROR_KINDS)
    feedback_fits = rule(
        "only wrong paths have feedback",
        "orm_status",
        (pl.col("orm_status") == "wrong") | _NO_FEEDBACK,
    )
    reason_given = not_empty("reason")
    reason_fits = rule(
        "rejected paths and only they have a reason",
        "reason",
        pl.col("accepted") == pl.col("reason").is_null(),
    )
    accepted_passed = rule(
        "an accepted path passed a check",
        "accepted",
        ~pl.col("accepted")
        | (pl.col("answer_state") == "match")
        | (pl.col("orm_status") == "correct"),
    )
