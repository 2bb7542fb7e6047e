"""Quarantine: rows that were set aside, each with the rule that it breaks."""

from __future__ import annotations

import polars as pl

from schemas.table import Table, at_least, not_empty
from schemas.table import rule as value_rule

MAX_VALUE_CHARS = 200


class Quarantine(Table):
    """One broken rule of one row. `row` is the 0-based row in `file`; `value` is shortened."""

    file: pl.String
    row: pl.Int64
    rule: pl.String
    field: pl.String
    value: pl.String
    reason: pl.String

    file_given = not_empty("file")
    row_range = at_least("row", 0)
    rule_given = not_empty("rule")
    field_given = not_empty("field")
    value_short = value_rule(
        f"value has at most {MAX_VALUE_CHARS} characters",
        "value",
        pl.col("value").str.len_chars() <= MAX_VALUE_CHARS,
    )
    reason_given = not_empty("reason")
