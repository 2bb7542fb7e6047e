"""Predictions: a model's greedy solutions of the evaluation problems."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.enums import FINISH_REASONS
from schemas.table import Table, at_least, is_content_id, is_short_name, one_of, unique


class Prediction(Table):
    """What the model of a round wrote for one evaluation problem."""

    problem_id: pl.String = pa.Field(description="an evaluation problem; in `Problem`")
    round: pl.String = pa.Field(description="round whose model answers; base and control besides")
    split: pl.String = pa.Field(description="split of the problem")
    response: pl.String = pa.Field(
        description="the text as written, greedily unless `eval.temperature` says otherwise"
    )
    finish_reason: pl.String = pa.Field(
        description="stop: ended by itself; length: cut off at max_new_tokens; error: the engine failed"
    )
    response_tokens: pl.Int64 = pa.Field(description="length of the response in tokens")

    problem_id_form = is_content_id("problem_id")
    once = unique("problem_id", "round")
    round_name = is_short_name("round")
    split_name = is_short_name("split")
    finish_reason_known = one_of("finish_reason", FINISH_REASONS)
    response_tokens_range = at_least("response_tokens", 0)
