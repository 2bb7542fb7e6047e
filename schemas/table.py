"""What all table models share: strict columns and types, and rules that have names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pandera.polars as pa
import polars as pl

CONTENT_ID = r"^[0-9a-f]{16}$"
SHA256 = r"^[0-9a-f]{64}$"
SHORT_NAME = r"^[a-z][a-z0-9_]*$"


class Table(pa.DataFrameModel):
    """Base of all tables: no column more or less than declared, no type changed on the way."""

    class Config:
        """Columns must be exactly those declared, in any order; values are not coerced."""

        strict = True
        coerce = False


def rule(name: str, field: str, holds: pl.Expr) -> Any:
    """Declare a rule of a table. A null result counts as held: whether nulls may be is told by the column.

    Args:
        name: the rule in words, such as "answer is not empty".
        field: the column to show with a row that breaks it.
        holds: true for each row that keeps the rule.

    Returns:
        A check for the body of a `Table`.
    """

    def check(cls: type, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(holds.alias(field))

    return pa.dataframe_check(name=name, title=field, n_failure_cases=1)(check)


def matches(field: str, pattern: str, words: str) -> Any:
    """Rule: the text has this form."""
    return rule(f"{field} is {words}", field, pl.col(field).str.contains(pattern))


def is_content_id(field: str) -> Any:
    """Rule: 16 hex digits."""
    return matches(field, CONTENT_ID, "a content id")


def is_short_name(field: str) -> Any:
    """Rule: a lower-case name without blanks, such as r1 or eval_hard."""
    return matches(field, SHORT_NAME, "a short name")


def not_empty(field: str) -> Any:
    """Rule: the text holds more than blanks."""
    return rule(f"{field} is not empty", field, pl.col(field).str.strip_chars() != "")


def one_of(field: str, values: tuple[str, ...]) -> Any:
    """Rule: one of a few words."""
    return rule(f"{field} is one of {', '.join(values)}", field, pl.col(field).is_in(values))


def at_least(field: str, lowest: int) -> Any:
    """Rule: a number that is not too small."""
    return rule(f"{field} is at least {lowest}", field, pl.col(field) >= lowest)


def unique(*fields: str) -> Any:
    """Rule: no earlier row has the same key."""
    return rule(
        f"{' and '.join(fields)} occur once", fields[0], pl.struct(fields).is_first_distinct()
    )


def is_json_object(field: str) -> Any:
    """Rule: the text is a JSON object."""
    return rule(f"{field} is a JSON object", field, _each(pl.col(field), _reads_as_object))


def steps_are_lines() -> Any:
    """Rule: the steps are the response's lines, stripped, without the empty ones."""
    both = pl.struct("response", "steps")
    return rule("steps are the lines of the response", "steps", _each(both, _steps_fit))


def is_hash_of(field: str, data: str) -> Any:
    """Rule: the id is the SHA-256 of the bytes."""
    digest = pl.col(data).map_batches(_digests, return_dtype=pl.String)
    return rule(f"{field} is the hash of the {data}", field, pl.col(field) == digest)


def _each(column: pl.Expr, holds: Callable[[Any], bool]) -> pl.Expr:
    """Ask a Python function about each value that is not null."""

    def ask(values: pl.Series) -> pl.Series:
        return pl.Series(
            [None if value is None else holds(value) for value in values], dtype=pl.Boolean
        )

    return column.map_batches(ask, return_dtype=pl.Boolean)


def _reads_as_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _steps_fit(row: dict[str, Any]) -> bool:
    lines = (line.strip() for line in (row["response"] or "").splitlines())
    return bool([line for line in lines if line] == row["steps"])


def _digests(values: pl.Series) -> pl.Series:
    digests = [None if value is None else hashlib.sha256(value).hexdigest() for value in values]
    return pl.Series(digests, dtype=pl.String)
