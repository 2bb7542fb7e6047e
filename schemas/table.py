"""The base of all table models, and the fields and rules that they are made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandera.polars as pa
import polars as pl

CONTENT_ID = r"^[0-9a-f]{16}$"  # 0123456789abcdef
SHA256 = r"^[0-9a-f]{64}$"  # 64 hex digits: 00ff…
SHORT_NAME = r"^[a-z][a-z0-9_]*$"  # r1, eval_hard
LANGUAGE_CODE = r"^[a-z]{2,3}(-[A-Za-z0-9]+)*$"  # en, zh-Hans
NOT_EMPTY = r"\S"  # more than blanks


class Table(pa.DataFrameModel):
    """Base of all tables: exactly the declared columns, in any order; types are not coerced."""

    class Config:
        """Settings of pandera."""

        strict = True
        coerce = False


def field(description: str, *, nullable: bool = False, **checks: Any) -> Any:
    """Declare a column with checks of pandera, such as `ge=0`; nulls pass every check."""
    return pa.Field(description=description, nullable=nullable, n_failure_cases=1, **checks)


def content_id(description: str, *, nullable: bool = False) -> Any:
    """Declare a column of 16 hex digits."""
    return field(description, nullable=nullable, str_matches=CONTENT_ID)


def short_name(description: str) -> Any:
    """Declare a column of lower-case names without blanks."""
    return field(description, str_matches=SHORT_NAME)


def text(description: str, *, nullable: bool = False) -> Any:
    """Declare a column of texts that are more than blanks."""
    return field(description, nullable=nullable, str_contains=NOT_EMPTY)


def one_of(values: tuple[str, ...], description: str, *, nullable: bool = False) -> Any:
    """Declare a column of a few words; `{}` in the description becomes the list of them."""
    listed = ", ".join(values[:-1]) + f" or {values[-1]}"
    return field(description.format(listed), nullable=nullable, isin=values)


def rule(name: str, column: str, passes: pl.Expr) -> Any:
    """Declare a rule that looks at more than the value of one column; nulls pass.

    Args:
        name: the rule in words, such as "passes are at most attempts".
        column: the column to show with a row that breaks it.
        passes: true for each row that keeps the rule.
    """

    def check(cls: type, data: pa.PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(passes.alias(column))

    return pa.check(column, name=name, n_failure_cases=1)(check)


def unique(*columns: str) -> Any:
    """Declare that no earlier row has the same key."""
    first = pl.struct(columns).is_first_distinct()
    return rule(f"{' and '.join(columns)} occur once", columns[0], first)


def failures_have_reasons() -> Any:
    """Declare that rows with finish_reason error, and only they, have error and error_kind."""
    given = pl.col("error", "error_kind").is_not_null()
    fits = pl.all_horizontal(given == (pl.col("finish_reason") == "error"))
    return rule("failed requests and only they have an error", "error", fits)


def only_wrong_has_feedback(status: str, *feedback: str) -> Any:
    """Declare that these columns are null in rows whose status is not wrong."""
    fits = (pl.col(status) == "wrong") | pl.all_horizontal(pl.col(feedback).is_null())
    return rule("only wrong trajectories have feedback", status, fits)


def is_json_object(column: str) -> Any:
    """Declare that the text is a JSON object."""
    return rule(f"{column} is a JSON object", column, _each(pl.col(column), _reads_as_object))


def steps_are_lines() -> Any:
    """Declare that the steps hold the response's lines, stripped, without the empty ones."""
    both = pl.struct("response", "steps")
    return rule("steps are the lines of the response", "steps", _each(both, _steps_fit))


def _each(column: pl.Expr, passes: Callable[[Any], bool]) -> pl.Expr:
    """Call a Python function for each value that is not null."""

    def ask(values: pl.Series) -> pl.Series:
        found = [None if value is None else passes(value) for value in values]
        return pl.Series(found, dtype=pl.Boolean)

    return column.map_batches(ask, return_dtype=pl.Boolean)


def _reads_as_object(value: str) -> bool:
    try:
        return isinstance(json.loads(value), dict)
    except ValueError:
        return False


def _steps_fit(row: dict[str, Any]) -> bool:
    lines = (line.strip() for line in (row["response"] or "").splitlines())
    return [line for line in lines if line] == [
        line for step in row["steps"] or () for line in step.split("\n")
    ]
