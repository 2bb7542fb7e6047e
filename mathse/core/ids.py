"""Content hashes: a row keeps its id on every machine and in every experiment."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

ID_LENGTH = 16


def content_id(*parts: object) -> str:
    """Hash values into a short id.

    The values are written as canonical JSON first, so that ("ab", "c") and ("a", "bc"), 1 and 1.0,
    None and "" all differ. Lists and tuples count as the same thing; the order of a mapping's keys
    does not matter.

    Args:
        parts: None, bool, int, finite float, str, bytes, Path, or lists, tuples and str-keyed
            mappings of these.

    Returns:
        The first 16 hex digits of the SHA-256 of the encoding.

    Raises:
        TypeError: if a part is of another type.
        ValueError: if a float is not finite.
    """
    return hashlib.sha256(_encode(parts)).hexdigest()[:ID_LENGTH]


class ListHash:
    """Hash the items of a list one by one, as `content_id` hashes the whole list."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256(b"[[")
        self._between = b""

    def add(self, item: object) -> None:
        """Append an item."""
        self._digest.update(self._between + _encode((item,))[1:-1])
        self._between = b","

    def content_id(self) -> str:
        """Return the id of the list so far."""
        digest = self._digest.copy()
        digest.update(b"]]")
        return digest.hexdigest()[:ID_LENGTH]


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(path: str | Path) -> str:
    """Return a SHA-256 in hex over the names and contents of all files below a folder.

    Names are relative to the folder, with forward slashes and in sorted order. Times and
    permissions do not count.

    Raises:
        NotADirectoryError: if there is no such folder.
    """
    root = Path(path)
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder")
    files = sorted(
        (file.relative_to(root).as_posix(), file) for file in root.rglob("*") if file.is_file()
    )
    listing = [[name, file_digest(file)] for name, file in files]
    return hashlib.sha256(json.dumps(listing).encode("ascii")).hexdigest()


def _encode(parts: tuple[object, ...]) -> bytes:
    canonical = [_canonical(part) for part in parts]
    return json.dumps(canonical, separators=(",", ":"), sort_keys=True).encode("ascii")


def _canonical(part: object) -> object:
    """Return plain JSON in which every object is a tag, so that no two values collide."""
    if part is None or isinstance(part, bool | int | str):
        return part
    if isinstance(part, float):
        if not math.isfinite(part):
            raise ValueError(f"content_id cannot hash the number {part}")
        return part
    if isinstance(part, bytes):
        return {"bytes": hashlib.sha256(part).hexdigest()}
    if isinstance(part, Path):
        return {"path": part.as_posix()}
    if isinstance(part, list | tuple):
        return [_canonical(item) for item in part]
    if isinstance(part, Mapping):
        if not all(isinstance(key, str) for key in part):
            raise TypeError("content_id takes mappings with string keys only")
        return {"mapping": {key: _canonical(value) for key, value in part.items()}}
    raise TypeError(f"content_id cannot hash a {type(part).__name__}")
