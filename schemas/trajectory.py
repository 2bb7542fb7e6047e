"""Trajectories: whole written solutions, one a row, with all that made them."""

from __future__ import annotations

from typing import Annotated

import polars as pl

from schemas.enums import FAILURE_KINDS, FINISH_REASONS, ORIGINS
from schemas.prediction import FAILURE_MEANING, FINISH_MEANING
from schemas.table import (
    Table,
    content_id,
    failures_have_reasons,
    field,
    is_json_object,
    one_of,
    rule,
    short_name,
    steps_are_lines,
    text,
    unique,
)


class Trajectory(Table):
    """One trajectory. `parent_id` is the trajectory that a reflection corrects."""

    trajectory_id: pl.String = content_id("content id of the trajectory and of all that made it")
    problem_id: pl.String = content_id("the problem that is solved; in `Problem`")
    round: pl.String = short_name("round that wrote it")
    sample_idx: pl.Int64 = field("number among the trajectories of its problem, from 0", ge=0)
    origin: pl.String = one_of(ORIGINS, "{}")
    parent_id: pl.String = content_id(
        "the wrong trajectory that a reflection corrects; a trajectory_id", nullable=True
    )
    input_fingerprint: pl.String = text("hash of how prompts and pixels become model inputs")
    model: pl.String = text("digest of the model's weights, or name and version of a teacher")
    sampling: pl.String = field("JSON object: how tokens were sampled, without the seed")
    seed: pl.Int64 = field("seed of the request", ge=0)
    response: pl.String = field("the text as written")
    steps: Annotated[pl.List, pl.String()] = field(
        "the lines of the response, stripped, without empty ones; some steps have several"
    )
    finish_reason: pl.String = one_of(FINISH_REASONS, FINISH_MEANING)
    error: pl.String = text("why the engine failed; null if it did not", nullable=True)
    error_kind: pl.String = one_of(FAILURE_KINDS, FAILURE_MEANING, nullable=True)
    prompt_tokens: pl.Int64 = field("length of the prompt in tokens, images included", ge=0)
    response_tokens: pl.Int64 = field("length of the response in tokens", ge=0)

    id_unique = unique("trajectory_id")
    parent_fits = rule(
        "reflections and only they have a parent",
        "parent_id",
        (pl.col("origin") == "reflection") == pl.col("parent_id").is_not_null(),
    )
    sampling_json = is_json_object("sampling")
    steps_fit = steps_are_lines()
    error_fits = failures_have_reasons()
