"""Load the judge of a run."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import load_machine
from mathse.core.params import Params
from mathse.engines.journaled import JournaledEngine
from mathse.engines.loading import load_engine
from mathse.judge.judging import Judge
from mathse.judge.likelihood import load_calibration


def load_judge(
    layout: Layout,
    params: Params,
    problems: pl.DataFrame,
    label: str,
    *,
    after: str | None = None,
    store: type[ImageStore] | None = None,
    by_student: bool = False,
) -> Judge:
    """Load the ORM as the judge of trajectories.

    Args:
        layout: where the model is.
        params: all parameters.
        problems: `Problem` rows; those of the trajectories must be among them.
        label: what is judged, for the journal and the progress line.
        after: the round before what is judged: the ORM may have learned from it. None: the ORM of
            `train_orm`.
        store: what gives it the pictures; None: `ImageStore`.
        by_student: whether the reflections to judge are the student's.
    """
    model = orm_after(layout, after) if after else layout.orm.model
    engine = load_engine(
        model,
        params.orm,
        (store or ImageStore)(layout.images, params.orm.pixels),
        load_machine(layout.machine),
        "orm",
    )
    # Its own solutions are kept for all stages that it judges in.
    splits = sorted(problems["split"].unique())
    learned = [after] if after and model != layout.orm.model else []
    form = params.train_orm.form
    solve_label = " ".join(["judge solutions", *splits, *learned])
    return Judge(
        engine=JournaledEngine(engine, layout.journal(label), label),
        solver=JournaledEngine(engine, layout.journal(solve_label), solve_label),
        problems=problems,
        form=form,
        max_new_tokens=params.score.max_new_tokens,
        accept=params.score.accept,
        min_p_correct=params.score.min_p_correct,
        errors_max_share=params.errors_max_share,
        calibration=load_calibration(model) if form == "likelihood" else None,
        reflector_is_student=by_student,
    )


def orm_after(layout: Layout, round_name: str) -> Path:
    """Return the ORM of the rounds that follow a round: trained further after it, or the first."""
    refreshed = layout.round(round_name).orm_model
    return refreshed if refreshed.is_dir() else layout.orm.model
