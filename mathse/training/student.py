"""Train the student on training rows, in a round or as a control."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

import schemas
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import load_machine
from mathse.core.params import Params
from mathse.core.stage_tables import read, read_problems, write_metrics
from mathse.prompts import lessons
from mathse.training.examples import Example
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
    known = ("train", "orm") if round_name == "control_gold" else ("train",)
    problems = everything.filter(pl.col("split").is_in(known))
    rows = read(train, schemas.TrainRow)
    checks.known_problem_ids(rows, problems, file=str(train))
    checks.held_out_stay_out(
        rows, everything.filter(~pl.col("split").is_in(known)), file=str(train)
    )
    # Model libraries load after the tables were checked.
    from mathse.training.launch import train as fit

    extra = [name for name in schemas.optional_types(schemas.TrainRow) if name in rows.columns]
    rows = rows.select("row_id", "problem_id", "response", *extra).join(
        problems.drop("solution"), on="problem_id", maintain_order="left"
    )
    machine, work = load_machine(layout.machine), layout.checkpoints(round_name)
    given: dict[str, Any] = {
        "init": init,
        "out": layout.round(round_name).model,
        "config": params.finetune.model_copy(update={"steps": steps}),
        "seed": params.seed,
        "images": ImageStore(layout.images, params.student.pixels),
        "curve": layout.curve(round_name),
        "trust_remote_code": params.student.trust_remote_code,
    }
    if params.finetune.trainer == "accelerate":
        label = f"finetune {round_name}"
        report = fit(examples_of(rows), machine=machine, checkpoints=work, label=label, **given)
    else:
        # By name: a change in the exports must not train again what this loop has trained.
        external = import_module("mathse.training.external")
        folder = work / params.finetune.trainer
        report = external.train_elsewhere(rows, launcher=machine.launcher, folder=folder, **given)
    write_metrics(layout.metrics("finetune", round_name), {round_name: report.metrics()})


def examples_of(rows: pl.DataFrame) -> Iterator[Example]:
    """Yield what each row teaches: to solve its problem, and what else it is for."""
    for row in rows.iter_rows(named=True):
        for task, messages, text in lessons(row):
            yield Example(lesson_key(row, task), messages, tuple(row["image_ids"]), text)


def lesson_key(row: Mapping[str, Any], task: str) -> str:
    """Return the name of what a row teaches in messages and counts."""
    return str(row["row_id"]) if task == "solve" else f"{row['row_id']} {task}"
