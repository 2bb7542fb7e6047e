"""Imported data sets, each with a use, as the problems of one pipeline."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.params import Problems, Table
from mathse.core.tables import read_table

NO_ROWS = pl.Schema(
    {
        "file": pl.String(),
        "row": pl.Int64(),
        "rule": pl.String(),
        "field": pl.String(),
        "value": pl.String(),
        "reason": pl.String(),
    }
)


def gather(settings: Problems, *, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Put imported tables together.

    A problem that an evaluation split has is not taken for training. Of the training problems a share, chosen by
    content, is kept for the ORM.

    Args:
        settings: which tables, and what for.
        seed: of the choice for the ORM and of a `limit`.

    Returns:
        `Problem` rows, `Image` rows, and `Quarantine` rows: those of the imports and the duplicates.

    Raises:
        DataError: if no table is named, or one is missing or has no row of its split.
    """
    if not settings.tables:
        raise DataError(
            "problems.source is tables, but problems.tables names none.",
            file="params.yaml",
            fix="import a data set (`mathse import`) and name its folder in problems.tables",
        )
    order = {"eval": 0, "eval_hard": 1, "train": 2}
    parts, images, aside = [], [], [pl.DataFrame(schema=NO_ROWS)]
    for table in sorted(settings.tables, key=lambda table: order[table.use]):
        folder = Path(table.path)
        parts.append(_rows(folder, table, seed))
        images.append(read_table(folder / "images"))
        if (folder / "quarantine.parquet").is_file():
            aside.append(read_table(folder / "quarantine.parquet").select(NO_ROWS.names()).cast(NO_ROWS))
    rows = pl.concat(parts, how="vertical_relaxed").with_row_index("row")
    first = pl.col("problem_id").is_first_distinct()
    twice = rows.filter(~first).select(
        file=pl.lit("problems.tables"),
        row=pl.col("row").cast(pl.Int64),
        rule=pl.lit("problem_id is unique"),
        field=pl.lit("problem_id"),
        value="problem_id",
        reason=pl.lit("the same problem is in another table or split; evaluation comes first"),
    )
    rows = rows.filter(first).drop("row")
    draws = [int(content_id("orm", seed, name)[:8], 16) / 2**32 for name in rows["problem_id"]]
    test, share = settings.orm_test_share, settings.orm_share
    rows = (
        rows.with_columns(pl.Series("draw", draws, dtype=pl.Float64))
        .with_columns(
            split=pl.when(pl.col("split") != "train")
            .then("split")
            .when(pl.col("draw") < test)
            .then(pl.lit("orm_test"))
            .when(pl.col("draw") < test + share)
            .then(pl.lit("orm"))
            .otherwise("split")
        )
        .drop("draw")
    )
    return rows, pl.concat(images).unique("image_id", maintain_order=True), pl.concat([*aside, twice])


def _rows(folder: Path, table: Table, seed: int) -> pl.DataFrame:
    if not (folder / "problems.parquet").is_file():
        raise DataError(
            f"{folder} holds no imported problems.", file=str(folder), fix="run `mathse import NAME PATH --out` first"
        )
    rows = read_table(folder / "problems.parquet")
    if table.split is not None:
        found = sorted(rows["split"].unique())
        rows = rows.filter(pl.col("split") == table.split)
        if rows.is_empty():
            raise DataError(f"No row of split {table.split!r}; there are {found}.", file=str(folder))
    if table.limit is not None:
        keys = [content_id("limit", seed, name) for name in rows["problem_id"]]
        rows = rows.with_columns(pl.Series("key", keys, dtype=pl.String)).sort("key").head(table.limit).drop("key")
    return rows.with_columns(split=pl.lit(table.use))
