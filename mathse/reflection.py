"""Choose mistakes, and have a teacher or the student itself write a new solution from the feedback."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.engines.protocol import Engine, Request, SamplingParams
from mathse.prompts import reflect_messages
from mathse.trajectories import TRAJECTORY, trajectory_row
from schemas import Trajectory, Verdict, column_types

MISTAKES = pl.Schema(
    {
        **column_types(Trajectory, "parent_id", "problem_id", "sample_idx", "response"),
        **column_types(Verdict, "error_step", "error_analysis", "error_kind"),
    }
)


def select_mistakes(
    verdicts: pl.DataFrame,
    trajectories: pl.DataFrame,
    *,
    per_problem_max: int,
    solved: Collection[str] = (),
    samples_per_mistake: int = 1,
) -> pl.DataFrame:
    """Choose wrong paths to reflect on, a few of each problem that has no accepted path.

    A path comes first if the ORM named its faulty step, then if its answer differs from gold (the
    prompt says that the answer is wrong), then if it was not cut off; content hash decides the
    rest. One text of a problem is taken once. Paths without any step are left out.

    Args:
        verdicts: `Verdict` rows of one or more rounds.
        trajectories: the `Trajectory` rows that they judge.
        per_problem_max: most paths of one problem.
        solved: ids of further problems to leave out, such as those solved in earlier rounds.
        samples_per_mistake: how many reflections to ask for on each chosen path.

    Returns:
        parent_id (the wrong path), problem_id, sample_idx (numbers a problem's reflections),
        response, error_step, error_analysis, error_kind; sorted by problem_id and sample_idx.

    Raises:
        ParamError: if a number is not positive.
        DataError: if a verdict has no trajectory.

    Source:
        arXiv 2511.06805, Algorithm 1: R_incorrect with the ORM's feedback. The choice of few per
        problem is ours.
    """
    if per_problem_max < 1 or samples_per_mistake < 1:
        raise ParamError("reflect: per_problem_max and samples_per_mistake must be at least 1")
    done = [*verdicts.filter("accepted")["problem_id"].unique(), *solved]
    wrong = verdicts.filter(~pl.col("accepted") & ~pl.col("problem_id").is_in(done))
    paths = trajectories.select("trajectory_id", "response", "steps", "finish_reason")
    rows = wrong.join(paths, on="trajectory_id", how="left", validate="1:1")
    if lost := rows["response"].null_count():
        raise DataError(
            f"{lost} of {rows.height} verdicts judge a path that is not among the trajectories.",
            rule="a verdict leads to its trajectory",
            fix="give the trajectories of all rounds that the verdicts come from",
        )
    chosen = (
        rows.filter(pl.col("steps").list.len() > 0)
        .sort(
            "problem_id",
            (pl.col("orm_status") != "wrong") | pl.col("error_step").is_null(),
            pl.col("answer_state") == "match",
            pl.col("finish_reason") != "stop",
            "trajectory_id",
        )
        .unique(["problem_id", "response"], keep="first", maintain_order=True)
        .group_by("problem_id", maintain_order=True)
        .head(per_problem_max)
    )
    copies = pl.concat(
        [chosen.with_columns(copy=pl.lit(copy)) for copy in range(samples_per_mistake)]
    )
    numbered = (
        copies.with_columns(rank=pl.int_range(pl.len()).over("problem_id", "copy"))
        .sort("problem_id", "rank", "copy")
        .with_columns(
            sample_idx=pl.int_range(pl.len()).over("problem_id"), parent_id=pl.col("trajectory_id")
        )
    )
    return numbered.select(pl.col(name).cast(dtype) for name, dtype in MISTAKES.items())


def reflect_requests(mistakes: pl.DataFrame, problems: pl.DataFrame) -> list[Request]:
    """Ask for a new solution for each mistake.

    The request serves any engine: the student and a served model read the messages; a teacher that
    knows the problems also finds problem_id, response, error_step and error_analysis in the
    context.

    Args:
        mistakes: rows of `select_mistakes`.
        problems: `Problem` rows; those of the mistakes must be among them.

    Raises:
        DataError: if a mistake's problem is not among the problems.
    """
    known = {
        problem["problem_id"]: problem
        for problem in problems.join(mistakes, on="problem_id", how="semi").iter_rows(named=True)
    }
    if missing := sorted(set(mistakes["problem_id"]) - known.keys()):
        raise DataError(
            f"{len(missing)} of the mistakes belong to unknown problems, the first to {missing[0]}.",
            rule="a mistake's problem is known",
        )
    requests = []
    for mistake in mistakes.iter_rows(named=True):
        problem = known[mistake["problem_id"]]
        images = tuple(problem["image_ids"])
        feedback = (mistake["response"], mistake["error_step"], mistake["error_analysis"])
        requests.append(
            Request(
                key=content_id(mistake["parent_id"], mistake["sample_idx"]),
                messages=reflect_messages(
                    problem["question"], problem["choices"], len(images), *feedback
                ),
                image_ids=images,
                task="reflect",
                problem_id=mistake["problem_id"],
                context={
                    "problem_id": mistake["problem_id"],
                    "response": mistake["response"],
                    "error_step": mistake["error_step"],
                    "error_analysis": mistake["error_analysis"],
                },
            )
        )
    return requests


def reflect_key(
    engine: Engine, mistakes: pl.DataFrame, *, sampling: SamplingParams, round_name: str
) -> str:
    """Name a chunk of mistakes for the journal, by all that its reflections depend on."""
    feedback = mistakes.select(MISTAKES.names()).rows()
    return content_id(
        "reflect", engine.digest, engine.input_fingerprint, asdict(sampling), round_name, feedback
    )


def reflect_chunk(
    engine: Engine,
    problems: pl.DataFrame,
    mistakes: pl.DataFrame,
    *,
    sampling: SamplingParams,
    round_name: str,
) -> pl.DataFrame:
    """Write one reflection for each mistake.

    Args:
        engine: who reflects.
        problems: `Problem` rows.
        mistakes: rows of `select_mistakes`, or a chunk of them.
        sampling: how to draw tokens.
        round_name: the round that reflects.

    Returns:
        `Trajectory` rows of origin "reflection" in the order of the mistakes; where the engine
        failed, a row with finish_reason "error" and an empty response.
    """
    requests = reflect_requests(mistakes, problems)
    completions = engine.complete(requests, sampling) if requests else []
    rows = [
        trajectory_row(
            completion,
            engine,
            sampling,
            problem_id=mistake["problem_id"],
            round_name=round_name,
            origin="reflection",
            sample_idx=mistake["sample_idx"],
            parent_id=mistake["parent_id"],
        )
        for mistake, completion in zip(mistakes.iter_rows(named=True), completions, strict=True)
    ]
    return pl.DataFrame(rows, schema=TRAJECTORY)
