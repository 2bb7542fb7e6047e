"""refresh: the ORM learns from the round, for the next one, where `orm.refresh` says so."""

from __future__ import annotations

import shutil
from typing import Any

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import empty, read, read_problems, write, write_metrics
from mathse.judge.refresh import annotate_round, train_further


def refresh(layout: Layout, round_name: str) -> None:
    """Write the rows of the rounds so far and, where it learns from them, the ORM of the next."""
    files = layout.round(round_name)
    if round_name == "r0":  # no round has written anything yet
        write(empty(schemas.OrmRow), files.orm_rows, schemas.OrmRow, sort_by=["row_id"])
        return
    params = load_params(layout.params)
    rows = read(layout.round(params.previous_round(round_name) or "r0").orm_rows, schemas.OrmRow)
    counts: dict[str, Any] = {}
    shutil.rmtree(files.orm_model, ignore_errors=True)
    files.orm_curve.write_text("", encoding="utf-8")
    if params.orm.refresh != "never":
        problems = read_problems(layout, "train", "orm")
        pool = problems.filter(pl.col("split") == "train")
        new, counts = annotate_round(layout, params, pool, round_name)
        rows = pl.concat([rows, new])
        counts |= {"new_rows": new.height, "rows": rows.height}
        counts["training"] = train_further(layout, params, rows, problems, round_name)
    write(rows, files.orm_rows, schemas.OrmRow, sort_by=["row_id"])
    metrics = {"refresh": params.orm.refresh, **counts}
    write_metrics(layout.metrics("refresh", round_name), {round_name: metrics})


if __name__ == "__main__":
    run(refresh)
