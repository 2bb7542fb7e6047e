"""Files that SQL may read, and nothing else: a file system without a way to write."""

from __future__ import annotations

import io
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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

    def _open(self, path: str, mode: str = "rb", **_: Any) -> SharedFile:
        if mode != "rb":
            raise PermissionError(READ_ONLY)
        self.info(path)
        return SharedFile(self.files[self._strip_protocol(path)])


class SharedFile(io.RawIOBase):
    """A file that threads read at once, each from an offset of its own.

    DuckDB's threads share one handle, and seek and read in two calls: with one offset for all, one
    thread now and then reads where another one wanted to.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("rb", buffering=0)
        self._size = path.stat().st_size
        self._offset = threading.local()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move this thread's offset, in bytes; return it."""
        here = getattr(self._offset, "bytes", 0)
        start = {os.SEEK_SET: 0, os.SEEK_CUR: here, os.SEEK_END: self._size}[whence]
        self._offset.bytes = start + offset
        return start + offset

    def readinto(self, buffer: Any) -> int:
        """Read from this thread's offset on; return how many bytes."""
        count = os.preadv(self._file.fileno(), [buffer], self.seek(0, os.SEEK_CUR))
        self.seek(count, os.SEEK_CUR)
        return count

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()
