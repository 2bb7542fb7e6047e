"""Tables for people: Parquet, CSV, TSV, JSON or JSON lines, by the end of the name."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl

from mathse.core.errors import DataError
from mathse.core.tables import write_parquet


def write_any(df: pl.DataFrame, file: Path) -> None:
    """Write a table; its folder is made. Lists and objects become JSON in cells of CSV and TSV."""
    writers: dict[str, Callable[[Path], object]] = {
        ".parquet": lambda path: write_parquet(df, path),
        ".csv": lambda path: _flat(df).write_csv(path),
        ".tsv": lambda path: _flat(df).write_csv(path, separator="\t"),
        ".json": df.write_json,
        ".jsonl": df.write_ndjson,
        ".ndjson": df.write_ndjson,
    }
    if file.suffix not in writers:
        raise DataError(f"The name of a table ends in {', '.join(writers)}.", file=file)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        writers[file.suffix](file)
    except pl.exceptions.PolarsError as error:
        message = f"This table cannot be written: {error}"
        raise DataError(message, file=file, fix="write it as .parquet") from error


def _flat(df: pl.DataFrame) -> pl.DataFrame:
    as_json = partial(json.dumps, ensure_ascii=False, default=str)
    return df.with_columns(
        pl.Series(name, [None if value is None else as_json(value) for value in df[name].to_list()])
        for name, dtype in df.schema.items()
        if dtype.is_nested()
    )
