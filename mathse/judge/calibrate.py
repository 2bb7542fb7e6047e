"""Calibrate an ORM of the likelihood form after its training."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import polars as pl

import schemas
from mathse.core.errors import DataError
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import load_machine
from mathse.core.params import Params
from mathse.core.stage_tables import read
from mathse.engines.journaled import JournaledEngine
from mathse.engines.loading import load_engine
from mathse.judge.likelihood import (
    OTHERS,
    STUDENT,
    Calibration,
    fit_scales,
    fit_step_limit,
    is_held_out,
    measure_texts,
    save_calibration,
)

log = logging.getLogger(__name__)


def learned_rows(rows: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Return the rows that the ORM is trained on: all but those of its calibration.

    Raises:
        DataError: if these have no correct row, or no wrong one.
    """
    if params.train_orm.form != "likelihood":
        return rows
    held_out = pl.Series([is_held_out(name) for name in rows["problem_id"]], dtype=pl.Boolean)
    kinds = rows.filter(held_out)["status"].value_counts()
    if kinds.height < 2:
        raise DataError(
            f"Of the ORM's {rows.height} rows the calibration has {dict(kinds.iter_rows())}.",
            rule="a likelihood ORM is calibrated on correct and wrong rows that it did not learn",
            fix="give the ORM more problems (problems.figures.orm or problems.orm_share), or set "
            "train_orm.form to diagnostic",
        )
    return rows.filter(~held_out)


def calibrate_orm(
    layout: Layout, params: Params, problems: pl.DataFrame, model: Path, label: str
) -> None:
    """Write beside an ORM how probable a text of each writer must be; only of the likelihood form.

    Args:
        layout: where the ORM's rows are.
        params: all parameters.
        problems: `Problem` rows of the ORM's problems.
        model: folder of the ORM.
        label: what is done, for the journal and the progress line.

    Raises:
        DataError: if too many requests fail.
    """
    if params.train_orm.form != "likelihood":
        return
    # The rows that it did not learn from, and how probable it finds their texts.
    rows = read(layout.orm.rows, schemas.OrmRow).filter(pl.col("part") == "train")
    rows = rows.filter(pl.Series([is_held_out(name) for name in rows["problem_id"]]))
    engine = load_engine(
        model,
        params.orm,
        ImageStore(layout.images, params.orm.pixels),
        load_machine(layout.machine),
        "orm",
    )
    measured = measure_texts(
        JournaledEngine(engine, layout.journal(label), label),
        problems,
        rows.select("problem_id", "steps", text_id="row_id"),
        errors_max_share=params.errors_max_share,
    )
    engine.close()
    # The scale of each writer, and the limit of a step.
    student = read(layout.orm.trajectories, schemas.Trajectory)["trajectory_id"]
    logs: dict[str, list[float]] = {STUDENT: [], OTHERS: []}
    labels: dict[str, list[bool]] = {STUDENT: [], OTHERS: []}
    rows = rows.with_columns(own=pl.col("trajectory_id").is_in(student.to_list()))
    wrong = []
    names = ("row_id", "own", "status", "steps", "error_step")
    for name, own, status, steps, error_step in rows.select(names).iter_rows():
        if lines := measured.get(name):
            writer = STUDENT if own else OTHERS
            logs[writer].append(math.fsum(lines))
            labels[writer].append(status == "correct")
            if status == "wrong":
                wrong.append((steps, lines, error_step))
    scales = fit_scales(logs, labels)
    for writer, scale in scales.items():
        if not scale.tells:
            log.warning(
                "The ORM finds right texts no more probable than wrong ones (writer: %s, %d rows): "
                "none of them passes. Give it more problems or more steps (train_orm.steps).",
                writer, len(labels[writer]),
            )  # fmt: skip
    save_calibration(Calibration(scales, fit_step_limit(wrong)), model)
