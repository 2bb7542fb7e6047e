"""Have an engine solve problems: requests, the trajectories that come back, and failed requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.params import Params, SamplingSection, WritingRole
from mathse.core.steps import split_steps
from mathse.engines.protocol import (
    TEACHER_SAMPLING,
    Completion,
    Engine,
    Request,
    SamplingParams,
    complete_all,
    request_seed,
)
from mathse.prompts import Message, open_messages, solve_messages
from schemas import Trajectory, column_types

TRAJECTORY = column_types(Trajectory)
_ERRORS = column_types(Trajectory, "error", "error_kind")
ROWS_PER_FRAME = 4096
Plan = Sequence[tuple[str, int]]
"""Problem id and sample index of each trajectory to write."""


def solve(
    engine: Engine,
    problems: pl.DataFrame,
    plan: Plan,
    *,
    sampling: SamplingParams,
    round_name: str,
    origin: str,
    messages: Callable[[str, Sequence[str], int], list[Message]] = solve_messages,
) -> pl.DataFrame:
    """Solve problems.

    Args:
        engine: who solves.
        problems: `Problem` rows; those of the plan must be among them.
        plan: what to write.
        sampling: how to sample; its seed is that of the run.
        round_name: the round that the trajectories belong to.
        origin: teacher or student.
        messages: writes the prompt from question, choices and number of images.

    Returns:
        `Trajectory` rows in the order of the plan; where the engine failed, a row with an error.

    Raises:
        DataError: if a problem is unknown.
    """
    known = problems_by_id(problems, [name for name, _ in plan])
    requests = []
    for name, sample_idx in plan:
        seed = request_seed(sampling.seed, round_name, "solve", name, sample_idx)
        problem = known[name]
        images = tuple(problem["image_ids"])
        requests.append(
            Request(
                key=content_id(name, sample_idx),
                messages=messages(problem["question"], problem["choices"], len(images)),
                image_ids=images,
                sampling=replace(sampling, seed=seed),
                problem_id=name,
            )
        )
    samples = [sample_idx for _, sample_idx in plan]
    return write_trajectories(engine, requests, samples, round_name=round_name, origin=origin)


def solve_round(
    student: Engine, problems: pl.DataFrame, plan: Plan, params: Params, round_name: str
) -> pl.DataFrame:
    """Let the student solve a round's problems; see `solve`.

    With `generate.choices: hidden` it has to find the answer itself: a letter that is right by
    chance would bring wrong reasoning into the training rows.
    """
    section = params.generate
    return solve(
        student,
        problems,
        plan,
        sampling=sampling_params(section, params.seed),
        round_name=round_name,
        origin="student",
        messages=solve_messages if section.choices == "shown" else open_messages,
    )


def sampling_params(section: SamplingSection | WritingRole, seed: int) -> SamplingParams:
    """Return how a section or role of the parameters samples."""
    if section.max_new_tokens is None:
        return TEACHER_SAMPLING
    return SamplingParams(section.temperature, section.top_p, section.max_new_tokens, seed)


def write_trajectories(
    engine: Engine,
    requests: Sequence[Request],
    samples: Sequence[int],
    *,
    round_name: str,
    origin: str,
    parent_ids: Sequence[str | None] = (),
) -> pl.DataFrame:
    """Complete requests to solve or to reflect.

    Args:
        engine: who writes.
        requests: what to write.
        samples: sample index of each.
        round_name: the round that the trajectories belong to.
        origin: teacher, student or reflection.
        parent_ids: the wrong trajectory behind each; none: no request has one.

    Returns:
        `Trajectory` rows in the order of the requests; where the engine failed, one with an error.
    """
    parents = parent_ids or [None] * len(requests)
    rows: list[dict[str, Any]] = []
    frames = [pl.DataFrame(schema=TRAJECTORY)]
    for request, completion, sample_idx, parent_id in zip(
        requests, complete_all(engine, requests), samples, parents, strict=True
    ):
        # The id: who wrote what, for which problem, and how it was sampled.
        values = asdict(request.sampling)
        seed = values.pop("seed")
        settings = json.dumps(values, sort_keys=True)
        names = (request.problem_id, round_name, origin, sample_idx, parent_id)
        name = content_id(*names, engine.digest, settings, seed, completion.text)
        rows.append(
            {
                "trajectory_id": name,
                "problem_id": request.problem_id,
                "round": round_name,
                "sample_idx": sample_idx,
                "origin": origin,
                "parent_id": parent_id,
                "input_fingerprint": engine.input_fingerprint,
                "model": engine.digest,
                "sampling": settings,
                "seed": seed,
                "response": completion.text,
                "steps": split_steps(completion.text),
                "finish_reason": completion.finish_reason,
                "error": completion.error,
                "error_kind": completion.error_kind,
                "prompt_tokens": completion.prompt_tokens,
                "response_tokens": completion.response_tokens,
            }
        )
        if len(rows) == ROWS_PER_FRAME:  # half the memory of dictionaries
            frames.append(pl.DataFrame(rows, schema=TRAJECTORY))
            rows.clear()
    return pl.concat([*frames, pl.DataFrame(rows, schema=TRAJECTORY)], rechunk=True)


def problems_by_id(problems: pl.DataFrame, wanted: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the wanted `Problem` rows by their id.

    Raises:
        DataError: if one is unknown.
    """
    rows = problems.filter(pl.col("problem_id").is_in(set(wanted)))
    known = {row["problem_id"]: row for row in rows.iter_rows(named=True)}
    if missing := sorted(set(wanted) - known.keys()):
        raise DataError(
            f"{len(missing)} problems are unknown, the first is {missing[0]}.",
            rule="problem id is known",
            fix="give the problems table that the trajectories were made from",
        )
    return known


def errors_of(completions: Iterable[Completion]) -> pl.DataFrame:
    """Return error and error_kind of each completion, null where the request succeeded."""
    rows = [(completion.error, completion.error_kind) for completion in completions]
    return pl.DataFrame(rows, schema=_ERRORS, orient="row")
