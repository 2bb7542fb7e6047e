"""refresh: the ORM learns from the round, for the next one, where `orm.refresh` says so."""

from __future__ import annotations

from typing import Any

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.judge.refresh import annotate_round, train_on


def refresh(layout: Layout, round_name: str) -> None:
    """Write the rows of the rounds so far, and the ORM that was trained on; without, neither."""
    params = load_params(layout.params)
    previous = layout.round(params.previous_round(round_name) or "r0")
    rows = read(previous.orm_rows, schemas.OrmRow)
    counts: dict[str, Any] = {}
    if params.orm.refresh != "never":
        problems = read_problems(layout, "train", "orm")
        pool = problems.filter(pl.col("split") == "train")
        new, counts = annotate_round(layout, params, pool, round_name)
        rows = pl.concat([rows, new])
        counts |= {"new_rows": new.height, "rows": rows.height}
        counts["training"] = train_on(layout, params, rows, problems, round_name)
    write(rows, layout.round(round_name).orm_rows, schemas.OrmRow, sort_by=["row_id"])
    metrics = {"refresh": params.orm.refresh, **counts}
    write_metrics(layout.metrics("refresh", round_name), {round_name: metrics})


if __name__ == "__main__":
    run(refresh)
