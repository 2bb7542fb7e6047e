"""Quarantine: rows that were set apart, each with the rule that it breaks."""

from __future__ import annotations

import polars as pl

from schemas.table import Table, text
from schemas.table import field as declare_field
from schemas.table import rule as declare_rule

MAX_VALUE_CHARS = 200


class Quarantine(Table):
    """One broken rule of one row. `row` is the 0-based row in `file`; `value` is shortened."""

    file: pl.String = text("table or file in which the row stood")
    row: pl.Int64 = declare_field("number of the row there, from 0", ge=0)
    rule: pl.String = text("the rule that it breaks, in words")
    field: pl.String = text("the column shown")
    value: pl.String = declare_field("the value, shortened to 200 characters")
    reason: pl.String = text("why that is wrong")

    value_short = declare_rule(
        f"value has at most {MAX_VALUE_CHARS} characters",
        "value",
        pl.col("value").str.len_chars() <= MAX_VALUE_CHARS,
    )
