"""Audit: what the ORM's verdicts are worth, by a judge that cannot err.

The step verifier (`mathse.figures.verifier`) judges the same trajectories. It knows the built-in
problems only: other problems are not audited. The loop never sees what it says.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from mathse.figures.source import SOURCE, key_of
from mathse.figures.verifier import Unreadable, verify
from schemas import Audit, column_types

AUDIT = column_types(Audit)
_COPIED = [name for name in AUDIT if name not in ("truth", "fault_step", "fault_kind")]


def audit(
    trajectories: pl.DataFrame, verdicts: pl.DataFrame, problems: pl.DataFrame
) -> pl.DataFrame:
    """Judge judged trajectories again, by the step verifier.

    Args:
        trajectories: `Trajectory` rows.
        verdicts: their `Verdict` rows.
        problems: `Problem` rows; trajectories of problems that are not built in are left out.

    Returns:
        `Audit` rows, one for each trajectory of a built-in problem with a verdict.
    """
    built_in = problems.filter(pl.col("source") == SOURCE).iter_rows(named=True)
    keys = {row["problem_id"]: key_of(row) for row in built_in}
    judged = trajectories.join(verdicts, on="trajectory_id", how="inner", suffix="_verdict")
    rows = []
    for row in judged.iter_rows(named=True):
        if row["problem_id"] not in keys:
            continue
        truth, step, kind = "right", None, None
        try:
            if fault := verify(keys[row["problem_id"]], row["response"]):
                truth, step, kind = "wrong", fault.step, fault.kind
        except Unreadable as error:
            truth, step = "unreadable", error.step
        rows.append(
            {
                **{name: row[name] for name in _COPIED},
                "truth": truth,
                "fault_step": step,
                "fault_kind": kind,
            }
        )
    return pl.DataFrame(rows, schema=AUDIT)


def audit_metrics(rows: pl.DataFrame, *, min_p_correct: float) -> dict[str, Any]:
    """Count audited trajectories by origin: how the ORM judged right and wrong ones.

    It passes what the loop would accept by its word: see `accept_trajectories`.

    Returns:
        For each origin: n, unreadable, right and wrong (counts by the verifier); right_passed and
        wrong_passed (shares that the ORM passed); step_exact and step_within_one (shares of the
        wrong ones it refused whose step it named); accepted_wrong (accepted with a fault) and
        accepted_wrong_reasoning (of these with the right answer). Shares of nothing are None.
    """
    judged = pl.col("orm_status").is_in(("correct", "wrong"))
    by_verdict = pl.col("orm_status") == "correct"
    by_p = judged & (pl.col("p_correct") >= min_p_correct) if min_p_correct else by_verdict
    passed = pl.coalesce(by_p, by_verdict)
    rows = rows.with_columns(passed=passed)
    return {origin[0]: _counts(part) for origin, part in sorted(rows.group_by("origin"))}


def _counts(rows: pl.DataFrame) -> dict[str, Any]:
    wrong, right = rows.filter(pl.col("truth") == "wrong"), rows.filter(pl.col("truth") == "right")
    asked = wrong.filter(pl.col("orm_status").is_in(("correct", "wrong")))
    named = asked.filter(~pl.col("passed"), pl.col("error_step").is_not_null())
    off = (named["error_step"] - named["fault_step"]).abs()
    accepted = wrong.filter("accepted")
    return {
        "n": rows.height,
        "unreadable": rows.filter(pl.col("truth") == "unreadable").height,
        "right": right.height,
        "wrong": wrong.height,
        "right_passed": _share(right["passed"]),
        "wrong_passed": _share(asked["passed"]),
        "step_exact": _share(off == 0),
        "step_within_one": _share(off <= 1),
        "accepted_wrong": accepted.height,
        "accepted_wrong_reasoning": accepted.filter(pl.col("answer_state") == "match").height,
    }


def _share(flags: pl.Series) -> float | None:
    return None if flags.is_empty() else float(flags.sum()) / flags.len()
