"""Imported tables as the pipeline's problems: for training, the ORM and evaluation."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.core.params import Problems, Table
from mathse.core.tables import read_table, table_files
from schemas import Image, Problem, Quarantine, column_types

PROBLEM_TYPES = column_types(Problem)
QUARANTINE_TYPES = column_types(Quarantine)
_ORDER = {"eval": 0, "eval_hard": 1, "train": 2}


def load_imports(
    settings: Problems, *, seed: int
) -> tuple[pl.DataFrame, pl.LazyFrame, pl.DataFrame]:
    """Put imported tables together.

    A row's split becomes what its table is used for. Of the training problems, shares go to the ORM
    and its test, chosen by content. A problem that is also evaluated is not trained on, and one in
    two tables (or splits) of one use counts for the first of them: the other rows are quarantined.

    Args:
        settings: the tables and shares.
        seed: decides which rows a limit or a share takes.

    Returns:
        Problem rows, the Image rows of all tables, and Quarantine rows.

    Raises:
        ParamError: if there are no tables, or a table has no rows of the split.
        DataError: if a folder is no finished import.
    """
    if not settings.tables:
        message = "problems.source is tables, but problems.tables is empty; list your imports there"
        raise ParamError(message)
    tables = sorted(settings.tables, key=lambda table: _ORDER[table.use])
    rows = pl.concat([_read_problems(table, seed) for table in tables])

    # A problem counts once: for evaluation before training, for the first of several tables.
    first = rows["problem_id"].is_first_distinct()
    is_train = rows["split"] == "train"
    evaluated = rows.filter(first & ~is_train)["problem_id"].implode()
    leaked = rows["problem_id"].is_in(evaluated)
    quarantined = [
        *(_read_quarantine(table) for table in tables),
        _quarantine(
            rows.filter(~first & is_train & leaked),
            "held-out problems are not trained on",
            "this training problem is also in an evaluation set",
        ),
        _quarantine(
            rows.filter(~first & ~is_train),
            "a problem is evaluated once",
            "a table (or split) evaluated before this one has the same problem",
        ),
        _quarantine(
            rows.filter(~first & is_train & ~leaked),
            "a problem is trained on once",
            "a table (or split) trained on before this one has the same problem",
        ),
    ]
    problems = _share_out(rows.filter(first), settings, seed)

    files = [file for table in tables for file in table_files(Path(table.path) / "images")]
    images = pl.scan_parquet([*dict.fromkeys(files)], glob=False).select(
        column_types(Image).names()
    )
    return problems.drop("file", "row"), images, pl.concat(quarantined)


def _read_problems(table: Table, seed: int) -> pl.DataFrame:
    file = Path(table.path) / "problems.parquet"
    if not (file.parent / "import.json").is_file():
        fix = "run `mathse import NAME PATH --out` with this folder (see `mathse import list`)"
        raise DataError("This folder holds no finished import.", file=file.parent, fix=fix)
    rows = read_table(file).select(PROBLEM_TYPES.names()).cast(PROBLEM_TYPES)
    rows = rows.with_row_index("row")
    if table.split is not None:
        known = sorted(rows["split"].unique())
        rows = rows.filter(pl.col("split") == table.split)
        if rows.is_empty():
            raise ParamError(
                f"problems.tables: {table.path} has no rows of split {table.split}, only of {known}"
            )
    if table.limit is not None:
        rows = _by_content(rows, "limit", seed).head(table.limit)
    return rows.with_columns(split=pl.lit(table.use), file=pl.lit(str(file)))


def _share_out(rows: pl.DataFrame, settings: Problems, seed: int) -> pl.DataFrame:
    """Move the first rows by content hash to the ORM's splits."""
    training = _by_content(rows.filter(pl.col("split") == "train"), "orm", seed)
    n_orm = round(training.height * settings.orm_share)
    n_test = round(training.height * settings.orm_test_share)
    if training.height and n_orm + n_test >= training.height:
        raise ParamError(
            "problems.orm_share and problems.orm_test_share leave no problems to train on"
        )
    index = pl.int_range(pl.len())
    orm = pl.when(index < n_orm).then(pl.lit("orm"))
    split = orm.when(index < n_orm + n_test).then(pl.lit("orm_test")).otherwise("split")
    return pl.concat([rows.filter(pl.col("split") != "train"), training.with_columns(split=split)])


def _by_content(rows: pl.DataFrame, purpose: str, seed: int) -> pl.DataFrame:
    keys = [content_id(purpose, seed, name) for name in rows["problem_id"]]
    return (
        rows.with_columns(pl.Series("key", keys, dtype=pl.String))
        .sort("key", maintain_order=True)
        .drop("key")
    )


def _read_quarantine(table: Table) -> pl.DataFrame:
    file = Path(table.path) / "quarantine.parquet"
    if not file.is_file():
        return pl.DataFrame(schema=QUARANTINE_TYPES)
    rows = read_table(file).cast(QUARANTINE_TYPES)
    return rows.with_columns(file=pl.format("{}:{}", pl.lit(table.path), pl.col("file")))


def _quarantine(rows: pl.DataFrame, rule: str, reason: str) -> pl.DataFrame:
    return rows.select(
        "file",
        row=pl.col("row").cast(pl.Int64),
        rule=pl.lit(rule),
        field=pl.lit("problem_id"),
        value="problem_id",
        reason=pl.lit(reason),
    ).cast(QUARANTINE_TYPES)
