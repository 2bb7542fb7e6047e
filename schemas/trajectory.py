"""Trajectories: reasoning paths, one a row, with all that made them."""

from __future__ import annotations

from typing import Annotated

import pandera.polars as pa
import polars as pl

from schemas.table import (
    CONTENT_ID,
    FINISH_REASONS,
    ORIGINS,
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

    trajectory_id: pl.String
    problem_id: pl.String
    round: pl.String
    sample_idx: pl.Int64
    origin: pl.String
    parent_id: pl.String = pa.Field(nullable=True)
    contract: pl.String
    model: pl.String
    sampling: pl.String
    seed: pl.Int64
    response: pl.String
    steps: Annotated[pl.List, pl.String()]
    finish_reason: pl.String
    prompt_tokens: pl.Int64
    response_tokens: pl.Int64

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
