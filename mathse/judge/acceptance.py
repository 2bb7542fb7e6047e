"""Which trajectories may enter the training data, and the named reason why one may not."""

from __future__ import annotations

from typing import get_args

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.params import Accept
from schemas import REJECT_REASONS, UNDECIDED_STATES, Verdict, column_types

VERDICT = column_types(Verdict)
_INPUTS = [name for name in VERDICT.names() if name not in ("accepted", "reason")]


def accept_trajectories(
    trajectories: pl.DataFrame, *, accept: Accept, min_p_correct: float = 0.0
) -> pl.DataFrame:
    """Decide for each trajectory whether it is accepted, and name the reason where it is not.

    Args:
        trajectories: rows with all `Verdict` columns but accepted and reason, and with `steps` and
            `finish_reason` of the trajectory.
        accept: "answer" asks for a matching answer, "orm" for the judge's word, "both" for the
            two.
        min_p_correct: lowest accepted probability of correct, in (0, 1], whatever the verdict says;
            one without a probability is not accepted. 0: the verdict decides.

    Returns:
        `Verdict` rows in input order.

    Raises:
        ParamError: if `accept` is unknown or `min_p_correct` lies outside [0, 1].
        DataError: if a column is missing.

    Source:
        arXiv 2511.06805, Algorithm 1, lines on judging: the paper accepts by the ORM. The check of
        the answer and the threshold are additions.
    """
    if accept not in get_args(Accept):
        raise ParamError(f"accept must be one of {', '.join(get_args(Accept))}, not {accept!r}")
    if not 0.0 <= min_p_correct <= 1.0:
        raise ParamError(f"min_p_correct must lie in [0, 1], not {min_p_correct}")
    if missing := sorted({*_INPUTS, "steps", "finish_reason"} - set(trajectories.columns)):
        raise DataError(
            f"Trajectories to accept lack the columns {missing}.",
            fix="join answer checks and judgements first",
        )
    reason = _first_reason(accept, min_p_correct)
    rows = trajectories.with_columns(reason.alias("reason")).with_columns(
        accepted=pl.col("reason").is_null()
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in VERDICT.items())


def count_reasons(verdicts: pl.DataFrame) -> dict[str, int]:
    """Count accepted trajectories and each reason of the others; the counts sum to all rows."""
    named = verdicts.group_by("reason").len().iter_rows()
    counts: dict[str | None, int] = dict(named)
    return {
        "accepted": counts.get(None, 0),
        **{name: counts[name] for name in REJECT_REASONS if name in counts},
    }


def _first_reason(accept: Accept, min_p_correct: float) -> pl.Expr:
    """Return the first reason that applies, or null. What is unknown or missing is never a pass."""
    asked = [
        ("empty", pl.col("steps").list.len().fill_null(0) == 0),
        ("cut_off", pl.col("finish_reason").fill_null("error") != "stop"),
    ]
    if accept in ("answer", "both"):
        state = pl.col("answer_state").fill_null("error")
        asked += [
            ("no_answer", state == "no_answer"),
            ("answer_unknown", state.is_in(UNDECIDED_STATES)),
            ("answer_timeout", state == "timeout"),
            ("answer_error", ~state.is_in(("match", "mismatch"))),
            ("answer_mismatch", state == "mismatch"),
        ]
    if accept in ("orm", "both"):
        status = pl.col("orm_status").fill_null("unparseable")
        asked += [
            ("orm_skipped", status == "skipped"),
            ("orm_unparseable", ~status.is_in(("correct", "wrong"))),
        ]
        p_correct, wrong = pl.col("p_correct").fill_null(0.0).fill_nan(0.0), status == "wrong"
        low = p_correct < min_p_correct if min_p_correct else wrong
        asked += [("orm_wrong", wrong & low), ("low_p_correct", low)]
    return pl.coalesce(pl.when(applies).then(pl.lit(name)) for name, applies in asked)
