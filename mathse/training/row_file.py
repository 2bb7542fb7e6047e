"""Training rows in files: built once by one process, mapped into memory by all of them."""

from __future__ import annotations

import json
import logging
import mmap
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import overload

from mathse.core.errors import DataError
from mathse.core.ids import ListHash, content_id
from mathse.core.tables import open_durably
from mathse.engines.inputs import InputBuilder
from mathse.training.examples import EMPTY_TARGET, TOO_LONG, Example, Row, Size, make_row

_ROWS, _SIZES, _SUMMARY = "rows.jsonl", "sizes.bin", "summary.json"
ROWS_VERSION = 1  # raise it when the same examples become other rows
_FIELDS = 4  # of sizes.bin, per row: where it begins, and its `Size`

log = logging.getLogger(__name__)


def write_rows(
    folder: Path, examples: Iterable[Example], builder: InputBuilder, *, max_tokens: int
) -> None:
    """Make the rows of at most `max_tokens` and write them, one at a time.

    Rows that an earlier start made of the same are kept, unless the examples can be read only once
    or a row was left out for what it shows: the reason may be gone.

    Raises:
        DataError: if no row is left.
    """
    # Keep rows that an earlier start made of the same.
    made_of = None
    if not isinstance(examples, Iterator):
        made_of = _made_of(examples, builder, max_tokens)
        if _is_whole(folder, made_of):
            return
    # Remove the summary and what a broken start left.
    folder.mkdir(parents=True, exist_ok=True)
    for file in (folder / _SUMMARY, *folder.glob(".*.tmp")):
        file.unlink(missing_ok=True)
    # Write each row as soon as it is made; note where it starts, or why it is left out.
    digest, numbers, total, start = ListHash(), array("q"), 0, 0
    dropped: defaultdict[str, list[str]] = defaultdict(list)
    with open_durably(folder / _ROWS) as out:
        for example in examples:
            total += 1
            digest.add(astuple(example))
            try:
                row = make_row(example, builder, max_tokens)
            except DataError as error:
                row = f"against the rule: {error.rule}"
                if row not in dropped:
                    log.warning("Training row %s is left out: %s", example.key, error.message)
            if isinstance(row, str):
                dropped[row].append(example.key)
                continue
            numbers.extend((start, *row.size))
            start += out.write(json.dumps(vars(row)).encode("ascii") + b"\n")
    if not numbers:
        reasons = [f"{len(keys)} {reason}" for reason, keys in dropped.items()]
        counts = ", ".join(reasons) or "none were given"
        raise DataError(
            f"There is nothing to train on: of {total} rows, {counts}.",
            rule="a training set is not empty",
            fix="raise max_tokens if the rows are too long, or see why none were accepted",
        )
    # Write the sizes, then the summary that makes the rows count.
    with open_durably(folder / _SIZES) as out:
        out.write(numbers.tobytes())
    summary = {"digest": digest.content_id(), "examples": total, "dropped": dropped}
    summary |= {"made_of": made_of, "bytes": start}
    with open_durably(folder / _SUMMARY) as out:  # last: without it the rows do not count
        out.write(json.dumps(summary).encode("ascii"))


def _made_of(examples: Iterable[Example], builder: InputBuilder, max_tokens: int) -> str:
    """Return a hash of all that rows depend on."""
    digest = ListHash()
    for example in examples:
        digest.add(astuple(example))
    return content_id(ROWS_VERSION, digest.content_id(), builder.input_fingerprint, max_tokens)


def _is_whole(folder: Path, made_of: str) -> bool:
    """Return True if a folder has all rows made of this."""
    try:
        summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
        is_same = summary["made_of"] == made_of
        is_same = is_same and (folder / _ROWS).stat().st_size == summary["bytes"]
        return is_same and set(summary["dropped"]) <= {TOO_LONG, EMPTY_TARGET}
    except (OSError, ValueError, LookupError):
        return False


class RowFile(Sequence[Row]):
    """The rows that `write_rows` wrote.

    Attributes:
        digest: hash of the examples and their order.
        examples: how many examples there were.
        dropped: the keys of the examples left out, by reason.
        sizes: the size of each row.
    """

    def __init__(self, folder: Path) -> None:
        summary = json.loads((folder / _SUMMARY).read_text(encoding="utf-8"))
        self.digest: str = summary["digest"]
        self.examples: int = summary["examples"]
        self.dropped: dict[str, list[str]] = summary["dropped"]
        numbers = array("q", (folder / _SIZES).read_bytes())
        self._starts = numbers[::_FIELDS]
        lengths = zip(numbers[1::_FIELDS], numbers[2::_FIELDS], numbers[3::_FIELDS], strict=True)
        self.sizes = [Size(tokens, prompt, bool(images)) for tokens, prompt, images in lengths]
        with (folder / _ROWS).open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._starts.append(len(self._bytes))

    def log_dropped(self, label: str) -> None:
        """Warn of the examples left out, by reason; `label` names the run."""
        for reason, keys in sorted(self.dropped.items()):
            some = f"{len(keys)} of {self.examples} rows, {reason}: {', '.join(keys[:5])}"
            log.warning("%s: left out %s", label, some)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.sizes)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        """Read a row, or several."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        row = json.loads(self._bytes[self._starts[index] : self._starts[index + 1]])
        lists = {name: tuple(value) for name, value in row.items() if isinstance(value, list)}
        return Row(**row | lists)

    def __iter__(self) -> Iterator[Row]:
        """Read one row after the other."""
        return (self[index] for index in range(len(self)))
