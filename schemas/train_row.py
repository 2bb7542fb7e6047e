"""Training rows: the accepted trajectories that the student learns from."""

from __future__ import annotations

import polars as pl

from schemas.enums import ORIGINS
from schemas.table import Table, content_id, one_of, short_name, text, unique


class TrainRow(Table):
    """One training row. `round` is the round that added it; the ids lead to all that made it."""

    row_id: pl.String = content_id("content id of the row")
    problem_id: pl.String = content_id("its problem; in `Problem`")
    trajectory_id: pl.String = content_id("the accepted trajectory; in `Trajectory`")
    round: pl.String = short_name("round that added the row")
    origin: pl.String = one_of(ORIGINS, "{}")
    response: pl.String = text("the text to learn")

    id_unique = unique("row_id")
    trajectory_unique = unique("trajectory_id")
