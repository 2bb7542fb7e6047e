"""Check a table against its model: stop with an error people can act on, or set the bad rows aside.

pandera checks no values of a LazyFrame, only its columns. So everything here works on collected
frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl
from pandera.config import ValidationDepth, config_context
from pandera.errors import SchemaErrorReason, SchemaErrors
from pandera.polars import Check

from schemas.quarantine import MAX_VALUE_CHARS, Quarantine
from schemas.table import Table

SHOWN_ROWS = 5

_COLUMN_RULES = {
    SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME: "all columns are there",
    SchemaErrorReason.COLUMN_NOT_IN_SCHEMA: "no other columns",
    SchemaErrorReason.WRONG_DATATYPE: "columns have their types",
}
_COLUMN_FIX = (
    "run the stage that writes this table again; a table from elsewhere comes in by an import"
)
_VALUE_FIX = (
    "correct these rows where they come from, then run the stage that writes the table again"
)


class ContractError(Exception):
    """A table breaks its contract.

    Args:
        file: the table in question.
        rules: names of the broken rules.
        details: one text per rule, with the first failing rows.
        fix: what the reader can do about it.
    """

    def __init__(
        self, file: str, rules: tuple[str, ...], details: tuple[str, ...], fix: str
    ) -> None:
        super().__init__(file, rules, details, fix)
        self.file = file
        self.rules = rules
        self.details = details
        self.fix = fix

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


@dataclass(frozen=True)
class Failure:
    """A rule and, for each row of the table, whether the row keeps it."""

    rule: Rule
    held: pl.Series


def rules(model: type[Table]) -> list[Rule]:
    """List the value rules of a table: columns that may not be null, then the declared rules."""
    return _not_null(model) + [_rule_of(check) for check in model.to_schema().checks]


def column_types(model: type[Table], *names: str) -> pl.Schema:
    """Return the types of these columns of a table, or of all its columns."""
    columns = model.to_schema().columns
    return pl.Schema({name: columns[name].dtype.type for name in names or columns})


def validate(df: pl.DataFrame | pl.LazyFrame, model: type[Table], *, file: str) -> pl.DataFrame:
    """Return the table as it is if it keeps every rule.

    Args:
        df: the table; a lazy one is collected first.
        model: what the table must be.
        file: how to call the table in an error.

    Raises:
        ContractError: naming each broken rule, its first failing rows and what to do.
    """
    df = df.collect() if isinstance(df, pl.LazyFrame) else df
    failures = _value_failures(df, model, file)
    if failures:
        names = tuple(failure.rule.name for failure in failures)
        raise ContractError(
            file, names, tuple(_describe(df, failure) for failure in failures), _VALUE_FIX
        )
    return df


def split_bad(
    df: pl.DataFrame | pl.LazyFrame, model: type[Table], *, file: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the rows that keep every rule from those that do not.

    Args:
        df: the table; a lazy one is collected first.
        model: what the table must be.
        file: how to call the table in the quarantine.

    Returns:
        The good rows in their order, and `Quarantine` rows: one for each broken rule of each bad
        row.

    Raises:
        ContractError: if columns are missing, too many or of another type: then no row can be
            trusted.
    """
    df = df.collect() if isinstance(df, pl.LazyFrame) else df
    good = pl.repeat(True, df.height, eager=True)
    parts = [pl.DataFrame(schema=column_types(Quarantine))]
    for failure in _value_failures(df, model, file):
        good = good & failure.held
        parts.append(quarantine_rows(df, ~failure.held, rule=failure.rule, file=file))
    return df.filter(good), pl.concat(parts).sort("row", maintain_order=True)


def quarantine_rows(
    df: pl.DataFrame, bad: pl.Series, *, rule: Rule, file: str, reason: str = ""
) -> pl.DataFrame:
    """Make `Quarantine` rows of the rows marked bad.

    Args:
        df: the table.
        bad: true for each row to set aside.
        rule: the rule that they break, and the column whose value to show.
        file: how to call the table.
        reason: what is wrong, if the rule's name does not say it all.
    """
    places = bad.arg_true()
    values = [_shorten(value, MAX_VALUE_CHARS) for value in df[rule.field].gather(places)]
    return pl.DataFrame(
        {
            "file": [file] * len(values),
            "row": places.cast(pl.Int64),
            "rule": [rule.name] * len(values),
            "field": [rule.field] * len(values),
            "value": values,
            "reason": [reason or f"broken rule: {rule.name}"] * len(values),
        },
        schema=column_types(Quarantine),
    )


def broken(df: pl.DataFrame, held: pl.Series, *, rule: Rule, file: str, fix: str) -> None:
    """Raise the error for a rule checked elsewhere if any row breaks it.

    Raises:
        ContractError: naming the rule and the first failing rows.
    """
    if not held.all():
        raise ContractError(file, (rule.name,), (_describe(df, Failure(rule, held)),), fix)


def _value_failures(df: pl.DataFrame, model: type[Table], file: str) -> list[Failure]:
    """Return the broken value rules; broken columns raise at once.

    pandera checks the columns. Its checks of values are called one by one, because the way it
    gathers failure cases ends in a panic of polars where a table holds bytes.
    """
    _check_columns(df, model, file)
    failures = [Failure(rule, df[rule.field].is_not_null()) for rule in _not_null(model)]
    for check in model.to_schema().checks:
        held = check(df.lazy()).check_output.collect().to_series()
        failures.append(Failure(_rule_of(check), held))
    return [failure for failure in failures if not failure.held.all()]


def _check_columns(df: pl.DataFrame, model: type[Table], file: str) -> None:
    try:
        with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
            model.validate(df, lazy=True)
    except SchemaErrors as errors:
        found = [error.reason_code for error in errors.schema_errors]
        if not all(reason in _COLUMN_RULES for reason in found):
            raise
        names = tuple(dict.fromkeys(_COLUMN_RULES[reason] for reason in found))
        raise ContractError(file, names, _describe_columns(df, model), _COLUMN_FIX) from None


def _not_null(model: type[Table]) -> list[Rule]:
    columns = model.to_schema().columns.items()
    return [Rule(f"{name} is not null", name) for name, column in columns if not column.nullable]


def _rule_of(check: Check) -> Rule:
    return Rule(str(check.name), str(check.title))


def _describe(df: pl.DataFrame, failure: Failure) -> str:
    places = (~failure.held).arg_true()
    lines = [f"  {failure.rule.name}: broken by {len(places)} of {df.height} rows"]
    for row in places.head(SHOWN_ROWS):
        value = _shorten(df[failure.rule.field][row], 80, quoted=True)
        lines.append(f"    row {row}: {failure.rule.field} = {value}")
    if len(places) > SHOWN_ROWS:
        lines.append("    ...")
    return "\n".join(lines)


def _describe_columns(df: pl.DataFrame, model: type[Table]) -> tuple[str, ...]:
    wanted = column_types(model)
    missing = [
        f"  column {name} ({dtype}) is missing"
        for name, dtype in wanted.items()
        if name not in df.columns
    ]
    extra = [
        f"  column {name} does not belong to {model.__name__}"
        for name in df.columns
        if name not in wanted
    ]
    wrong = [
        f"  column {name} is {dtype}, not {wanted[name]}"
        for name, dtype in df.schema.items()
        if name in wanted and dtype != wanted[name]
    ]
    return (*missing, *extra, *wrong)


def _shorten(value: object, limit: int, *, quoted: bool = False) -> str:
    """Write a value for people; text in quotes where an empty one must show."""
    if isinstance(value, pl.Series):
        value = value.to_list()
    if isinstance(value, bytes):
        text = f"{len(value)} bytes: {value[:16].hex()}"
    else:
        text = (
            value
            if isinstance(value, str) and not quoted
            else "null"
            if value is None
            else repr(value)
        )
    return text if len(text) <= limit else text[: limit - 1] + "…"
