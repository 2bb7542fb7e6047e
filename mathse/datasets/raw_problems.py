"""The rows of a data set on their way into an import, cut into chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mathse.core.errors import DataError, MathseError
from mathse.core.ids import content_id
from mathse.core.progress import Progress
from mathse.core.text import printable
from mathse.datasets.file_readers import check_encoding, read_rows
from mathse.datasets.image_files import find_image
from mathse.datasets.protocol import BadRow, DataFile, Picture, RawProblem, Row, Source
from schemas.quarantine import MAX_VALUE_CHARS
from schemas.validation import shorten

ROWS_PER_CHUNK = 2000
BYTES_PER_CHUNK = 64 << 20


@dataclass
class Entry:
    """A raw problem, or what is wrong with it, and where it comes from.

    `files` are the image files that it names, each with size and time of change; -1 where there is
    none.
    """

    file: DataFile
    name: str
    row: int
    problem: RawProblem | BadRow
    files: list[tuple[str, int, int]]

    @property
    def pictures(self) -> list[Picture]:
        """The images that it names."""
        return [] if isinstance(self.problem, BadRow) else self.problem.images

    def image_bytes(self) -> int:
        """Return the size of its images."""
        in_row = sum(len(picture.data or b"") for picture in self.pictures)
        return in_row + sum(max(size, 0) for _, size, _ in self.files)

    def digest(self) -> str:
        """Return a hash of all that the result depends on."""
        data = [picture.data for picture in self.pictures]
        return content_id(self.name, self.row, repr(self.problem), data, self.files)

    def quarantine_row(self, bad: BadRow) -> dict[str, Any]:
        """Return its Quarantine row."""
        return {
            "file": self.name,
            "row": self.row,
            "rule": printable(bad.rule),
            "field": printable(bad.field),
            "value": shorten(printable(shorten(bad.value)), MAX_VALUE_CHARS),
            "reason": printable(bad.reason),
        }


def read_entries(
    source: Source,
    files: Sequence[DataFile],
    inside: Sequence[Path],
    splits: Sequence[str] | None,
    progress: Progress,
) -> Iterator[Entry]:
    """Yield the rows of all files as entries; rows of other splits are skipped."""
    for file in files:
        is_below = file.path.is_relative_to(inside[0])
        name = file.path.relative_to(inside[0]).as_posix() if is_below else file.path.name
        for number, row in enumerate(read_rows(file)):
            progress.advance()
            named = (row.get("split") if isinstance(row, dict) else None) or file.split
            for problem in _raw_problems(source, file, row, number):
                split = named if isinstance(problem, BadRow) else problem.split
                if splits is None or split is None or split in splits:
                    images = _image_files(problem, file, inside)
                    yield Entry(file, name, number, problem, images)


def cut_chunks(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    """Cut entries into chunks by rows and by the bytes of their images."""
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        chunk.append(entry)
        size += entry.image_bytes()
        if len(chunk) == ROWS_PER_CHUNK or size >= BYTES_PER_CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _raw_problems(
    source: Source, file: DataFile, row: Row | BadRow, number: int
) -> Sequence[RawProblem | BadRow]:
    """Turn a row into raw problems; whatever is wrong with it becomes one bad row.

    Raises:
        DataError: if the reader of the source fails in another way.
    """
    try:
        if isinstance(row, BadRow):
            raise row
        check_encoding(row)
        found = source.adapt(row, file)
    except BadRow as bad:
        return [bad]
    except MathseError:
        raise
    except Exception as error:
        raise DataError(
            f"The reader of {source.name} fails at this row: {type(error).__name__}: {error}",
            file=file.path,
            row=number,
            fix="remove the row, or let the reader raise BadRow for it, which quarantines it",
        ) from error
    problems = [found] if isinstance(found, RawProblem) else found
    for problem in problems:
        if isinstance(problem, RawProblem):
            problem.split = problem.split or file.split or "train"
    return problems


def _image_files(
    problem: RawProblem | BadRow, file: DataFile, inside: Sequence[Path]
) -> list[tuple[str, int, int]]:
    """Return path, size and time of change of the image files that a problem names."""
    found = []
    for picture in () if isinstance(problem, BadRow) else problem.images:
        if picture.path is None or picture.data is not None:
            continue
        try:
            state = find_image(picture.path, file.roots, inside).stat()
            found.append((picture.path, state.st_size, state.st_mtime_ns))
        except (BadRow, OSError):
            found.append((picture.path, -1, -1))
    return found
