"""Training rows: the accepted paths that the student learns from."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.enums import ORIGINS
from schemas.table import Table, is_content_id, is_short_name, not_empty, one_of, unique


class TrainRow(Table):
    """One training row. `round` is the round that added it; the ids lead back to all that made it."""

    row_id: pl.String = pa.Field(description="content id of the row")
    problem_id: pl.String = pa.Field(description="its problem; in `Problem`")
    trajectory_id: pl.String = pa.Field(description="the accepted path; in `Trajectory`")
    round: pl.String = pa.Field(description="round that added the row")
    origin: pl.String = pa.Field(description="teacher, student or reflection")
    response: pl.String = pa.Field(description="the text to learn")

    id_form = is_content_id("row_id")
    id_unique = unique("row_id")
    problem_id_form = is_content_id("problem_id")
    trajectory_id_form = is_content_id("trajectory_id")
    trajectory_unique = unique("trajectory_id")
    round_name = is_short_name("round")
    origin_known = one_of("origin", ORIGINS)
    response_given = not_empty("response")
