"""Matches: training problems that an evaluation split holds too, each with the problem that it is like."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.enums import MATCH_RULES
from schemas.table import Table, is_content_id, is_short_name, not_empty, one_of, unique
from schemas.table import rule as value_rule


class Match(Table):
    """One pair. `text` and `picture` are likenesses from 0 to 1; `picture` is null where it was not needed."""

    problem_id: pl.String = pa.Field(description="the training problem; in `Problem`")
    split: pl.String = pa.Field(description="its split")
    other_id: pl.String = pa.Field(description="the problem of an evaluation split; in `Problem`")
    other_split: pl.String = pa.Field(description="its split")
    rule: pl.String = pa.Field(
        description="what makes the two alike: text_and_picture, picture_and_answer, text or text_and_answer"
    )
    text: pl.Float64 = pa.Field(description="likeness of the wordings, from 0 to 1")
    picture: pl.Float64 = pa.Field(
        nullable=True, description="likeness of the pictures, 0 to 1; null: not needed"
    )
    same_answer: pl.Boolean = pa.Field(description="whether the gold answers are the same")
    question: pl.String = pa.Field(description="the training problem's text")
    other_question: pl.String = pa.Field(description="the other's text")

    problem_id_form = is_content_id("problem_id")
    other_id_form = is_content_id("other_id")
    pair_unique = unique("problem_id", "other_id")
    split_name = is_short_name("split")
    other_split_name = is_short_name("other_split")
    splits_differ = value_rule(
        "the two sides are of different splits",
        "other_split",
        pl.col("split") != pl.col("other_split"),
    )
    rule_known = one_of("rule", MATCH_RULES)
    text_range = value_rule(
        "text is from 0 to 1", "text", pl.col("text").is_between(0, 1) & ~pl.col("text").is_nan()
    )
    picture_range = value_rule(
        "picture is from 0 to 1",
        "picture",
        pl.col("picture").is_between(0, 1) & ~pl.col("picture").is_nan(),
    )
    question_given = not_empty("question")
    other_question_given = not_empty("other_question")
