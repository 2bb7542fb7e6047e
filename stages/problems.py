"""problems: make the built-in problems or read imported tables; quarantine bad rows."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.errors import DataError
from mathse.core.images import image_shards, write_shards
from mathse.core.layout import Layout
from mathse.core.params import TRAINED_SPLITS, load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import empty, write, write_metrics
from mathse.datasets.overrides import apply_overrides
from mathse.datasets.trained_on import write_trained_on
from schemas import checks


def problems(layout: Layout) -> None:
    """Write problems.parquet, images/ and quarantine.parquet."""
    settings = load_params(layout.params)
    if settings.problems.source == "figures":
        from mathse.figures.source import build_tables

        rows, drawn = build_tables(settings.problems.figures, seed=settings.seed)
        images, quarantined = drawn.lazy(), empty(schemas.Quarantine)
    else:
        from mathse.datasets.import_records import check_imports
        from mathse.datasets.imported import load_imports

        check_imports(layout, settings.problems.tables)
        rows, images, quarantined = load_imports(settings.problems, seed=settings.seed)
    types = schemas.column_types(schemas.Problem)
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    if layout.overrides.is_file():
        rows = apply_overrides(rows, layout.overrides)
    name = str(layout.problems)  # rows that break a rule are quarantined
    rows, bad = schemas.split_bad(rows, schemas.Problem, file=name)
    rows, lost = checks.split_unknown_images(rows, images.select("image_id").collect(), file=name)
    quarantined = pl.concat([quarantined, bad, lost])
    by = ["file", "row", "rule", "field"]
    write(quarantined, layout.quarantine, schemas.Quarantine, sort_by=by)
    if lacking := ", ".join(name for name in TRAINED_SPLITS if name not in {*rows["split"]}):
        text = f"No problem is left for {lacking}; {quarantined.height} rows were quarantined."
        fix = "see why: mathse sql 'select rule, count(*) from quarantine group by rule'; or take "
        fix += "more problems, or larger problems.orm_share and problems.orm_test_share"
        raise DataError(text, file=layout.quarantine, fix=fix)
    write(rows, layout.problems, schemas.Problem, sort_by=["split", "problem_id"])
    write_trained_on(rows, layout.trained_on)
    # Not all images at once: they may need more than memory.
    shards = image_shards(images, rows["image_ids"].explode(empty_as_null=False).unique())
    checked = (schemas.validate(rows, schemas.Image, file=str(layout.images)) for rows in shards)
    write_shards(checked, layout.images)
    counts = dict(rows.group_by("split").len().sort("split").iter_rows())
    bad_rows = quarantined.select("file", "row").n_unique()
    write_metrics(layout.metrics("problems"), {"problems": counts | {"quarantined": bad_rows}})


if __name__ == "__main__":
    run(problems)
