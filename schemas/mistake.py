"""Mistakes: wrong trajectories to reflect on, each with the feedback on it."""

from __future__ import annotations

import polars as pl

from schemas.enums import ERROR_KINDS
from schemas.table import Table, content_id, field, one_of, text, unique


class Mistake(Table):
    """One reflection to ask for. Mistakes of unsolved problems stay for the next round."""

    parent_id: pl.String = content_id("the wrong trajectory; in `Trajectory`, of any round")
    problem_id: pl.String = content_id("its problem; in `Problem`")
    sample_idx: pl.Int64 = field("number among the reflections of its problem, from 0", ge=0)
    response: pl.String = text("the wrong solution as written")
    error_step: pl.Int64 = field("first faulty step by the ORM, from 1", nullable=True, ge=1)
    error_analysis: pl.String = text("what is wrong there, by the ORM", nullable=True)
    error_kind: pl.String = one_of(ERROR_KINDS, "kind of the error: {}", nullable=True)

    numbered = unique("problem_id", "sample_idx")
