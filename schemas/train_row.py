"""Training rows: the accepted trajectories that the student learns from."""

from __future__ import annotations

from typing import Annotated

import polars as pl

from schemas.enums import ORIGINS
from schemas.table import Table, content_id, field, one_of, short_name, text, unique


class TrainRow(Table):
    """One training row. `round` is the round that added it; the ids lead to all that made it.

    A row with a draft also teaches to reflect on the draft, one with candidates to choose.
    """

    row_id: pl.String = content_id("content id of the row")
    problem_id: pl.String = content_id("its problem; in `Problem`")
    trajectory_id: pl.String = content_id("the accepted trajectory; in `Trajectory`")
    round: pl.String = short_name("round that added the row")
    origin: pl.String = one_of(ORIGINS, "{}")
    response: pl.String = text("the text to learn")
    draft: pl.String | None = text(
        "the wrong trajectory that a reflection corrects; the column is there with "
        "`merge.reflection_rows`, as the next two",
        nullable=True,
    )
    error_step: pl.Int64 | None = field("what the judge said of the draft", nullable=True, ge=1)
    error_analysis: pl.String | None = text("likewise", nullable=True)
    candidates: Annotated[pl.List, pl.String()] | None = field(
        "the response and wrong solutions of the same problem, of which the student learns to name "
        "the right one; the column is there with `merge.select_rows`",
        nullable=True,
    )

    id_unique = unique("row_id")
    trajectory_unique = unique("trajectory_id")
