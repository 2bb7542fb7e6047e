"""What an ORM learns from a row: the target, and which part of it decides."""

from __future__ import annotations

import polars as pl
import pytest

from mathse.core.params import load_params
from mathse.core.steps import split_steps
from mathse.judge.orm_examples import orm_examples
from mathse.judge.orm_rows import ORM_ROW
from tests.closure import ROOT
from tests.judge.trajectories import RIGHT, WRONG, problem_id, problems


@pytest.mark.parametrize(
    ("form", "weighted"), [("binary", "WRONG"), ("diagnostic", "WRONG"), ("stepwise", " 3|2 wrong")]
)
def test_the_weighted_span_is_that_of_the_target(form: str, weighted: str) -> None:
    row = {
        "row_id": "a" * 16,
        "problem_id": problem_id(0),
        "response": WRONG,
        "steps": split_steps(WRONG),
        "figure": "A bar.",
        "status": "wrong",
        "error_step": 1,
        "error_analysis": "The bar is taller.",
        "right_step": RIGHT.split("\n")[0],
    }
    section = load_params(ROOT / "params.yaml").train_orm.model_copy(update={"form": form})
    pool = problems(1).with_columns(solution=pl.lit(RIGHT))
    example = orm_examples(pl.DataFrame([row], schema=ORM_ROW), pool, section)[0]
    assert example.target[slice(*example.weighted_span)] == weighted
