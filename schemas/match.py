"""Matches: training problems that are in an evaluation split too, with the problem there."""

from __future__ import annotations

import polars as pl

from schemas.enums import MATCH_RULES
from schemas.table import Table, content_id, field, one_of, short_name, unique
from schemas.table import rule as declare_rule
from schemas.table import text as declare_text

_SHARE = {"min_value": 0, "max_value": 1}


class Match(Table):
    """One pair. `text` and `picture` are similarities; null pictures were not needed."""

    problem_id: pl.String = content_id("the training problem; in `Problem`")
    split: pl.String = short_name("its split")
    other_id: pl.String = content_id("the problem of an evaluation split; in `Problem`")
    other_split: pl.String = short_name("its split")
    rule: pl.String = one_of(MATCH_RULES, "what the two have in common: {}")
    text: pl.Float64 = field("similarity of the wordings, from 0 to 1", in_range=_SHARE)
    picture: pl.Float64 = field(
        "similarity of the pictures, from 0 to 1; null: not needed", nullable=True, in_range=_SHARE
    )
    same_answer: pl.Boolean = field("whether the gold answers are the same")
    question: pl.String = declare_text("the training problem's text")
    other_question: pl.String = declare_text("the other's text")

    pair_unique = unique("problem_id", "other_id")
    splits_differ = declare_rule(
        "the two sides are of different splits",
        "other_split",
        pl.col("split") != pl.col("other_split"),
    )
