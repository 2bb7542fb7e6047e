"""Drop rows, each with a reason."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas import Dropped, column_types

DROPPED = column_types(Dropped)


class Drops:
    """The trajectories that were dropped so far, each with its reason."""

    def __init__(self) -> None:
        self._parts = [pl.DataFrame(schema=DROPPED)]

    def keep(self, rows: pl.DataFrame, condition: pl.Expr, reason: str) -> pl.DataFrame:
        """Return the rows that meet a condition; the others are dropped for this reason."""
        marked = rows.with_columns(condition.alias("_keep"))
        dropped = marked.filter(~pl.col("_keep"))
        self._parts.append(dropped.select("trajectory_id", reason=pl.lit(reason)))
        return marked.filter("_keep").drop("_keep")

    def table(self) -> pl.DataFrame:
        """Return `Dropped` rows of all that was dropped, sorted by trajectory_id."""
        return pl.concat(self._parts).sort("trajectory_id")


def count_dropped(dropped: pl.DataFrame, reasons: Sequence[str] = ()) -> dict[str, int]:
    """Count the dropped rows by reason; the given reasons come first, zeros included."""
    found = dropped.group_by("reason").len().sort("reason").iter_rows()
    return dict.fromkeys(reasons, 0) | dict(found)
