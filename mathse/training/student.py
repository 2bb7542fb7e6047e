"""Train the student on training rows, in a round or as a control."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import schemas
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import load_machine
from mathse.core.params import Params
from mathse.core.stage_tables import read, read_problems, write_metrics
from mathse.prompts import solve_messages
from schemas import checks


def train_student(
    layout: Layout, params: Params, train: Path, init: str, round_name: str, steps: int | None
) -> None:
    """Check the training rows, and train on them.

    Args:
        layout: where problems are and the model goes.
        params: all parameters.
        train: the training rows.
        init: the model to start from, a folder or a Hub id.
        round_name: of a round, of r0 or of a control.
        steps: optimizer steps; None: as many as the epochs take.
    """
    everything = read_problems(layout)
    problems = everything.filter(pl.col("split") == "train")
    rows = read(train, schemas.TrainRow)
    checks.known_problem_ids(rows, problems, file=str(train))
    checks.held_out_stay_out(rows, everything.filter(pl.col("split") != "train"), file=str(train))
    # Model libraries load after the tables were checked.
    from mathse.training import Example
    from mathse.training.launch import train as fit

    known = {row["problem_id"]: row for row in problems.iter_rows(named=True)}
    examples = []
    for row in rows.iter_rows(named=True):
        problem = known[row["problem_id"]]
        images = tuple(problem["image_ids"])
        messages = solve_messages(problem["question"], problem["choices"], len(images))
        examples.append(
            Example(key=row["row_id"], messages=messages, image_ids=images, target=row["response"])
        )
    section, machine = params.finetune, load_machine(layout.machine)
    report = fit(
        examples,
        processes=section.processes,
        init=init,
        out=layout.round(round_name).model,
        config=section.model_copy(update={"steps": steps}),
        seed=params.seed,
        micro_batch_size=section.micro_batch_size,
        save_every_steps=machine.save_every_steps,
        cpu=machine.device == "cpu",
        images=ImageStore(layout.images),
        checkpoints=layout.checkpoints(round_name),
        curve=layout.curve(round_name),
        label=f"finetune {round_name}",
        trust_remote_code=params.student.trust_remote_code,
    )
    write_metrics(layout.metrics("finetune", round_name), {round_name: report.metrics()})
