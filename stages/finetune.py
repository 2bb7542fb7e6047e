"""finetune: the student learns from the round's training rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import schemas
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.params import Params, load_params
from mathse.prompts import solve_messages
from schemas import checks
from stages.common import by_id, read, read_problems, run, write_metrics


def finetune(layout: Layout, round_name: str) -> None:
    """Train the student of a round, from the model of the round before or from the base."""
    settings = load_params(layout.params)
    section = settings.finetune
    first = round_name == "r0"
    previous = settings.previous_round(round_name)
    if first or section.init == "base" or previous is None:
        init = settings.student.base
    else:
        init = str(layout.round(previous).model)
    steps = section.first_steps or section.steps if first else section.steps
    train_student(layout, settings, layout.round(round_name).train, init, round_name, steps)


def train_student(
    layout: Layout, settings: Params, train: Path, init: str, round_name: str, steps: int | None
) -> None:
    """Check the training rows, and train on them."""
    everything = read_problems(layout)
    rows = read(train, schemas.TrainRow)
    pool = everything.filter(pl.col("split") == "train")
    checks.known_problem_ids(rows, pool, file=str(train))
    checks.held_out_stay_out(rows, everything.filter(pl.col("split") != "train"), file=str(train))
    from mathse.training import Example
    from mathse.training.launch import train as fit

    known = by_id(pool)
    examples = []
    for row in rows.iter_rows(named=True):
        problem = known[row["problem_id"]]
        images = tuple(problem["image_ids"])
        messages = solve_messages(problem["question"], problem["choices"], len(images))
        examples.append(
            Example(key=row["row_id"], messages=messages, image_ids=images, target=row["response"])
        )
    out = layout.round(round_name)
    report = fit(
        examples,
        processes=settings.finetune.processes,
        init=init,
        out=out.model,
        config=settings.finetune.model_copy(update={"steps": steps}),
        seed=settings.seed,
        micro_batch_size=settings.finetune.micro_batch_size,
        save_every_steps=settings.finetune.save_every_steps,
        images=ImageStore(layout.images),
        checkpoints=layout.checkpoints(round_name),
        curve=layout.curve(round_name),
        label=f"finetune {round_name}",
        trust_remote_code=settings.student.trust_remote_code,
    )
    write_metrics(layout.metrics("finetune", round_name), {round_name: report.metrics()})


if __name__ == "__main__":
    run(finetune)
