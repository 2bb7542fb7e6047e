"""What a query returns, as a table for the screen, CSV, JSON, Markdown or Parquet."""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any, TextIO

from mathse.core.errors import ParamError
from mathse.core.tables import open_durably
from mathse.core.text import one_line, printable
from mathse.report.sql import Answer, Tables
from mathse.report.text_tables import print_rows

FORMATS = ("table", "csv", "json", "md", "parquet")
SCREEN_ROWS = 200
# "INTERVAL", "STRUCT(a INTERVAL)", not the name in STRUCT("interval" INTEGER)
_NOT_IN_PARQUET = re.compile(r"(?<![\w\"])(?:INTERVAL|UNION)(?![\w\"])")


def answer_query(
    tables: Tables, sql: str, form: str | None, out: Path | None, limit: int | None
) -> str:
    """Run SQL and write what it returns in one of `FORMATS`.

    Args:
        tables: whom to ask.
        sql: one or more statements.
        form: the format; None: by the suffix of `out`; a table on the screen.
        out: the file to write; None: the standard output.
        limit: most rows to compute; 0: all; None: 200 in a table on the screen, else all.

    Returns:
        How many rows were written, in words.

    Raises:
        ParamError: if no format is named, or Parquet has no file to go to or cannot hold a column.
    """
    named = form or ("table" if out is None else out.suffix[1:].lower())
    if named not in FORMATS or (named == "parquet" and out is None):
        endings = ", ".join(f".{name}" for name in FORMATS[1:])
        raise ParamError(
            f"{form or out}: --format is one of {', '.join(FORMATS)} (which needs --out); "
            f"without it, the file of --out ends with one of {endings}."
        )
    if limit is None and named == "table" and out is None:
        limit = SCREEN_ROWS
    # One row more than is shown, to know whether there are more.
    answer = tables.ask(sql, limit=limit + 1 if limit else None)
    rows = Counted(answer.rows if not limit else islice(answer.rows, limit))
    if named == "parquet" and out is not None:
        import polars as pl

        _check_types(answer)
        stream = _ArrowStream(answer.relation) if answer.columns else None
        frame = tables.wait(pl.DataFrame, stream)
        with _open(out) as file:
            frame.head(limit or frame.height).write_parquet(file)
        return f"{min(frame.height, limit or frame.height)} rows in {out}"
    if out is None:
        _write(named, answer, rows, sys.stdout)
    else:
        with _open(out) as file:
            text = TextIOWrapper(file, encoding="utf-8", newline="")
            _write(named, answer, rows, text)
            text.flush()
            text.detach()
    is_cut = bool(limit) and next(answer.rows, None) is not None
    if not answer.columns:
        return "done"
    count = f"the first {rows.count} rows; --limit 0 for all" if is_cut else f"{rows.count} rows"
    return (count if rows.count != 1 or is_cut else "1 row") + (f" in {out}" if out else "")


def _check_types(answer: Answer) -> None:
    """Raise ParamError if a column is of a type that no Parquet file has."""
    types = answer.relation.types if answer.columns else []
    for name, kind in zip(answer.columns, map(str, types), strict=True):
        if _NOT_IN_PARQUET.search(kind):
            raise ParamError(
                f"The column {name} is {kind}, which Parquet cannot hold.\n"
                f'  fix: cast it in the query, such as "{name}"::VARCHAR, or take another --format'
            )


def _open(out: Path) -> AbstractContextManager[IO[bytes]]:
    """Open a file that a failing or interrupted query leaves as it was; a pipe or device as is."""
    target = out.resolve()  # a link stays a link
    is_special = target.exists() and not target.is_file()
    return target.open("wb") if is_special else open_durably(target)


class _ArrowStream:
    """The rows of a DuckDB relation as Arrow; of the relation itself Polars would leave a leak."""

    def __init__(self, relation: Any) -> None:
        self._stream = relation.__arrow_c_stream__()

    def __arrow_c_stream__(self, _: object = None) -> Any:
        """Return the stream, once."""
        return self._stream


class Counted:
    """Rows that are counted as they pass."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Any:
        """Yield the rows."""
        for row in self._rows:
            self.count += 1
            yield row


def _write(form: str, answer: Answer, rows: Iterable[tuple[Any, ...]], out: TextIO) -> None:
    """Write rows. Nested values are JSON in CSV and Markdown; NaN and infinity are null in JSON."""
    columns = answer.columns
    if not columns:
        return
    if form == "csv":
        # On a screen no character steers it; a file or another program gets the data as they are.
        screen = SimpleNamespace(write=lambda text: out.write(printable(text)))
        writer = csv.writer(screen if out.isatty() else out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_as_text(value) for value in row] for row in rows)
    elif form == "json":
        comma = ""
        out.write("[")
        for row in rows:
            entry = {key: _as_json(value) for key, value in zip(columns, row, strict=True)}
            text = json.dumps(entry, ensure_ascii=False, default=str, allow_nan=False)
            out.write(f"{comma}\n  {printable(text)}")
            comma = ","
        out.write("\n]\n")
    elif form == "md":
        out.write(_markdown_line(columns) + _markdown_line(["---"] * len(columns)))
        for row in rows:
            out.write(_markdown_line(row))
    else:
        print_rows(columns, rows, out)


def _as_text(value: Any) -> Any:
    is_nested = isinstance(value, list | tuple | dict)
    return json.dumps(_as_json(value), ensure_ascii=False, default=str) if is_nested else value


def _as_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _markdown_line(values: Iterable[Any]) -> str:
    cells = ("" if value is None else one_line(str(_as_text(value))) for value in values)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
