"""Crash-safe work in chunks: what is finished stays finished after a kill at any moment.

A finished chunk is one Parquet file named by its key, beside a `.sha256` file with its digest. The
digest is written last, so a chunk counts only when both are whole and agree. Anything else is
worked out again. The journal lives outside the outputs of a stage, because DVC deletes those before
it runs the stage.

Not covered: two processes that share a journal at the same time; a stage's lock keeps them apart.
"""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from mathse.core.errors import ParamError
from mathse.core.ids import file_digest
from mathse.core.tables import ROWS_PER_GROUP, open_durably, read_table, write_parquet

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")  # "0123456789abcdef-problems"


def is_stored(journal: Path, key: str) -> bool:
    """Return True if a chunk is there and has the bytes that were written."""
    return _is_whole(_file(journal, key))


def stored_keys(journal: Path) -> set[str]:
    """Return the keys of all chunks that were finished; one may be damaged since."""
    return {file.stem for file in journal.glob("*.sha256")}


def load_chunk(journal: Path, key: str) -> pl.DataFrame | None:
    """Return a finished chunk, or None where there is none or it is not whole."""
    file = _file(journal, key)
    return read_table(file) if _is_whole(file) else None


def store_chunk(
    journal: Path, key: str, rows: pl.DataFrame, *, rows_per_group: int = ROWS_PER_GROUP
) -> None:
    """Keep a chunk: its rows, then the digest that makes them count."""
    file = _file(journal, key)
    _digest_file(file).unlink(missing_ok=True)
    write_parquet(rows, file, rows_per_group=rows_per_group)
    with open_durably(_digest_file(file)) as out:
        out.write(file_digest(file).encode("ascii"))


def prune(journal: Path, keep: set[str]) -> None:
    """Delete the chunks whose key is not in `keep`, and what killed runs left half-written."""
    for file in journal.glob("*"):
        if file.suffix == ".tmp" or (
            file.suffix in (".parquet", ".sha256") and file.stem not in keep
        ):
            file.unlink(missing_ok=True)


def _file(journal: Path, key: str) -> Path:
    if not _KEY.fullmatch(key):
        raise ParamError(f"the journal key {key!r} cannot be a file name; use a content id")
    return journal / f"{key}.parquet"


def _digest_file(file: Path) -> Path:
    return file.with_suffix(".sha256")


def _is_whole(file: Path) -> bool:
    try:
        return _digest_file(file).read_text(encoding="ascii") == file_digest(file)
    except (OSError, UnicodeDecodeError):
        return False
