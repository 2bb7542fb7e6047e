"""Check a table against its model: raise an error that says what to do, or part off the bad rows.

polars panics where pandera collects failure cases of bytes, so bytes are described in words before
pandera sees them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl
import polars.selectors as cs
from pandera.constants import CHECK_OUTPUT_KEY
from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors
from pandera.polars import DataFrameSchema

from schemas.quarantine import MAX_VALUE_CHARS, Quarantine
from schemas.table import CONTENT_ID, LANGUAGE_CODE, NOT_EMPTY, SHA256, SHORT_NAME, Table

SHOWN_ROWS = 5

_FORMS = {
    CONTENT_ID: "a content id",
    SHA256: "a SHA-256 digest",
    SHORT_NAME: "a short name",
    LANGUAGE_CODE: "a language code",
    NOT_EMPTY: "not empty",
}
_COLUMN_FIX = (
    "run the stage that writes this table again; a table from elsewhere comes in by an import"
)
_VALUE_FIX = (
    "correct these rows where they come from, then run the stage that writes the table again"
)


@dataclass(eq=False)
class ContractError(Exception):
    """A table breaks its contract."""

    file: str
    rules: tuple[str, ...]  # names of the broken ones
    details: tuple[str, ...]  # one text per rule, with the first failing rows
    fix: str  # what the reader can do about it

    def __str__(self) -> str:
        """Return the file, each broken rule with its first rows, and what to do."""
        count = "a rule" if len(self.rules) == 1 else f"{len(self.rules)} rules"
        return "\n".join(
            [f"{self.file} breaks {count} of its contract.", *self.details, f"  fix: {self.fix}"]
        )


@dataclass(frozen=True)
class Rule:
    """A rule's name and the column that it is about."""

    name: str
    field: str


def rules(model: type[Table]) -> list[Rule]:
    """List the value rules of a table."""
    columns = _value_schema(model).columns.items()
    not_null = [_not_null(name) for name, column in columns if not column.nullable]
    return not_null + [_rule(name, check) for name, column in columns for check in column.checks]


def column_types(model: type[Table], *names: str) -> pl.Schema:
    """Return the types of these columns of a table, or of all that it must have."""
    columns = model.to_schema().columns
    required = [name for name, column in columns.items() if column.required]
    return pl.Schema({name: columns[name].dtype.type for name in names or required})


def optional_types(model: type[Table]) -> pl.Schema:
    """Return the types of the columns that a table may have."""
    columns = model.to_schema().columns
    names = [name for name, column in columns.items() if not column.required]
    return pl.Schema({name: columns[name].dtype.type for name in names})


def validate(df: pl.DataFrame, model: type[Table], *, file: str) -> pl.DataFrame:
    """Return the table as it is if it keeps every rule; `file` names it in an error.

    Raises:
        ContractError: naming each broken rule, its first failing rows and what to do.
    """
    shown, failures = _failures(df, model, file)
    if failures:
        details = tuple(_describe(shown, rule, passed) for rule, passed in failures.items())
        raise ContractError(file, tuple(rule.name for rule in failures), details, _VALUE_FIX)
    return df


def split_bad(
    df: pl.DataFrame, model: type[Table], *, file: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the rows that keep every rule from those that do not.

    Returns:
        The good rows in their order, and `Quarantine` rows: one for each broken rule of each bad
        row.

    Raises:
        ContractError: if columns are missing, too many or of another type: then no row can be
            trusted.
    """
    shown, failures = _failures(df, model, file)
    good = pl.repeat(True, df.height, eager=True)
    parts = [pl.DataFrame(schema=column_types(Quarantine))]
    for rule, passed in failures.items():
        good &= passed
        parts.append(quarantine_rows(shown, ~passed, rule, file=file))
    return df.filter(good), pl.concat(parts).sort("row", maintain_order=True)


def quarantine_rows(
    df: pl.DataFrame, bad: pl.Series, rule: Rule, *, file: str, reason: str = ""
) -> pl.DataFrame:
    """Make `Quarantine` rows of the rows marked bad; without a reason, the rule is the reason."""
    reason = reason or f"broken rule: {rule.name}"
    rows = [
        (file, row, rule.name, rule.field, shorten(df[rule.field][row], MAX_VALUE_CHARS), reason)
        for row in bad.arg_true()
    ]
    return pl.DataFrame(rows, schema=column_types(Quarantine), orient="row")


def require(df: pl.DataFrame, passed: pl.Series, rule: Rule, *, file: str, fix: str) -> None:
    """Raise a ContractError with the first failing rows if any row breaks a rule."""
    if not passed.all():
        raise ContractError(file, (rule.name,), (_describe(df, rule, passed),), fix)


def describe_bytes(value: bytes | None) -> str | None:
    """Return size, start and SHA-256 of bytes, as rules and messages see them."""
    if value is None:
        return None
    return f"{len(value)} bytes: {value[:16].hex()}, SHA-256 {hashlib.sha256(value).hexdigest()}"


def _failures(
    df: pl.DataFrame, model: type[Table], file: str
) -> tuple[pl.DataFrame, dict[Rule, pl.Series]]:
    """Return the frame as pandera sees it, and for each broken rule which rows keep it.

    Raises:
        ContractError: if the columns are not those of the model.
        SchemaErrors: if a rule cannot be evaluated.
    """
    _check_columns(df, model, file)
    for name in df.select(cs.binary()).columns:
        df = df.with_columns(pl.Series(name, map(describe_bytes, df[name]), dtype=pl.String))
    try:
        _value_schema(model).validate(df, lazy=True)
    except SchemaErrors as errors:
        if any(one.reason_code == SchemaErrorReason.CHECK_ERROR for one in errors.schema_errors):
            raise
        outputs = [one.check_output[CHECK_OUTPUT_KEY] for one in errors.schema_errors]
        broken = map(_broken_rule, errors.schema_errors)
        return df, {rule: out.fill_null(True) for rule, out in zip(broken, outputs, strict=True)}
    return df, {}


@cache
def _value_schema(model: type[Table]) -> DataFrameSchema:
    """Return the model's schema for frames whose bytes are described in words."""
    binary = [name for name, dtype in column_types(model).items() if dtype == pl.Binary]
    return model.to_schema().update_columns({name: {"dtype": pl.String} for name in binary})


def _check_columns(df: pl.DataFrame, model: type[Table], file: str) -> None:
    wanted = column_types(model)
    known = {**wanted, **optional_types(model)}
    found = {
        "all columns are there": [
            f"  column {name} ({dtype}) is missing"
            for name, dtype in wanted.items()
            if name not in df.columns
        ],
        "no other columns": [
            f"  column {name} does not belong to {model.__name__}"
            for name in df.columns
            if name not in known
        ],
        "columns have their types": [
            f"  column {name} is {dtype}, not {known[name]}"
            for name, dtype in df.schema.items()
            if name in known and dtype != known[name]
        ],
    }
    if any(found.values()):
        names = tuple(rule for rule, lines in found.items() if lines)
        raise ContractError(file, names, tuple(sum(found.values(), [])), _COLUMN_FIX)


def _broken_rule(error: SchemaError) -> Rule:
    if error.reason_code == SchemaErrorReason.SERIES_CONTAINS_NULLS:
        return _not_null(error.schema.name)
    return _rule(error.schema.name, error.check)


def _not_null(column: str) -> Rule:
    return Rule(f"{column} is not null", column)


def _rule(column: str, check: Any) -> Rule:
    """Name a check: those of pandera by what they ask for, others have their names."""
    match check.name, check.statistics or {}:
        case "isin", {"allowed_values": values}:
            name = f"{column} is one of {', '.join(values)}"
        case "greater_than_or_equal_to", {"min_value": lowest}:
            name = f"{column} is at least {lowest}"
        case "in_range", {"min_value": lowest, "max_value": highest}:
            name = f"{column} is from {lowest} to {highest}"
        case "str_matches" | "str_contains", {"pattern": pattern}:
            name = f"{column} is {_FORMS[pattern]}"
        case _:
            name = check.name
    return Rule(name, column)


def _describe(df: pl.DataFrame, rule: Rule, passed: pl.Series) -> str:
    rows = (~passed).arg_true()
    lines = [f"  {rule.name}: broken by {len(rows)} of {df.height} rows"]
    for row in rows.head(SHOWN_ROWS):
        value = df[rule.field][row]
        value = repr(value) if isinstance(value, str) else value
        lines.append(f"    row {row}: {rule.field} = {shorten(value, 80)}")
    return "\n".join([*lines, *(["    ..."] if len(rows) > SHOWN_ROWS else [])])


def shorten(value: object, limit: int = 4 * MAX_VALUE_CHARS) -> str:
    """Write a value for people in at most `limit` characters."""
    value = value.to_list() if isinstance(value, pl.Series) else value
    value = describe_bytes(value) if isinstance(value, bytes) else value
    text = value if isinstance(value, str) else "null" if value is None else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
