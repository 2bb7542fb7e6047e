"""Dropped rows: accepted trajectories that did not become training rows."""

from __future__ import annotations

import polars as pl

from schemas.enums import DROP_REASONS
from schemas.table import Table, content_id, one_of, unique


class Dropped(Table):
    """One accepted trajectory without a training row."""

    trajectory_id: pl.String = content_id("the trajectory; in `Trajectory`")
    reason: pl.String = one_of(DROP_REASONS, "why: {}")

    id_unique = unique("trajectory_id")
