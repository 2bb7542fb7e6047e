"""Many small entries of a journal in few files.

A pack is a chunk with the rows of several keys. What waits to be packed is lost in a kill, so a
pack is written after a few entries or seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock, Timer
from typing import Any, NamedTuple, Self

import polars as pl

from mathse.core.errors import MathseError
from mathse.core.ids import content_id
from mathse.core.journal import is_stored, load_chunk, store_chunk, stored_keys
from mathse.core.tables import read_table

_PREFIX = "pack-"
_KEY = "key"
Row = Mapping[str, Any]


class PackLimits(NamedTuple):
    """When a pack is written: after so many entries, or seconds since its first one."""

    entries: int
    seconds: float


def list_packs(journal: Path) -> dict[str, list[str]]:
    """Return the keys in each whole pack, by the pack's name."""
    names = sorted(name for name in stored_keys(journal) if name.startswith(_PREFIX))
    return {
        name: read_table(journal / f"{name}.parquet")[_KEY].unique(maintain_order=True).to_list()
        for name in names
        if is_stored(journal, name)
    }


def load_pack(journal: Path, name: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a pack by their key; none where the pack is not whole."""
    found: dict[str, list[dict[str, Any]]] = {}
    rows = load_chunk(journal, name)
    for row in rows.iter_rows(named=True) if rows is not None else ():
        found.setdefault(row.pop(_KEY), []).append(row)
    return found


def shrink_packs(journal: Path, packs: Mapping[str, Sequence[str]], wanted: set[str]) -> set[str]:
    """Write packs again that have unwanted keys; return the names of all packs to keep.

    Args:
        journal: the folder.
        packs: the keys of each pack.
        wanted: keys to keep.
    """
    kept = set()
    for name, keys in packs.items():
        left = [key for key in keys if key in wanted]
        if left and len(left) < len(keys) and (rows := load_chunk(journal, name)) is not None:
            name = _name(left)
            store_chunk(journal, name, rows.filter(pl.col(_KEY).is_in(left)))
        if left:
            kept.add(name)
    return kept


class PackWriter:
    """Packs entries. Use as a context manager: at the end, or if an error passes, it writes all.

    Args:
        journal: the folder.
        schema: columns of the rows.
        limits: when a pack is written.

    Attributes:
        written: the keys of each pack that was written, by its name.
    """

    def __init__(self, journal: Path, schema: pl.Schema, limits: PackLimits) -> None:
        self.written: dict[str, list[str]] = {}
        self._journal = journal
        self._schema = pl.Schema({_KEY: pl.String(), **schema})
        self._limits = limits
        self._lock = Lock()
        self._waiting: dict[str, Sequence[Row]] = {}
        self._timer: Timer | None = None
        self._error: MathseError | None = None  # of a write that the timer began

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Write what waits."""
        with self._lock:
            self._write()

    def add(self, key: str, rows: Sequence[Row]) -> None:
        """Keep the rows of a key.

        Raises:
            DataError: if a pack cannot be written.
        """
        with self._lock:
            self._waiting[key] = rows
            if self._error is not None:
                raise self._error
            if len(self._waiting) >= self._limits.entries:
                self._write()
            elif self._timer is None:
                self._timer = Timer(self._limits.seconds, self._write_late)
                self._timer.daemon = True
                self._timer.start()

    def _write_late(self) -> None:
        with self._lock:
            try:
                self._write()
            except MathseError as error:
                self._error = error

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._waiting:
            return
        keys = [*self._waiting]
        rows = [{_KEY: key, **row} for key in keys for row in self._waiting[key]]
        table = pl.DataFrame(rows, schema=self._schema)
        store_chunk(self._journal, _name(keys), table)
        self.written[_name(keys)] = keys
        self._waiting = {}


def _name(keys: Sequence[str]) -> str:
    return _PREFIX + content_id(keys)
