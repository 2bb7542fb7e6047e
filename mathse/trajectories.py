"""Have an engine solve problems: requests, and the trajectories that come back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.steps import split_steps
from mathse.engines.protocol import Completion, Engine, Request, SamplingParams
from mathse.prompts import solve_messages
from schemas import Trajectory, column_types

TRAJECTORY = column_types(Trajectory)


def solve_request(problem: dict[str, Any], sample_idx: int = 0) -> Request:
    """Return the request to solve a `Problem` row."""
    images = tuple(problem["image_ids"])
    return Request(
        key=content_id(problem["problem_id"], sample_idx),
        messages=solve_messages(problem["question"], problem["choices"], len(images)),
        image_ids=images,
        task="solve",
        problem_id=problem["problem_id"],
    )


def solve_key(
    engine: Engine, plan: Sequence[tuple[str, int]], *, sampling: SamplingParams, round_name: str
) -> str:
    """Name a chunk of planned paths for the journal, by all that they depend on."""
    return content_id(
        "solve",
        engine.digest,
        engine.input_fingerprint,
        asdict(sampling),
        round_name,
        [list(p) for p in plan],
    )


def solve_chunk(
    engine: Engine,
    problems: dict[str, dict[str, Any]],
    plan: Sequence[tuple[str, int]],
    *,
    sampling: SamplingParams,
    round_name: str,
    origin: str,
) -> pl.DataFrame:
    """Solve one chunk of planned paths.

    Args:
        engine: who solves.
        problems: `Problem` rows by id.
        plan: problem id and sample index of each path.
        sampling: how to draw tokens; its seed is for the chunk as a whole.
        round_name: the round that the paths belong to.
        origin: teacher or student.

    Returns:
        `Trajectory` rows in the order of the plan; where the engine failed, a row with
        finish_reason "error".
    """
    requests = [solve_request(problems[name], sample) for name, sample in plan]
    rows = [
        trajectory_row(
            completion,
            engine,
            sampling,
            problem_id=name,
            round_name=round_name,
            origin=origin,
            sample_idx=sample,
        )
        for (name, sample), completion in zip(
            plan, engine.complete(requests, sampling), strict=True
        )
    ]
    return pl.DataFrame(rows, schema=TRAJECTORY)


def chunk_seed(seed: int, *names: object) -> int:
    """Return the seed of a chunk: it depends on the run's seed and on what the chunk is, on nothing else."""
    return int(content_id("seed", seed, *names)[:8], 16)


def trajectory_row(
    completion: Completion,
    engine: Engine,
    sampling: SamplingParams,
    *,
    problem_id: str,
    round_name: str,
    origin: str,
    sample_idx: int,
    parent_id: str | None = None,
) -> dict[str, object]:
    """Return the `Trajectory` row of a completion."""
    drawn = asdict(sampling)
    seed = drawn.pop("seed")
    settings = json.dumps(drawn, sort_keys=True)
    own = (problem_id, round_name, origin, sample_idx, parent_id)
    return {
        "trajectory_id": content_id(*own, engine.digest, settings, seed, completion.text),
        "problem_id": problem_id,
        "round": round_name,
        "sample_idx": sample_idx,
        "origin": origin,
        "parent_id": parent_id,
        "contract": engine.input_fingerprint,
        "model": engine.digest,
        "sampling": settings,
        "seed": seed,
        "response": completion.text,
        "steps": split_steps(completion.text),
        "finish_reason": completion.finish_reason,
        "prompt_tokens": completion.prompt_tokens,
        "response_tokens": completion.response_tokens,
    }


def refuse_failures(trajectories: pl.DataFrame, who: str) -> None:
    """Stop if every path failed: that is not a bad row but a broken engine.

    Raises:
        DataError: naming the engine.
    """
    if trajectories.height and (trajectories["finish_reason"] == "error").all():
        raise DataError(
            f"{who} failed on all {trajectories.height} requests.",
            rule="an engine answers some requests",
            fix="look at the first error above: a prompt over max_prompt_tokens, or images that do not decode",
        )
