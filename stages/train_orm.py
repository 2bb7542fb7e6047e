"""train_orm: the base model learns to judge trajectories."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import load_machine
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write_metrics
from schemas import checks


def train_orm(layout: Layout) -> None:
    """Train the ORM on the training part of its rows."""
    params = load_params(layout.params)
    section = params.train_orm
    problems = read_problems(layout, "orm")
    rows = read(layout.orm.rows, schemas.OrmRow).filter(pl.col("part") == "train")
    checks.known_problem_ids(rows, problems, file=str(layout.orm.rows))
    from mathse.engines.model_files import load_files
    from mathse.judge.calibrate import calibrate_orm, learned_rows
    from mathse.judge.orm_examples import orm_examples
    from mathse.training.launch import train

    report = train(
        orm_examples(learned_rows(rows, params), problems, section),
        init=load_files(params.orm),
        out=layout.orm.model,
        config=section,
        machine=load_machine(layout.machine),
        seed=params.seed,
        images=ImageStore(layout.images, params.orm.pixels),
        checkpoints=layout.checkpoints("orm"),
        curve=layout.curve("orm"),
        label="train_orm",
        trust_remote_code=params.orm.trust_remote_code,
    )
    calibrate_orm(layout, params, problems, layout.orm.model, "calibrate orm")
    write_metrics(layout.metrics("train_orm"), {"train_orm": report.metrics()})


if __name__ == "__main__":
    run(train_orm)
