"""Tables as people keep them: Parquet, CSV or JSON lines, by the end of the file's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl

from mathse.core.errors import DataError
from mathse.core.tables import read_table, write_parquet


def read_any(file: Path) -> pl.DataFrame:
    """Read a table; cells of CSV stay text, so that 007 and 1.50 keep their form."""
    if file.suffix not in (".csv", ".jsonl", ".ndjson"):
        return read_table(file)
    try:
        if file.suffix == ".csv":
            return pl.read_csv(file, infer_schema=False)
        return pl.read_ndjson(file)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"This table cannot be read: {error}", file=file) from error


def write_any(df: pl.DataFrame, file: Path) -> None:
    """Write a table; its folder is made."""
    writers: dict[str, Callable[[Path], object]] = {
        ".csv": df.write_csv,
        ".jsonl": df.write_ndjson,
        ".ndjson": df.write_ndjson,
        ".parquet": lambda path: write_parquet(df, path),
    }
    if file.suffix not in writers:
        raise DataError("The name of a table ends in .parquet, .csv or .jsonl.", file=file)
    file.parent.mkdir(parents=True, exist_ok=True)
    writers[file.suffix](file)
