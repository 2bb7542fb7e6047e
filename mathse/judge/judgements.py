"""The texts that the ORM judges, each once, and its judgements joined back to trajectories."""

from __future__ import annotations

import polars as pl

from mathse.core.ids import content_id
from schemas import Trajectory, Verdict, column_types

TEXTS = pl.Schema(
    {"text_id": pl.String(), **column_types(Trajectory, "problem_id", "response", "steps")}
)
JUDGEMENTS = pl.Schema(
    {
        "text_id": pl.String(),
        **column_types(
            Verdict, "orm_status", "p_correct", "error_step", "error_analysis", "error_kind"
        ),
    }
)
_JUDGED = [name for name in JUDGEMENTS.names() if name != "text_id"]


def distinct_trajectories(trajectories: pl.DataFrame) -> pl.DataFrame:
    """Return each text that can be judged, once: problem and response, with at least one step.

    Args:
        trajectories: `Trajectory` rows, or any rows with problem_id, response and steps.

    Returns:
        text_id (content id), problem_id, response and steps, sorted by text_id.
    """
    judged = trajectories.filter(pl.col("steps").list.len() > 0)
    once = _with_text_id(judged).unique("text_id", keep="first")
    return once.select(TEXTS.names()).sort("text_id")


def join_judgements(trajectories: pl.DataFrame, judgements: pl.DataFrame) -> pl.DataFrame:
    """Join the judgement of its text to every trajectory; one that was not judged is "skipped".

    Returns:
        The trajectories' rows, in order, with orm_status, p_correct, error_step, error_analysis,
        error_kind.
    """
    joined = _with_text_id(trajectories.drop(_JUDGED, strict=False)).join(
        judgements, on="text_id", how="left", maintain_order="left", validate="m:1"
    )
    return joined.with_columns(pl.col("orm_status").fill_null("skipped")).drop("text_id")


def _with_text_id(trajectories: pl.DataFrame) -> pl.DataFrame:
    pairs = trajectories.select("problem_id", "response").iter_rows()
    ids = [content_id(problem_id, response) for problem_id, response in pairs]
    return trajectories.with_columns(pl.Series("text_id", ids, dtype=pl.String))
