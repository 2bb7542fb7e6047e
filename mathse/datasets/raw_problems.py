"""The rows of a data set on their way into an import: problems with their places, cut into chunks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathse.core.progress import Progress
from mathse.datasets.file_readers import check_encoding, count_rows, read_rows
from mathse.datasets.image_files import find_image
from mathse.datasets.protocol import BadRow, DataFile, RawProblem, Source

ROWS_PER_CHUNK = 2000
BYTES_PER_CHUNK = 64 << 20
MAX_VALUE_CHARS = 200


@dataclass
class Entry:
    """A row on its way: where it comes from, and its problem or what is wrong with it.

    `files` are the image files that it names, each with size and time of change; -1 where there is
    none.
    """

    file: DataFile
    name: str
    row: int
    problem: RawProblem | BadRow
    files: list[tuple[str, int, int]]

    def weight(self) -> int:
        """Return the bytes of its images."""
        held = (
            0
            if isinstance(self.problem, BadRow)
            else sum(len(one.data or b"") for one in self.problem.images)
        )
        return held + sum(max(size, 0) for _, size, _ in self.files)


def read_entries(
    source: Source,
    files: Sequence[DataFile],
    inside: Sequence[Path],
    splits: set[str] | None,
    limit: int | None,
    progress: Progress,
) -> Iterator[Entry]:
    """Yield the rows of all files as entries; rows of other splits are skipped."""
    taken = 0
    for file in files:
        name = _relative(file.path, inside[0])
        skipped = splits is not None and file.split is not None and file.split not in splits
        if skipped:
            progress.advance(count_rows(file))
            continue
        for number, raw in enumerate(read_rows(file)):
            for item in _drafts(source, file, raw):
                split = item.split if isinstance(item, RawProblem) else file.split
                if splits is not None and split is not None and split not in splits:
                    continue
                yield Entry(file, name, number, item, list(_image_files(item, file, inside)))
                taken += 1
                if taken == limit:
                    progress.advance()
                    return
            progress.advance()


def _drafts(
    source: Source, file: DataFile, raw: dict[str, Any] | BadRow
) -> list[RawProblem | BadRow]:
    """Turn a row into problems; whatever is wrong with it becomes one bad row."""
    try:
        if isinstance(raw, BadRow):
            raise raw
        check_encoding(raw)
        problems = source.adapt(raw, file)
    except BadRow as bad:
        return [bad]
    return list(problems) if isinstance(problems, list) else [problems]


def cut_chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Cut entries into chunks by rows and by the bytes of their images."""
    chunk: list[Entry] = []
    weight = 0
    for entry in entries:
        chunk.append(entry)
        weight += entry.weight()
        if len(chunk) == ROWS_PER_CHUNK or weight >= BYTES_PER_CHUNK:
            yield chunk
            chunk, weight = [], 0
    if chunk:
        yield chunk


def _image_files(
    item: RawProblem | BadRow, file: DataFile, inside: Sequence[Path]
) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of change of the image files that a problem names; -1 where there is none."""
    for picture in () if isinstance(item, BadRow) else item.images:
        if picture.path is None or picture.data is not None:
            continue
        try:
            state = find_image(picture.path, file.roots, inside).stat()
            yield picture.path, state.st_size, state.st_mtime_ns
        except (BadRow, OSError):
            yield picture.path, -1, -1


def fingerprint(entry: Entry) -> list[object]:
    """Return all that the result of an entry depends on."""
    if isinstance(entry.problem, BadRow):
        bad = entry.problem
        return [entry.name, entry.row, bad.rule, bad.field, _shorten(bad.value), bad.reason]
    problem = entry.problem
    words = json.dumps({**problem.__dict__, "images": []}, sort_keys=True, default=str)
    data = [[picture.path, picture.data] for picture in problem.images]
    return [entry.name, entry.row, words, data, [list(file) for file in entry.files]]


def quarantine_row(entry: Entry, bad: BadRow) -> dict[str, Any]:
    """Return the Quarantine row of an entry."""
    return {
        "file": entry.name,
        "row": entry.row,
        "rule": _clean(bad.rule),
        "field": _clean(bad.field),
        "value": _shorten(bad.value),
        "reason": _clean(bad.reason),
    }


def _shorten(value: object) -> str:
    if isinstance(value, bytes):
        words = f"{len(value)} bytes: {value[:16].hex()}"
    else:
        words = (
            value
            if isinstance(value, str)
            else "null"
            if value is None
            else repr(value)[: 4 * MAX_VALUE_CHARS]
        )
    words = _clean(words)
    return words if len(words) <= MAX_VALUE_CHARS else words[: MAX_VALUE_CHARS - 1] + "…"


def _clean(words: str) -> str:
    return words.encode("utf-8", "backslashreplace").decode("utf-8")


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
