"""Read the rows of data files one by one: JSON lines, JSON, Parquet, CSV, pickles of plain data.

A JSON file may hold an array of rows, an object of them (its keys become `_key`), a list under a
name such as `data`, one row, or several of these one after another (JSON lines). Text that is not
UTF-8, a line that is not JSON and a file that breaks off become rows with an error, so that the
rest can go on. Only a few rows are in memory, except for pickles, which cannot be read in parts,
and lists under a name.
"""

from __future__ import annotations

import codecs
import csv
import json
import pickle
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import polars as pl

from mathse.core.errors import DataError
from mathse.datasets.protocol import BadRow, DataFile, Row

BLOCK_CHARS = 1 << 20
MAX_ROW_CHARS = 64 << 20
ROWS_PER_BATCH = 64

_LIST_NAMES = (
    *("data", "rows", "examples", "samples", "items", "instances", "records"),
    *("problems", "questions", "annotations"),
)
"""Under which names a JSON object may hold its rows."""
_BLANK = re.compile(r"[\s,]*")  # ", "
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # "\ud83d": half of an emoji
_NUMPY = ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
_PLAIN = {
    *(f"numpy.{core}.{name}" for core in ("core", "_core") for name in _NUMPY),
    *("numpy.ndarray", "numpy.dtype", "_codecs.encode", "builtins.bytes", "__builtin__.bytes"),
}
"""What a pickle may name: that of which numpy and Python 2 make arrays and bytes."""


def count_rows(file: DataFile) -> int:
    """Count the rows of a file, as many as `read_rows` gives; DataError as there."""
    suffix = file.path.suffix.lower()
    if suffix == ".parquet":
        with _named_if_damaged(file.path):
            return int(_scan(file.path).select(pl.len()).collect().item())
    if suffix in (".jsonl", ".ndjson"):
        with _open_text(file.path) as lines:
            return sum(1 for line in lines if line.strip())
    return 1 if file.is_one_row else sum(1 for _ in read_rows(file))


def read_rows(file: DataFile) -> Iterator[Row | BadRow]:
    """Yield the rows of a file in order; a row that cannot be read is a `BadRow`.

    DataError for a file of an unknown kind, or one that is damaged as a whole.
    """
    readers = {
        ".jsonl": _lines,
        ".ndjson": _lines,
        ".json": _whole if file.is_one_row else _elements,
        ".parquet": _batches,
        ".csv": _cells,
        ".tsv": _cells,
        ".pk": _pickled,
        ".pkl": _pickled,
    }
    reader = readers.get(file.path.suffix.lower())
    if reader is None:
        message = "Files of this kind cannot be read."
        raise DataError(message, file=file.path, fix=f"use one of {', '.join(readers)}")
    reason = "a row must be an object with named fields"
    for row in reader(file.path):
        yield row if _is_row(row) else BadRow("row is an object", "row", row, reason)


def check_encoding(value: object, where: str = "row") -> None:
    """Raise BadRow, naming the field, if a text in a row was not UTF-8, or an object was bad."""
    if isinstance(value, BadRow):
        raise value
    if isinstance(value, str):
        if _SURROGATE.search(value):
            shown = value.encode("utf-8", "backslashreplace").decode("ascii", "replace")
            reason = "the text is not UTF-8; save the file in UTF-8"
            raise BadRow("text is UTF-8", where, shown, reason)
    elif isinstance(value, dict):
        for name, inner in value.items():
            check_encoding(name, where)
            check_encoding(inner, str(name) if where == "row" else where)
    elif isinstance(value, list | tuple):
        for inner in value:
            check_encoding(inner, where)


def _object(members: list[tuple[str, Any]]) -> Row | BadRow:
    """Return an object of JSON, or why it is none: of two values of a name one would be lost."""
    found = dict(members)
    if len(found) == len(members):
        return found
    names = Counter(name for name, _ in members)
    twice = next(name for name in names if names[name] > 1)
    values = [value for name, value in members if name == twice]
    return BadRow("a name occurs once", twice, values, "keep the value that is right")


_DECODER = json.JSONDecoder(parse_constant=lambda _: None, object_pairs_hook=_object)


class _PlainUnpickler(pickle.Unpickler):
    """Loads built-in containers and numpy arrays; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _PLAIN:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not plain data")
        return super().find_class(module, name)


def _pickled(path: Path) -> Iterator[Any]:
    """Yield the rows of a pickle of plain data and arrays; anything else is refused, never run."""
    try:
        with path.open("rb") as file:
            data = _PlainUnpickler(file).load()
    except Exception as error:  # a pickle can fail in any way
        message = f"This pickle cannot be read: {error}"
        rule = "a pickle holds plain data and arrays"
        raise DataError(message, file=path, rule=rule) from error
    if isinstance(data, dict):
        data = [_keyed(key, value) for key, value in data.items()]
    if not isinstance(data, list | tuple):
        raise DataError("This pickle holds no list of rows.", file=path)
    yield from data


def _keyed(key: object, row: Any) -> Any:
    return {"_key": str(key), **row} if isinstance(row, dict) else row


def _lines(path: Path) -> Iterator[Any]:
    with _open_text(path) as lines:
        yield from (_parsed(line.strip(), "line") for line in lines if line.strip())


def _cells(path: Path) -> Iterator[Any]:
    """Yield the rows of a CSV file with a header, each cell as text, an empty cell as None.

    Cells are parted by the one of comma, semicolon and tab that is most frequent in the header.
    DataError if two columns have one name.
    """
    csv.field_size_limit(MAX_ROW_CHARS)
    with _open_text(path, newline="") as file:
        header = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=max(",;\t", key=header.count), strict=True)
        try:
            names = next(reader, [])
            if twice := [name for name, times in Counter(filter(None, names)).items() if times > 1]:
                message = f"Several columns are called {twice[0]}."
                fix = "give each column a name of its own, or remove all but the right one"
                raise DataError(message, file=path, rule="a column's name occurs once", fix=fix)
            for row in filter(None, reader):
                if len(row) == len(names):
                    yield {name: cell or None for name, cell in zip(names, row, strict=True)}
                else:
                    reason = f"the row has {len(row)} cells and the header {len(names)}"
                    yield BadRow("row has a cell for each column", "row", row, reason)
        except csv.Error as error:
            reason = f"the quotes are broken here, and nothing after it was read: {error}"
            yield BadRow("file is whole CSV", "row", f"line {reader.line_num}", reason)


def _whole(path: Path) -> Iterator[Any]:
    with _open_text(path) as file:
        yield _parsed(file.read(), "file")


def _open_text(path: Path, newline: str = "\n") -> TextIO:
    """Open a text in UTF-8, or in UTF-16 if it begins as such."""
    with path.open("rb") as file:
        start = file.read(2)
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    return path.open(encoding=encoding, errors="surrogateescape", newline=newline)


def _parsed(words: str, what: str) -> Any:
    try:
        return _DECODER.decode(words)
    except (ValueError, RecursionError) as error:
        return BadRow(f"{what} is JSON", "row", words, f"the {what} is not JSON: {error}")


def _batches(path: Path) -> Iterator[Any]:
    with _named_if_damaged(path):
        for batch in _scan(path).collect_batches(chunk_size=ROWS_PER_BATCH, maintain_order=True):
            yield from shortest_floats(batch).iter_rows(named=True)


def shortest_floats(table: pl.DataFrame) -> pl.DataFrame:
    """Return a table whose Float32 values are those of their shortest texts: 0.1, not 0.1000000015.

    As Python's float, of 64 bits, a Float32 would have further digits that nobody wrote.
    """
    texts, wide = (
        pl.Schema((name, _replace_float32(kind, new)) for name, kind in table.schema.items())
        for new in (pl.String(), pl.Float64())
    )
    return table if wide == table.schema else table.cast(texts).cast(wide)


def _replace_float32(kind: Any, new: pl.DataType) -> Any:
    """Return a type with another one in place of Float32, also inside lists and objects."""
    if isinstance(kind, pl.Struct):
        return pl.Struct({one.name: _replace_float32(one.dtype, new) for one in kind.fields})
    if isinstance(kind, pl.List):
        return pl.List(_replace_float32(kind.inner, new))
    if isinstance(kind, pl.Array):
        return pl.Array(_replace_float32(kind.inner, new), kind.size)
    return new if kind == pl.Float32 else kind


@contextmanager
def _named_if_damaged(path: Path) -> Iterator[None]:
    try:
        yield
    except (pl.exceptions.PolarsError, OSError) as error:
        message = f"This Parquet file cannot be read: {error}"
        raise DataError(message, file=path, fix="download it again") from error


def _scan(path: Path) -> pl.LazyFrame:
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _elements(path: Path) -> Iterator[Any]:
    """Yield the rows of a JSON file; see the module's header."""
    with _open_text(path) as file:
        window = _Window(file)
        if not window.peek():
            yield BadRow("file is JSON", "row", "", "the file is empty; download it again")
        try:
            while opening := window.peek():
                if opening == "[":
                    yield from window.items()
                elif opening == "{":
                    yield from _object_rows(window)
                else:
                    raise ValueError("neither an array nor an object")
        except (ValueError, RecursionError) as error:
            reason = f"the JSON is broken here, and nothing after it was read: {error}"
            shown = window.text[window.start : window.start + 100]
            yield BadRow("file is whole JSON", "row", shown, reason)


def _object_rows(window: _Window) -> Iterator[Any]:
    """Yield the rows of an object: itself, those under a name for lists, or its members.

    Its members are the rows if the first two are objects, or the only one is. Of several lists of
    rows the first one of `_LIST_NAMES` is read; each other one is a bad row.
    """
    pairs: list[tuple[str, Any]] = []
    try:
        for pair in window.members():
            pairs.append(pair)
            if len(pairs) == 2:
                break
    except ValueError:
        yield from (_keyed(key, row) for key, row in pairs if _is_row(row))
        raise
    if pairs and all(_is_row(value) for _, value in pairs):
        yield from (_keyed(key, row) for key, row in pairs)
        if len(pairs) == 2:
            yield from (_keyed(key, row) for key, row in window.members())
        return
    if len(pairs) == 2:
        pairs += window.members()
    members = _object(pairs)
    if isinstance(members, BadRow):
        yield members
        return
    lists = [name for name in _LIST_NAMES if _is_rows(members.get(name))]
    yield from members[lists[0]] if lists else [members]
    for name in lists[1:]:
        reason = f"read is the list {lists[0]}; write these {len(members[name])} into another file"
        yield BadRow("a file has one list of rows", name, members[name][0], reason)


def _is_row(value: object) -> bool:
    return isinstance(value, dict | BadRow)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_row, value))


class _Window:
    """The part of a JSON text that is in memory, and where in it the next element starts."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.start = file, "", 0

    def peek(self) -> str:
        """Skip blanks and commas; return the next character, or nothing at the end."""
        while True:
            self.start = _BLANK.match(self.text, self.start).end()  # type: ignore[union-attr]
            if self.start < len(self.text) or not self._more():
                return self.text[self.start : self.start + 1]

    def items(self) -> Iterator[Any]:
        """Yield the elements of the array that begins here."""
        self.start += 1
        while self.peek() != "]":
            yield self.element()
        self.start += 1

    def members(self) -> Iterator[tuple[str, Any]]:
        """Yield keys and values of the object that begins here, or go on within one."""
        self.start += self.peek() == "{"
        while self.peek() != "}":
            key = self.element()
            if self.peek() != ":" or not isinstance(key, str):
                raise ValueError("a key and a colon are missing")
            self.start += 1
            self.peek()
            yield key, self.element()
        self.start += 1

    def element(self) -> Any:
        """Return the value that begins here; ValueError if it is broken, cut off or too long."""
        if not self.peek():
            raise ValueError("the file breaks off")
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.start)
                # At the end of the text, a number may go on in the next block.
                if end < len(self.text) or not self._more():
                    self.start = end
                    return value
            except ValueError:
                if len(self.text) - self.start > MAX_ROW_CHARS:
                    limit = f"one value has over {MAX_ROW_CHARS} characters"
                    raise ValueError(f"{limit}; write the rows as JSON lines") from None
                if not self._more():
                    raise

    def _more(self) -> bool:
        """Read at least as much as there is, so that a long element is not parsed too often."""
        block = self.file.read(max(BLOCK_CHARS, len(self.text) - self.start))
        if block:
            self.text, self.start = self.text[self.start :] + block, 0
        return bool(block)
