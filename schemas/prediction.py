"""Predictions: a model's greedy solutions of the evaluation problems."""

from __future__ import annotations

import polars as pl

from schemas.enums import FAILURE_KINDS, FINISH_REASONS
from schemas.table import (
    Table,
    content_id,
    failures_have_reasons,
    field,
    one_of,
    short_name,
    text,
    unique,
)

FINISH_MEANING = "{}: it ended by itself, was cut off at max_new_tokens, or the engine failed"
FAILURE_MEANING = "{}: whether the next run of the stage tries a failed request again"


class Prediction(Table):
    """What the model of a round wrote for one evaluation problem."""

    problem_id: pl.String = content_id("an evaluation problem; in `Problem`")
    round: pl.String = short_name("round whose model answers; base and control besides")
    split: pl.String = short_name("split of the problem")
    response: pl.String = field(
        "the text as written, greedily unless `eval.temperature` says otherwise"
    )
    finish_reason: pl.String = one_of(FINISH_REASONS, FINISH_MEANING)
    error: pl.String = text("why the engine failed; null if it did not", nullable=True)
    error_kind: pl.String = one_of(FAILURE_KINDS, FAILURE_MEANING, nullable=True)
    response_tokens: pl.Int64 = field("length of the response in tokens", ge=0)

    once = unique("problem_id", "round")
    error_fits = failures_have_reasons()
