"""Trajectories: reasoning paths, one a row, with all that made them."""

from __future__ import annotations

from typing import Annotated

import pandera.polars as pa
import polars as pl

from schemas.enums import FINISH_REASONS, ORIGINS
from schemas.table import (
    CONTENT_ID,
    Table,
    at_least,
    is_content_id,
    is_json_object,
    is_short_name,
    matches,
    not_empty,
    one_of,
    rule,
    steps_are_lines,
    unique,
)


class Trajectory(Table):
    """One reasoning path. `parent_id` is the path that a reflection corrects."""

    trajectory_id: pl.String = pa.Field(
        description="content id of the path and of all that made it"
    )
    problem_id: pl.String = pa.Field(description="the problem that is solved; in `Problem`")
    round: pl.String = pa.Field(description="round that wrote it")
    sample_idx: pl.Int64 = pa.Field(
        description="number of the path among those of its problem, from 0"
    )
    origin: pl.String = pa.Field(description="teacher, student or reflection")
    parent_id: pl.String = pa.Field(
        nullable=True, description="the wrong path that a reflection corrects; a trajectory_id"
    )
    contract: pl.String = pa.Field(description="fingerprint of how prompt and pixels were prepared")
    model: pl.String = pa.Field(
        description="digest of the model's weights, or name and version of a teacher"
    )
    sampling: pl.String = pa.Field(
        description="JSON object: how tokens were drawn, without the seed"
    )
    seed: pl.Int64 = pa.Field(description="seed of the chunk in which it was sampled")
    response: pl.String = pa.Field(description="the text as written")
    steps: Annotated[pl.List, pl.String()] = pa.Field(
        description="the lines of the response, stripped, without empty ones"
    )
    finish_reason: pl.String = pa.Field(
        description="stop: ended by itself; length: cut off at max_new_tokens; error: the engine failed"
    )
    prompt_tokens: pl.Int64 = pa.Field(
        description="length of the prompt in tokens, images included"
    )
    response_tokens: pl.Int64 = pa.Field(description="length of the response in tokens")

    id_form = is_content_id("trajectory_id")
    id_unique = unique("trajectory_id")
    problem_id_form = is_content_id("problem_id")
    round_name = is_short_name("round")
    sample_idx_range = at_least("sample_idx", 0)
    origin_known = one_of("origin", ORIGINS)
    parent_id_form = matches("parent_id", CONTENT_ID, "a content id")
    parent_fits = rule(
        "reflections and only they have a parent",
        "parent_id",
        (pl.col("origin") == "reflection") == pl.col("parent_id").is_not_null(),
    )
    contract_given = not_empty("contract")
    model_given = not_empty("model")
    sampling_json = is_json_object("sampling")
    seed_range = at_least("seed", 0)
    steps_fit = steps_are_lines()
    finish_reason_known = one_of("finish_reason", FINISH_REASONS)
    prompt_tokens_range = at_least("prompt_tokens", 0)
    response_tokens_range = at_least("response_tokens", 0)
