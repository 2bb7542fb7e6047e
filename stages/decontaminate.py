"""decontaminate: list the training problems that an evaluation split has too.

What is left for the ORM is checked here, before anything is asked or trained.
"""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import empty, read_problems, write, write_metrics
from mathse.curation.contamination import contaminated_problems, find_matches
from mathse.judge.solutions import check_solutions


def decontaminate(layout: Layout) -> None:
    """Write matches.parquet."""
    settings = load_params(layout.params)
    rows = read_problems(layout)
    matches = empty(schemas.Match)
    if settings.decontaminate.enabled:
        image = ImageStore(layout.images).get
        matches = find_matches(rows, image, settings.decontaminate, evaluated=settings.eval.splits)
    leaks = contaminated_problems(matches, "orm")
    for_orm = rows.filter((pl.col("split") == "orm") & ~pl.col("problem_id").is_in(leaks))
    check_solutions(for_orm, settings.train_orm.form)
    if settings.orm.refresh == "round":
        check_solutions(rows.filter(pl.col("split") == "train"), settings.train_orm.form)
    write(matches, layout.matches, schemas.Match, sort_by=["problem_id", "other_id"])
    counts = {
        "matches": matches.height,
        "rules": dict(matches.group_by("rule").agg(pl.len()).sort("rule").iter_rows()),
        "contaminated": {
            split: len(contaminated_problems(matches, split)) for split in ("train", "orm")
        },
    }
    write_metrics(layout.metrics("decontaminate"), {"decontaminate": counts})


if __name__ == "__main__":
    run(decontaminate)
