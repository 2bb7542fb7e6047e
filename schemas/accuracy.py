"""Accuracy: right answers of a model by split, source and group."""

from __future__ import annotations

import polars as pl

from schemas.table import Table, field, rule, short_name, text, unique


class Accuracy(Table):
    """The right answers of one group. `by` names what is grouped by; all: the source as a whole."""

    round: pl.String = short_name("round whose model answered; base and control besides")
    split: pl.String = short_name("split of the problems")
    source: pl.String = text("data set of the problems")
    by: pl.String = text("what is grouped by, such as subject; all: the source as a whole")
    group: pl.String = field("value that the problems of the group share")
    n: pl.Int64 = field("answers", ge=1)
    correct: pl.Int64 = field("right ones", ge=0)
    accuracy: pl.Float64 = field("share of right ones")
    low: pl.Float64 = field("lower end of its 95% interval")
    high: pl.Float64 = field("upper end of its 95% interval")
    found: pl.Float64 = field("share of responses in which an answer was found")

    once = unique("round", "split", "source", "by", "group")
    correct_fits = rule("correct is at most n", "correct", pl.col("correct") <= pl.col("n"))
    bounds_fit = rule(
        "shares and intervals lie in 0 to 1",
        "accuracy",
        pl.all_horizontal(pl.col("accuracy", "low", "high", "found").is_between(0, 1)),
    )
