"""finetune: the student learns from the round's training rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import schemas
from mathse.core.images import ImageStore
from mathse.core.params import Params, load_params
from mathse.prompts import solve_messages
from schemas import checks
from stages.common import by_id, read, read_problems, run, write_metrics


def finetune(
    params: Path,
    problems: Path,
    train: Path,
    previous: str,
    round_name: str,
    out: Path,
    curve: Path,
    metrics: Path,
) -> None:
    """Train a model on TRAIN and write it to OUT; PREVIOUS is the model of the round before (or the base)."""
    settings = load_params(params)
    section = settings.finetune
    first = round_name == "r0"
    init = settings.student.base if first or section.init == "base" else previous
    steps = section.first_steps or section.steps if first else section.steps
    train_student(settings, problems, train, init, round_name, steps, out, curve, metrics)


def train_student(
    settings: Params,
    problems: Path,
    train: Path,
    init: str,
    round_name: str,
    steps: int | None,
    out: Path,
    curve: Path,
    metrics: Path,
) -> None:
    """Check the training rows, and train on them."""
    everything = read_problems(problems)
    rows = read(train, schemas.TrainRow)
    pool = everything.filter(pl.col("split") == "train")
    checks.known_problem_ids(rows, pool, file=str(train))
    checks.held_out_stay_out(rows, everything.filter(pl.col("split") != "train"), file=str(train))
    from mathse.training import Example
    from mathse.training.launch import train as fit
    from stages.fitting import CHECKPOINTS, train_config

    known = by_id(pool)
    examples = []
    for row in rows.iter_rows(named=True):
        problem = known[row["problem_id"]]
        images = tuple(problem["image_ids"])
        messages = solve_messages(problem["question"], problem["choices"], len(images))
        examples.append(
            Example(key=row["row_id"], messages=messages, image_ids=images, target=row["response"])
        )
    report = fit(
        examples,
        processes=settings.finetune.processes,
        init=init,
        out=out,
        config=train_config(settings.finetune, seed=settings.seed, steps=steps),
        images=ImageStore(problems / "images"),
        checkpoints=CHECKPOINTS / round_name,
        curve=curve,
        label=f"finetune {round_name}",
        trust_remote_code=settings.student.trust_remote_code,
    )
    write_metrics(metrics, {round_name: report.metrics()})


if __name__ == "__main__":
    run(finetune)
