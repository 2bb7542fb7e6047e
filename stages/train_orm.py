"""train_orm: the base model learns to judge paths."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.errors import DataError
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.prompts import (
    judge_messages,
    judge_solution_messages,
    judge_solution_text,
    render_verdict,
    verdict_prefix,
    weighted_span,
)
from schemas import checks
from stages.common import by_id, read, read_problems, run, write_metrics


def train_orm(layout: Layout) -> None:
    """Train the ORM on the training part of its rows."""
    settings = load_params(layout.params)
    section = settings.train_orm
    pool = read_problems(layout, "orm")
    train = read(layout.orm.rows, schemas.OrmRow).filter(pl.col("part") == "train")
    checks.known_problem_ids(train, pool, file=str(layout.orm.rows))
    from mathse.training import Example
    from mathse.training.launch import train as fit

    known = by_id(pool)
    stepwise = section.form == "stepwise"
    if stepwise and (
        untold := sorted({name for name in train["problem_id"] if not known[name]["solution"]})
    ):
        raise DataError(
            f"{layout.problems}: {len(untold)} problems that the ORM learns from have no solution, the first is {untold[0]}.",
            rule="a stepwise ORM learns to solve before it compares",
            fix="set train_orm.form to diagnostic or binary, or use problems that bring solutions",
        )
    examples, solved = [], {}
    for row in train.iter_rows(named=True):
        problem = known[row["problem_id"]]
        images = tuple(problem["image_ids"])
        asked = problem["question"], problem["choices"], len(images)
        own = judge_solution_text(row["figure"], problem["solution"]) if stepwise else None
        verdict = render_verdict(
            row["status"],
            row["error_step"],
            row["error_analysis"],
            section.form,
            steps=row["steps"],
            right_step=row["right_step"],
        )
        prefix = verdict_prefix(section.form)
        first, last = (place - len(prefix) for place in weighted_span(verdict, section.form))
        messages = judge_messages(*asked, row["steps"], section.form, own)
        examples.append(
            Example(
                row["row_id"], messages, images, verdict.removeprefix(prefix), prefix, (first, last)
            )
        )
        if own is not None:
            solved[row["problem_id"]] = Example(
                row["problem_id"], judge_solution_messages(*asked), images, own
            )
    examples += [example for _ in range(section.solve_repeats) for example in solved.values()]
    report = fit(
        examples,
        processes=section.processes,
        init=settings.orm.base,
        out=layout.orm.model,
        config=section,
        seed=settings.seed,
        micro_batch_size=section.micro_batch_size,
        save_every_steps=section.save_every_steps,
        images=ImageStore(layout.images),
        checkpoints=layout.checkpoints("orm"),
        curve=layout.curve("orm"),
        label="train_orm",
        trust_remote_code=settings.orm.trust_remote_code,
    )
    write_metrics(layout.metrics("train_orm"), {"train_orm": report.metrics()})


if __name__ == "__main__":
    run(train_orm)
