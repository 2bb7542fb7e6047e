"""Files that SQL may read, and nothing else: a file system without a way to write."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from fsspec import AbstractFileSystem  # type: ignore[import-untyped]

READ_ONLY = "queries write no files"


class TableReader(AbstractFileSystem):  # type: ignore[misc]
    """The file system `tables://` of a DuckDB connection: a fixed list of files, open to reading.

    DuckDB's `allowed_directories` opens a folder to reading and writing alike, and `WITH x AS (COPY
    …) SELECT` writes from within a SELECT. So this is the one folder that is allowed, and it
    refuses to write.

    Args:
        files: for each name below `tables://`, the file.
    """

    protocol = "tables"
    cachable = False

    def __init__(self, files: dict[str, Path]) -> None:
        super().__init__()
        self.files = files

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Return name, size and type of a file; FileNotFoundError if it is not in the list."""
        name = self._strip_protocol(path)
        if name not in self.files:
            raise FileNotFoundError(name)
        return {"name": name, "size": self.files[name].stat().st_size, "type": "file"}

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """Return no file: each is named, none is searched for."""
        return []

    def modified(self, path: str) -> datetime:
        """Return when a file was last written."""
        self.info(path)
        stat = self.files[self._strip_protocol(path)].stat()
        return datetime.fromtimestamp(stat.st_mtime, UTC)

    def _open(self, path: str, mode: str = "rb", **_: Any) -> BinaryIO:
        if mode != "rb":
            raise PermissionError(READ_ONLY)
        self.info(path)
        return self.files[self._strip_protocol(path)].open("rb")
