"""Two rounds in memory give the rows that the stages wrote, table by table."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import load_machine
from mathse.core.params import load_params
from mathse.core.tables import read_table
from mathse.engines.loading import load_engine
from mathse.judge.judging import Judge
from mathse.judge.load_judge import orm_after
from mathse.loop import RoundState, run_round
from mathse.reflection import load_reflector
from tests.pipeline.conftest import Pipeline

pytestmark = pytest.mark.slow
TABLES = (
    "trajectories",
    "verdicts",
    "mistakes",
    "reflections",
    "reflection_verdicts",
    "train",
    "ledger",
    "dropped",
)


def test_two_rounds_in_memory_write_what_the_stages_wrote(pipeline: Pipeline) -> None:
    layout = Layout(pipeline.folder)
    machine = load_machine(layout.machine)
    params, images = load_params(layout.params), ImageStore(layout.images)
    problems = read_table(layout.problems).filter(pl.col("split") == "train")
    first = layout.round("r0")
    state = RoundState(
        "r0", read_table(first.train), read_table(first.ledger), read_table(first.mistakes)
    )
    for name in ("r1", "r2"):
        # `run_round` trains nothing: student and ORM are the models that the stages trained.
        student = load_engine(layout.round(state.name).model, params.student, images, machine)
        orm = load_engine(orm_after(layout, state.name), params.orm, images, machine)
        judge = Judge(
            orm,
            problems,
            params.train_orm.form,
            params.score.max_new_tokens,
            params.score.accept,
            params.score.min_p_correct,
        )
        state = run_round(
            name,
            state,
            problems,
            student=student,
            judge=judge,
            reflector=load_reflector(layout, params, problems, Path(), "reflect"),
            params=params,
        )
        student.close()
        orm.close()
        tables = {
            **state.tables,
            "train": state.train,
            "ledger": state.ledger,
            "mistakes": state.mistakes,
        }
        assert sorted(tables) == sorted(TABLES)
        for kind in TABLES:
            stored = read_table(getattr(layout.round(name), kind))
            assert stored.height or kind == "dropped", f"{name}/{kind} is empty"
            assert_frame_equal(tables[kind].select(stored.columns), stored, check_row_order=False)
    assert orm_after(layout, "r1") == layout.round("r1").orm_model, "r2's ORM is another one"
