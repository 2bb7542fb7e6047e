"""Imported tables as the pipeline's problems: which rows are trained on, judged on and evaluated on."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.core.params import Problems, Table
from mathse.core.tables import read_table, table_files
from schemas import Image, Problem, Quarantine, column_types

IMAGE_TYPES, PROBLEM_TYPES = column_types(Image), column_types(Problem)
QUARANTINE_TYPES = column_types(Quarantine)

HELD_OUT = "held-out problems are not trained on"
ONCE = "a problem is evaluated once"


def gather(settings: Problems, *, seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Put imported tables together.

    A row's split becomes what its table is used for. Of the training problems, shares are set aside
    for the ORM and its test, chosen by content. A problem that is also evaluated is not trained on,
    and one that stands in two evaluated tables counts for the first of them: the other row goes to
    the quarantine.

    Args:
        settings: the tables and shares.
        seed: decides which rows a limit or a share takes.

    Returns:
        Problem rows, the Image rows that they need, and Quarantine rows.

    Raises:
        ParamError: if there are no tables, or a table has no rows of the split.
        DataError: if a folder is no finished import.
    """
    if not settings.tables:
        raise ParamError(
            "problems.source is tables, but problems.tables is empty; list the folders of your imports"
        )
    order = {"eval": 0, "eval_hard": 1, "train": 2}
    taken = [
        (_take(table, seed), table)
        for table in sorted(settings.tables, key=lambda item: order[item.use])
    ]
    rows = pl.concat([frame for frame, _ in taken])
    first = rows["problem_id"].is_first_distinct()
    held_out = rows.filter(first & (pl.col("split") != "train"))["problem_id"].implode()
    leaked = ~first & (rows["split"] == "train") & rows["problem_id"].is_in(held_out)
    repeated = ~first & (rows["split"] != "train")
    problems = _share_out(rows.filter(first), settings, seed)
    aside = [_aside(table) for _, table in taken]
    aside.append(
        _set_aside(
            rows.filter(leaked), HELD_OUT, "this training problem is also in an evaluation set"
        )
    )
    aside.append(
        _set_aside(
            rows.filter(repeated), ONCE, "a table evaluated before this one has the same problem"
        )
    )
    wanted = problems["image_ids"].explode(empty_as_null=False).unique()
    images = pl.concat([_images(table, wanted) for _, table in taken]).unique(
        "image_id", maintain_order=True
    )
    return problems.drop("file", "row"), images, pl.concat(aside)


def _take(table: Table, seed: int) -> pl.DataFrame:
    folder = Path(table.path)
    if not (folder / "import.json").is_file():
        fix = (
            "run `mathse import NAME PATH --out` with this folder first (see `mathse import list`)"
        )
        raise DataError("This folder holds no finished import.", file=folder, fix=fix)
    rows = read_table(folder / "problems.parquet").select(PROBLEM_TYPES.names()).cast(PROBLEM_TYPES)
    rows = rows.with_row_index("row")
    if table.split is not None:
        known = sorted(rows["split"].unique())
        rows = rows.filter(pl.col("split") == table.split)
        if rows.is_empty():
            raise ParamError(
                f"problems.tables: {folder} has no rows of split {table.split}, only of {known}"
            )
    if table.limit is not None:
        rows = _by_content(rows, "limit", seed).head(table.limit)
    return rows.with_columns(split=pl.lit(table.use), file=pl.lit(str(folder / "problems.parquet")))


def _share_out(rows: pl.DataFrame, settings: Problems, seed: int) -> pl.DataFrame:
    """Move the first rows by content hash to the ORM's splits."""
    training = _by_content(rows.filter(pl.col("split") == "train"), "orm", seed)
    n_orm = round(training.height * settings.orm_share)
    n_test = round(training.height * settings.orm_test_share)
    if training.height and n_orm + n_test >= training.height:
        raise ParamError(
            "problems.orm_share and problems.orm_test_share leave no problems to train on"
        )
    place = pl.int_range(pl.len())
    split = (
        pl.when(place < n_orm)
        .then(pl.lit("orm"))
        .when(place < n_orm + n_test)
        .then(pl.lit("orm_test"))
    )
    return pl.concat(
        [
            rows.filter(pl.col("split") != "train"),
            training.with_columns(split=split.otherwise("split")),
        ]
    )


def _by_content(rows: pl.DataFrame, purpose: str, seed: int) -> pl.DataFrame:
    keys = [content_id(purpose, seed, name) for name in rows["problem_id"]]
    return rows.with_columns(pl.Series("key", keys, dtype=pl.String)).sort("key").drop("key")


def _aside(table: Table) -> pl.DataFrame:
    file = Path(table.path) / "quarantine.parquet"
    if not file.is_file():
        return pl.DataFrame(schema=QUARANTINE_TYPES)
    rows = read_table(file).cast(QUARANTINE_TYPES)
    return rows.with_columns(file=pl.format("{}:{}", pl.lit(table.path), pl.col("file")))


def _set_aside(rows: pl.DataFrame, rule: str, reason: str) -> pl.DataFrame:
    return rows.select(
        "file",
        row=pl.col("row").cast(pl.Int64),
        rule=pl.lit(rule),
        field=pl.lit("problem_id"),
        value="problem_id",
        reason=pl.lit(reason),
    ).cast(QUARANTINE_TYPES)


def _images(table: Table, wanted: pl.Series) -> pl.DataFrame:
    files = table_files(Path(table.path) / "images")
    scan = pl.scan_parquet(files, glob=False).select(IMAGE_TYPES.names())
    return scan.filter(pl.col("image_id").is_in(wanted.implode())).collect().cast(IMAGE_TYPES)
