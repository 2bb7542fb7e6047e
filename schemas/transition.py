"""Transitions: problems by right or wrong in the round before and in this one."""

from __future__ import annotations

import polars as pl

from schemas.enums import ANSWER_OUTCOMES
from schemas.table import Table, field, one_of, short_name, unique


class Transition(Table):
    """How many problems of a split went from one outcome to another."""

    before: pl.String = one_of(ANSWER_OUTCOMES, "in the round before: {}")
    after: pl.String = one_of(ANSWER_OUTCOMES, "in this round: {}")
    n: pl.Int64 = field("problems", ge=0)
    share: pl.Float64 = field(
        "share of the split's problems", in_range={"min_value": 0, "max_value": 1}
    )
    split: pl.String = short_name("split of the problems")

    once = unique("split", "before", "after")
