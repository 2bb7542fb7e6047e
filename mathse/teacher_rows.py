"""Training rows that a teacher writes without the loop: what the controls learn from."""

from __future__ import annotations

import sys
from typing import Any

import polars as pl

import schemas
from mathse.core.failures import check_failures
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params
from mathse.core.stage_tables import empty, read, write, write_metrics
from mathse.curation.contamination import contaminated_problems
from mathse.curation.plan import usable_problems
from mathse.curation.training_rows import ONE_EACH, merge_rows
from mathse.engines.roles import load_role, usage_metrics, use_journal
from mathse.judge.answer_states import judge_by_answer
from mathse.prompts.roles import load_prompts
from mathse.trajectories import sampling_params, solve


def add_solved(
    layout: Layout, params: Params, name: str, problems: pl.DataFrame, *, wanted: int | None = None
) -> None:
    """Write the rows of a control: those of r0, and the teacher's solutions of some problems.

    Args:
        layout: where rows and metrics go.
        params: all parameters.
        name: of the control.
        problems: `Problem` rows of one split; each is tried once.
        wanted: how many solutions; None: those of all problems.

    Raises:
        DataError: if too many requests fail.
    """
    first = read(layout.round("r0").train, schemas.TrainRow)
    solved, counts = _solve_random(layout, params, name, problems, wanted=wanted)
    train = pl.concat([first, solved])
    write(train, layout.round(name).train, schemas.TrainRow, sort_by=["row_id"])
    write_metrics(layout.metrics(name), {name: {**counts, "rows": train.height}})


def _solve_random(
    layout: Layout, params: Params, name: str, problems: pl.DataFrame, *, wanted: int | None
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Have the teacher solve random problems, one right solution each.

    Solutions that are not right are replaced by those of further problems; where the teacher knows
    too few problems, there are fewer rows.

    Args:
        layout: where images, matches and journals are.
        params: all parameters.
        name: of the control; with the seed it decides which problems come first.
        problems: `Problem` rows of one split.
        wanted: how many rows; None: one try of every problem.

    Returns:
        `TrainRow` rows, and rows, wanted and tried with the teacher's usage.

    Raises:
        DataError: if too many requests fail.
    """
    split = problems["split"].first()
    leaks = contaminated_problems(read(layout.matches, schemas.Match), str(split))
    teacher = load_role(layout, params, "teacher", problems, name)
    names = usable_problems(problems, teacher, leaks)["problem_id"].to_list()
    names.sort(key=lambda problem: content_id(name, params.seed, problem))
    is_limited, wanted = wanted is not None, len(names) if wanted is None else wanted
    sampling = sampling_params(params.teacher, params.seed)
    ask = load_prompts(layout, params).solve
    train, tried = empty(schemas.TrainRow), 0
    asked = empty(schemas.Trajectory)
    while tried < len(names) and train.height < wanted:
        chosen = names[tried : tried + wanted - train.height]
        tried += len(chosen)
        plan = [(problem, 0) for problem in chosen]
        use_journal(teacher, layout, f"{name} {tried}")
        rows = solve(
            teacher,
            problems,
            plan,
            sampling=sampling,
            messages=ask,
            round_name=name,
            origin="teacher",
        )
        # Of the few that are asked last, one that fails is no large share.
        asked = asked.vstack(rows)
        check_failures(asked, max_share=params.errors_max_share, label=name)
        verdicts = judge_by_answer(rows, problems)
        train, _ = merge_rows(train, rows, verdicts, round_name=name, limits=ONE_EACH)
    if is_limited and train.height < wanted:
        found = f"the teacher solves {train.height:,} of {tried:,} problems"
        print(f"{name}: {found}, {wanted:,} were wanted", file=sys.stderr, flush=True)
    counts = {"rows": train.height, "wanted": wanted, "tried": tried}
    return train, counts | usage_metrics({"teacher": teacher})
