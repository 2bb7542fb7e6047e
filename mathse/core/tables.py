"""Read and write Parquet tables so that the same rows always give the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import polars as pl

from mathse.core.errors import DataError, ParamError

ROWS_PER_GROUP = 50_000


def read_table(path: str | Path) -> pl.DataFrame:
    """Read a Parquet file, or all `*.parquet` shards of a folder in the order of their names.

    Raises:
        DataError: if there is nothing to read, a file is damaged, or the shards' columns differ.
    """
    path = Path(path)
    frames = [_read_file(file) for file in table_files(path)]
    try:
        return pl.concat(frames, how="vertical", rechunk=True)
    except pl.exceptions.PolarsError as error:
        raise DataError(
            f"The shards of this table do not fit together: {error}",
            file=path,
            rule="all shards have the same columns",
            fix="write the whole folder again with the stage that makes it",
        ) from error


def table_files(path: str | Path) -> list[Path]:
    """Return the Parquet files that make up a table: the file itself, or a folder's shards by name.

    Raises:
        DataError: if there is no such file or folder, or the folder has no shards.
    """
    path, fix = Path(path), "run the stage that writes it"
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise DataError("This folder has no .parquet files.", file=path, fix=fix)
    if not path.exists():
        raise DataError("There is no such table.", file=path, fix=f"{fix}, or check the path")
    return files


def write_table(df: pl.DataFrame, path: str | Path, *, sort_by: Sequence[str]) -> None:
    """Write a table sorted and with fixed settings; the file appears at once or not at all.

    The bytes depend on the rows alone: not on their order, on how the frame is chunked or on the
    clock. Where `sort_by` leaves ties, the other columns break them, from left to right.

    Args:
        df: the rows.
        path: the `.parquet` file to write or replace; its folder is made if needed.
        sort_by: columns that order the rows; nulls come first.

    Raises:
        ParamError: if `sort_by` is empty or names a column that is not there.
    """
    missing = [name for name in sort_by if name not in df.columns]
    if missing or not sort_by:
        raise ParamError(
            f"write_table({path}): cannot sort by {missing or 'nothing'}; columns: {df.columns}"
        )
    ordered = df.sort(list(sort_by), maintain_order=True)
    if df.height > 1 and df.select(sort_by).is_duplicated().any():
        others = [name for name in df.columns if name not in sort_by]
        ordered = df.sort([*sort_by, *others], maintain_order=True)
    write_parquet(ordered, Path(path))


def write_parquet(df: pl.DataFrame, path: Path, *, rows_per_group: int = ROWS_PER_GROUP) -> None:
    """Write rows in their given order with the fixed settings; see `open_durably`."""
    with open_durably(path) as file:
        df.rechunk().write_parquet(
            file,
            compression="zstd",
            compression_level=3,
            statistics=True,
            row_group_size=rows_per_group,
            data_page_size=1 << 20,
        )


@contextmanager
def open_durably(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that appears at once, when it is whole and would survive a power cut.

    Raises:
        DataError: if it cannot be written: disk full, read-only folder.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise DataError(
            f"This file cannot be written: {error}",
            file=path,
            fix="free disk space or make the folder writable, and run it again",
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Say which table is damaged, where polars only says how.

    Raises:
        DataError: in the place of what polars raises.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(
            f"This table is not readable as Parquet: {error}",
            file=path,
            rule="a table is whole Parquet files",
            fix="delete it and run the stage or the import that writes it again",
        ) from error


def _read_file(file: Path) -> pl.DataFrame:
    with reading(file):
        return pl.read_parquet(file, glob=False, hive_partitioning=False)
