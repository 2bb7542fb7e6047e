"""Predictions: a model's greedy solutions of the evaluation problems."""

from __future__ import annotations

import polars as pl

from schemas.table import FINISH_REASONS, Table, at_least, is_content_id, is_short_name, one_of, unique


class Prediction(Table):
    """What the model of a round wrote for one evaluation problem."""

    problem_id: pl.String
    round: pl.String
    split: pl.String
    response: pl.String
    finish_reason: pl.String
    response_tokens: pl.Int64

    problem_id_form = is_content_id("problem_id")
    once = unique("problem_id", "round")
    round_name = is_short_name("round")
    split_name = is_short_name("split")
    finish_reason_known = one_of("finish_reason", FINISH_REASONS)
    response_tokens_range = at_least("response_tokens", 0)
