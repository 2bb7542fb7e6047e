"""Training examples of the ORM: verdicts to write and, stepwise, problems to solve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from mathse.core.params import TrainOrm
from mathse.judge.solutions import check_solutions
from mathse.prompts import (
    analysis_prefix,
    judge_messages,
    judge_solution_messages,
    judge_solution_text,
    render_verdict,
    solve_messages,
    verdict_prefix,
    weighted_span,
)
from mathse.training import Example
from mathse.trajectories import problems_by_id


def orm_examples(rows: pl.DataFrame, problems: pl.DataFrame, section: TrainOrm) -> list[Example]:
    """Return the examples that an ORM learns from.

    Args:
        rows: `OrmRow` rows of the training part.
        problems: `Problem` rows; those of the rows must be among them.
        section: the parameters of its training.

    Raises:
        DataError: if a problem is unknown, or lacks the solution that the stepwise form needs.
    """
    known = problems_by_id(problems, rows["problem_id"].to_list())
    form = section.form
    stepwise = form == "stepwise"
    check_solutions(problems.filter(pl.col("problem_id").is_in([*known])), form)
    if form == "likelihood":
        return [_example(row, known[row["problem_id"]]) for row in rows.iter_rows(named=True)]
    prefix = verdict_prefix(form)
    examples, solved = [], {}
    for row in rows.iter_rows(named=True):
        problem = known[row["problem_id"]]
        images = tuple(problem["image_ids"])
        asked = problem["question"], problem["choices"], len(images)
        solution = judge_solution_text(row["figure"], problem["solution"]) if stepwise else None
        verdict = render_verdict(
            row["status"],
            row["error_step"],
            row["error_analysis"],
            form,
            steps=row["steps"],
            right_step=row["right_step"],
        )
        first, last = (position - len(prefix) for position in weighted_span(verdict, form))
        messages = judge_messages(*asked, row["steps"], form, solution)
        target = verdict.removeprefix(prefix)
        examples.append(Example(row["row_id"], messages, images, target, prefix, (first, last)))
        if solution is not None:
            solved[row["problem_id"]] = Example(
                row["problem_id"], judge_solution_messages(*asked), images, solution
            )
    return examples + [example for _ in range(section.solve_repeats) for example in solved.values()]


def _example(row: Mapping[str, Any], problem: Mapping[str, Any]) -> Example:
    """Return what the likelihood form learns from a row: to solve, or to say what is wrong."""
    images = tuple(problem["image_ids"])
    asked = problem["question"], problem["choices"], len(images)
    if row["status"] == "correct":
        return Example(row["row_id"], solve_messages(*asked), images, "\n".join(row["steps"]))
    verdict = render_verdict("WRONG", row["error_step"], row["error_analysis"])
    prefix = analysis_prefix(row["error_step"])
    messages = judge_messages(*asked, row["steps"])
    return Example(row["row_id"], messages, images, verdict.removeprefix(prefix), prefix)
