"""Crash-safe work in chunks: what is finished stays finished after a kill at any moment.

A finished chunk is one Parquet file named by its key, beside a `.sha256` file with its digest. The
digest is written last, so a chunk counts only when both are whole and agree. Anything else is
worked out again. The journal lives outside the outputs of a stage, because DVC deletes those before
it runs the stage.

Not covered: two processes that share a journal at the same time do no harm but may do the same
chunk twice.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import file_digest
from mathse.core.progress import Progress
from mathse.core.tables import read_table, replace_durably, write_parquet

T = TypeVar("T")

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


def run_in_chunks(
    items: Sequence[T],
    work: Callable[[Sequence[T]], pl.DataFrame],
    *,
    chunk_size: int,
    key: Callable[[Sequence[T]], str],
    journal: Path,
    label: str,
    schema: pl.Schema | None = None,
) -> pl.DataFrame:
    """Work through items in fixed chunks and keep each finished chunk in the journal.

    The result is read back from the journal, so a run that was killed and resumed gives the same
    frame as one that was not. If `work` raises, the chunks before it stay.

    Args:
        items: what to work on, in a fixed order: chunks are cut by position.
        work: turns one chunk into rows; called once per chunk that is not in the journal.
        chunk_size: items in each chunk but the last.
        key: the chunk's name in the journal. It must cover all that the rows depend on: the items'
            content, prompt, model, sampling, seed. Chunks with one key share one file.
        journal: the journal's folder, made if needed.
        label: what is being done, for the progress line.
        schema: columns of the result where `items` is empty; without it the result then has no
            columns.

    Returns:
        The rows of all chunks, in the order of `items`.

    Raises:
        ParamError: if `chunk_size` is not positive or a key cannot be a file name.
        DataError: if two chunks have different columns.
    """
    if chunk_size < 1:
        raise ParamError(f"{label}: chunk_size must be at least 1, not {chunk_size}")
    chunks = [items[start : start + chunk_size] for start in range(0, len(items), chunk_size)]
    if not chunks:
        return pl.DataFrame(schema=schema)
    files = [journal / f"{_checked(key(chunk), label)}.parquet" for chunk in chunks]
    journal.mkdir(parents=True, exist_ok=True)
    finished = {file for file in set(files) if _is_whole(file)}
    done = sum(len(chunk) for chunk, file in zip(chunks, files, strict=True) if file in finished)
    with Progress(total=len(items), label=label, done=done) as progress:
        for chunk, file in zip(chunks, files, strict=True):
            if file in finished:
                continue
            _store(work(chunk), file)
            progress.advance(len(chunk))
    return _join([read_table(file) for file in files], label)


def load_chunk(journal: Path, key: str) -> pl.DataFrame | None:
    """Return a finished chunk, or None where there is none or it is not whole."""
    file = journal / f"{_checked(key, 'journal')}.parquet"
    return read_table(file) if _is_whole(file) else None


def store_chunk(journal: Path, key: str, rows: pl.DataFrame) -> None:
    """Keep a chunk: for work that cannot hold all its rows in memory, as `run_in_chunks` does."""
    journal.mkdir(parents=True, exist_ok=True)
    _store(rows, journal / f"{_checked(key, 'journal')}.parquet")


def prune(journal: Path, keep: set[str]) -> int:
    """Delete the chunks whose key is not in `keep`, and what killed runs left half-written.

    Returns:
        The number of chunks deleted.
    """
    if not journal.is_dir():
        return 0
    dropped = 0
    for file in sorted(journal.iterdir()):
        if file.suffix == ".tmp":
            file.unlink(missing_ok=True)
        elif file.suffix in (".parquet", ".sha256") and file.stem not in keep:
            file.unlink(missing_ok=True)
            dropped += file.suffix == ".parquet"
    return dropped


def _checked(key: str, label: str) -> str:
    if not _KEY.fullmatch(key):
        raise ParamError(
            f"{label}: the journal key {key!r} cannot be a file name; use a content id"
        )
    return key


def _digest_file(file: Path) -> Path:
    return file.with_suffix(".sha256")


def _is_whole(file: Path) -> bool:
    """Tell whether a chunk file is there and has the bytes that were written."""
    try:
        return _digest_file(file).read_text(encoding="ascii") == file_digest(file)
    except (OSError, UnicodeDecodeError):
        return False


def _store(rows: pl.DataFrame, file: Path) -> None:
    """Write the rows, then the digest that makes them count."""
    _digest_file(file).unlink(missing_ok=True)
    write_parquet(rows, file)
    temporary = file.with_name(f".{file.stem}.sha256.{os.getpid()}.tmp")
    with temporary.open("wb") as out:
        out.write(file_digest(file).encode("ascii"))
        out.flush()
        os.fsync(out.fileno())
    replace_durably(temporary, _digest_file(file))


def _join(frames: list[pl.DataFrame], label: str) -> pl.DataFrame:
    """Put chunks together; a column that is all null in one chunk takes its type from the others."""
    types = dict(frames[0].schema)
    for frame in frames:
        fits = frame.columns == frames[0].columns
        for name, dtype in frame.schema.items() if fits else ():
            if types[name] == pl.Null:
                types[name] = dtype
            fits &= dtype in (types[name], pl.Null)
        if not fits:
            raise DataError(
                f"{label}: two chunks have different columns: {frames[0].schema} and {frame.schema}",
                rule="all chunks have the same columns",
                fix="give the frame that the work function returns a fixed schema",
            )
    return pl.concat(
        [frame.cast(pl.Schema(types)) for frame in frames], how="vertical", rechunk=True
    )
