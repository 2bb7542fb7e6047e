"""Choose mistakes, and have a teacher or the student write new solutions from the feedback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params, Reflect
from mathse.core.registry import REFLECTORS, load
from mathse.curation.ledger import OPEN
from mathse.engines.loading import load_journaled
from mathse.engines.protocol import Engine, Request, SamplingParams, request_seed
from mathse.engines.roles import load_role
from mathse.prompts import Message, reflect_messages, solve_messages
from mathse.prompts.roles import load_prompts
from mathse.trajectories import problems_by_id, write_trajectories
from schemas import UNDECIDED_STATES, Mistake, column_types

MISTAKES = column_types(Mistake)
ReflectMessages = Callable[[str, Sequence[str], int, str, int | None, str | None], list[Message]]
"""From question, choices, number of images, wrong response, faulty step and analysis: not gold."""
SolveMessages = Callable[[str, Sequence[str], int], list[Message]]
"""From question, choices and number of images."""
_FEEDBACK = ("response", "error_step", "error_analysis")


@dataclass(frozen=True)
class Reflector:
    """Who reflects: an engine, the prompt that it is given, and its prompt for solving."""

    engine: Engine
    messages: ReflectMessages = reflect_messages
    solve: SolveMessages = solve_messages


def load_reflector(
    layout: Layout, params: Params, problems: pl.DataFrame, student: Path, label: str
) -> Reflector:
    """Load the reflector that the parameters name.

    Args:
        layout: where images and journals are.
        params: all parameters.
        problems: `Problem` rows.
        student: the student's model, where that one reflects.
        label: what is done, for the journal and the progress line.
    """
    if params.reflector.engine in REFLECTORS:
        found: Reflector = load(REFLECTORS, params.reflector.engine)(layout, params, student, label)
    else:
        prompts = load_prompts(layout, params)
        engine = load_role(layout, params, "reflector", problems, label)
        found = Reflector(engine, prompts.reflect, prompts.solve)
    again = params.reflect.feedback == "solve_again"
    return replace(found, messages=without_mistake(found.solve)) if again else found


def load_student(layout: Layout, params: Params, student: Path, label: str) -> Reflector:
    """Let the student reflect, which has prompts of its own."""
    return Reflector(load_journaled(layout, params, "student", student, label))


def without_mistake(solve: SolveMessages) -> ReflectMessages:
    """Return a prompt to solve the problem again, in place of one to reflect on a mistake."""

    def messages(
        question: str, choices: Sequence[str], n_images: int, *mistake: str | int | None
    ) -> list[Message]:
        return solve(question, choices, n_images)

    return messages


def select_mistakes(
    verdicts: pl.DataFrame,
    trajectories: pl.DataFrame,
    *,
    per_problem_max: int,
    samples_per_mistake: int = 1,
) -> pl.DataFrame:
    """Choose wrong trajectories to reflect on, a few of each problem without an accepted one.

    A trajectory comes first if the ORM named its faulty step, then if its answer differs from gold
    (the prompt says that the answer is wrong), then if it was not cut off; content hash decides the
    rest. One text of a problem is taken once. Trajectories without any step are left out.

    Args:
        verdicts: `Verdict` rows of one or more rounds.
        trajectories: the `Trajectory` rows that they judge.
        per_problem_max: most trajectories of one problem.
        samples_per_mistake: how many reflections to ask for on each chosen one.

    Returns:
        `Mistake` rows, sorted by problem_id and sample_idx.

    Raises:
        ParamError: if a number is not positive.
        DataError: if a verdict has no trajectory.

    Source:
        arXiv 2511.06805, Algorithm 1: R_incorrect with the ORM's feedback. The choice of few per
        problem is an addition.
    """
    if per_problem_max < 1 or samples_per_mistake < 1:
        raise ParamError("reflect: per_problem_max and samples_per_mistake must be at least 1")
    # Problems without an accepted trajectory.
    solved = verdicts.filter("accepted")["problem_id"].unique()
    unsure = pl.col("answer_state").is_in(UNDECIDED_STATES) & (pl.col("orm_status") != "wrong")
    wrong = verdicts.filter(~pl.col("problem_id").is_in(solved.to_list()) & ~unsure)
    texts = trajectories.select("trajectory_id", "response", "steps", "finish_reason")
    rows = wrong.join(texts, on="trajectory_id", how="left", validate="1:1")
    if lost := rows["response"].null_count():
        raise DataError(
            f"{lost} of {rows.height} verdicts have no trajectory.",
            rule="a verdict leads to its trajectory",
            fix="give the trajectories of all rounds that the verdicts come from",
        )
    # The first few texts of each problem.
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
    # As many reflections of each as asked for, numbered within the problem.
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


def carry_mistakes(
    previous_mistakes: pl.DataFrame,
    ledger: pl.DataFrame,
    verdicts: pl.DataFrame,
    trajectories: pl.DataFrame,
    section: Reflect,
) -> pl.DataFrame:
    """Return this round's mistakes, and earlier ones of open problems that it did not touch.

    Args:
        previous_mistakes: of the round before.
        ledger: of the round before: what its reflections solved is no longer open.
        verdicts: `Verdict` rows of the round.
        trajectories: the `Trajectory` rows that they judge.
        section: the parameters of reflection.
    """
    new = select_mistakes(
        verdicts,
        trajectories,
        per_problem_max=section.per_problem_max,
        samples_per_mistake=section.samples,
    )
    solved = verdicts.filter("accepted")["problem_id"].unique().to_list()
    touched = [*solved, *new["problem_id"].to_list()]
    unsolved = ledger.filter(pl.col("state").is_in(OPEN))["problem_id"].to_list()
    name = pl.col("problem_id")
    return pl.concat([previous_mistakes.filter(name.is_in(unsolved) & ~name.is_in(touched)), new])


def limit_mistakes(mistakes: pl.DataFrame, params: Params, round_name: str) -> pl.DataFrame:
    """Return the mistakes that a round reflects on.

    Where `reflect.max_problems` cuts, content hash chooses the problems.
    """
    if not params.is_enabled(round_name, "reflect"):
        return mistakes.clear()
    names = sorted(mistakes["problem_id"].unique(), key=lambda name: content_id(round_name, name))
    chosen = names[: params.reflect.max_problems]
    return mistakes.filter(pl.col("problem_id").is_in(chosen))


def reflect(
    reflector: Reflector,
    problems: pl.DataFrame,
    mistakes: pl.DataFrame,
    *,
    sampling: SamplingParams,
    round_name: str,
) -> pl.DataFrame:
    """Write one reflection for each mistake.

    Args:
        reflector: who reflects.
        problems: `Problem` rows; those of the mistakes must be among them.
        mistakes: rows of `select_mistakes`.
        sampling: how to sample; its seed is that of the run.
        round_name: the round that reflects.

    Returns:
        `Trajectory` rows of origin "reflection" in the order of the mistakes; where the engine
        failed, a row with an error.

    Raises:
        DataError: if a problem is unknown.
    """
    requests = reflect_requests(
        reflector.messages, mistakes, problems, sampling=sampling, round_name=round_name
    )
    return write_trajectories(
        reflector.engine,
        requests,
        mistakes["sample_idx"].to_list(),
        round_name=round_name,
        origin="reflection",
        parent_ids=mistakes["parent_id"].to_list(),
    )


def reflect_requests(
    messages: ReflectMessages,
    mistakes: pl.DataFrame,
    problems: pl.DataFrame,
    *,
    sampling: SamplingParams,
    round_name: str,
) -> list[Request]:
    """Ask for a new solution for each mistake.

    The request serves any engine: a model reads the messages; a teacher that
    knows the problems finds response, error_step and error_analysis in the context.
    """
    known = problems_by_id(problems, mistakes["problem_id"].to_list())
    requests = []
    for mistake in mistakes.iter_rows(named=True):
        name, sample_idx = mistake["problem_id"], mistake["sample_idx"]
        problem = known[name]
        images = tuple(problem["image_ids"])
        feedback = [mistake[column] for column in _FEEDBACK]
        seed = request_seed(sampling.seed, round_name, "reflect", name, sample_idx)
        requests.append(
            Request(
                key=content_id(mistake["parent_id"], sample_idx),
                messages=messages(problem["question"], problem["choices"], len(images), *feedback),
                image_ids=images,
                sampling=replace(sampling, seed=seed),
                task="reflect",
                problem_id=name,
                context=dict(zip(_FEEDBACK, feedback, strict=True)),
            )
        )
    return requests
