"""Quarantine: rows that were set aside, each with the rule that it breaks."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.table import Table, at_least, not_empty
from schemas.table import rule as value_rule

MAX_VALUE_CHARS = 200


class Quarantine(Table):
    """One broken rule of one row. `row` is the 0-based row in `file`; `value` is shortened."""

    file: pl.String = pa.Field(description="table or file in which the row stood")
    row: pl.Int64 = pa.Field(description="number of the row there, from 0")
    rule: pl.String = pa.Field(description="the rule that it breaks, in words")
    field: pl.String = pa.Field(description="the column shown")
    value: pl.String = pa.Field(description="the value, shortened to 200 characters")
    reason: pl.String = pa.Field(description="why that is wrong")

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
