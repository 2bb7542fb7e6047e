"""Tables of answers as people have them, read for the answer check."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.core.tables import read_table
from mathse.datasets.fields import choice_texts, is_missing, plain_text, text
from mathse.datasets.file_readers import check_encoding, read_rows, shortest_floats
from mathse.datasets.protocol import BadRow, DataFile, Row

EXPECTED = (
    *("expected", "expected_match", "expected_equal"),
    *("official_correct", "is_correct", "correct"),
)
"""Columns that may hold the table's own verdicts, in this order."""
_LABELS = dict.fromkeys(("true", "yes", "right", "correct", "match", "1", "1.0"), True)
_LABELS |= dict.fromkeys(("false", "no", "wrong", "incorrect", "mismatch", "0", "0.0"), False)


@dataclass(frozen=True)
class AnswerTable:
    """A table to check.

    Attributes:
        rows: all rows that could be read, with the columns of the file; choices are lists.
        numbers: for each of them its row in the file, from 0.
        expected: for each of them the table's own verdict, None where it has none.
        expected_column: the column of these verdicts; None if the table has none.
        not_compared: a column that is named as if it had verdicts, and has other values; else "".
        problems: for each row that could not be read, why not.
    """

    rows: pl.DataFrame
    numbers: list[int]
    expected: list[bool | None]
    expected_column: str | None
    not_compared: str
    problems: list[str]


def read_answers(file: Path, expected: str | None = None) -> AnswerTable:
    """Read a table of answers: Parquet, CSV, TSV, JSON or JSON lines, by the end of its name.

    A column that appears late is null before; one with values of several kinds becomes text.
    Choices are read in the forms of `choice_texts`.

    Args:
        file: the file, or a folder of Parquet shards.
        expected: the column of the table's own verdicts; else the first of `EXPECTED` most of
            whose values are verdicts. A row with another value there is a problem.

    Raises:
        DataError: if the file cannot be read, or has no column of this name.
    """
    # The rows of the file: as Parquet has them, or one by one.
    problems: dict[int, BadRow] = {}
    if file.is_dir() or file.suffix.lower() == ".parquet":
        table = shortest_floats(read_table(file))
        rows: Iterable[Mapping[str, Any]] = table.iter_rows(named=True)
    else:
        read = [_encoded(row) for row in read_rows(DataFile(file))]
        problems = {index: row for index, row in enumerate(read) if isinstance(row, BadRow)}
        rows = [{} if isinstance(row, BadRow) else row for row in read]
        table = to_table(rows)
    if expected is None:
        expected = next((name for name in EXPECTED if _holds_labels(table, name)), None)
    elif expected not in table.columns and table.width:
        fix = f"name one of its columns: {', '.join(table.columns)}"
        raise DataError(f"There is no column {expected}.", file=file, fix=fix)
    # What the check needs of each row.
    answers: dict[str, list[str | None]] = {"gold": [], "response": []}
    choices: list[list[str]] = []
    labels: list[bool | None] = []
    for index, row in enumerate(rows):
        found: dict[str, str] = {}
        try:
            for name in answers:
                found[name] = text(row, name, default="")
            listed, label = choice_texts(row, "choices"), _label(row, expected)
        except BadRow as problem:
            problems.setdefault(index, problem)
            listed, label = [], None
        for name, listed_answers in answers.items():
            listed_answers.append(found.get(name) or None)
        choices.append(listed)
        labels.append(label)
    # Leave out the rows with a problem.
    numbers = [index for index in range(table.height) if index not in problems]
    for name, texts in answers.items():
        if name in table.columns and table.schema[name].is_float():
            table = table.with_columns(pl.Series(name, texts, dtype=pl.String))
    if "choices" in table.columns:
        table = table.with_columns(pl.Series("choices", choices, dtype=pl.List(pl.String)))
    return AnswerTable(
        table[numbers],
        numbers,
        [labels[index] for index in numbers],
        expected,
        "" if expected else next((name for name in EXPECTED if name in table.columns), ""),
        [_shown(file, index, problems[index]) for index in sorted(problems)],
    )


def to_table(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows as a table with the columns of all; mixed values of a column become text."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [_column(str(name), [row.get(name) for row in rows]) for name in names]
    return pl.DataFrame(columns, height=len(rows)) if columns else pl.DataFrame(height=len(rows))


def _encoded(row: Row | BadRow) -> Row | BadRow:
    try:
        check_encoding(row)
    except BadRow as problem:
        return problem
    return row


def _column(name: str, values: list[Any]) -> pl.Series:
    if len({type(value) for value in values} - {type(None)}) <= 1:
        try:
            return pl.Series(name, values, strict=True)
        except (pl.exceptions.PolarsError, TypeError, OverflowError):
            pass  # such as a list of numbers and texts, or a number of more than 64 bits
    return pl.Series(name, [_as_text(value) for value in values], dtype=pl.String)


def _as_text(value: object) -> str | None:
    if is_missing(value):
        return None
    if isinstance(value, str | float):
        return plain_text(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def _label(row: Mapping[str, Any], column: str | None) -> bool | None:
    value = None if column is None else row.get(column)
    if value is None or value == "":
        return None
    label = _LABELS.get(str(value).strip().lower())
    if label is None:
        raise BadRow("a verdict is true or false", str(column), value, "write true or false")
    return label


def _holds_labels(table: pl.DataFrame, name: str) -> bool:
    if name not in table.columns:
        return False
    values = [value for value in table[name].to_list() if value not in (None, "")]
    labels = [value for value in values if str(value).strip().lower() in _LABELS]
    return len(labels) > len(values) / 2


def _shown(file: Path, index: int, problem: BadRow) -> str:
    value = "".join(islice(str(problem.value), 60))
    message = f"Row {index} is not checked: {problem.field} is {value!r}."
    return str(DataError(message, file=file, row=index, rule=problem.rule, fix=problem.reason))
