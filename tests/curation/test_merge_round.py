"""Rows from reflections keep the draft that they correct, where the student learns to reflect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import schemas
from mathse.core.params import Params, load_params
from mathse.core.stage_tables import empty, read, write
from mathse.curation.ledger import initial_ledger
from mathse.curation.merge_round import merge_round
from mathse.prompts import reflect_messages, solve_messages
from mathse.reflection import select_mistakes
from mathse.training.student import examples_of
from tests.closure import ROOT
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    problem_id,
    problems,
    trajectories,
    trajectory,
    verdict,
    verdicts,
)


@pytest.fixture
def params() -> Params:
    found = load_params(ROOT / "params.yaml")
    merge = found.merge.model_copy(update={"reflection_rows": True})
    return found.model_copy(update={"merge": merge})


def one_round(name: str, number: int, before: Any, params: Params) -> Any:
    """Merge a round in which one problem is solved, and one after a reflection."""
    solved, wrong = trajectory(number, RIGHT, round=name), trajectory(number + 1, WRONG, round=name)
    again = trajectory(
        number + 1, RIGHT, round=name, origin="reflection", parent_id=wrong["trajectory_id"]
    )
    judged = verdicts(verdict(solved, True), verdict(wrong, False))
    written = trajectories(solved, wrong)
    return merge_round(
        *before,
        written,
        judged,
        trajectories(again),
        verdicts(verdict(again, True)),
        select_mistakes(judged, written, per_problem_max=1),
        round_name=name,
        params=params,
    )


def test_drafts_stay_with_their_rows_through_rounds_and_files(
    params: Params, tmp_path: Path
) -> None:
    ledger = initial_ledger([problem_id(n) for n in range(4)], [])
    train, ledger, _ = one_round("r1", 0, (empty(schemas.TrainRow), ledger), params)
    file = tmp_path / "train.parquet"
    write(train, file, schemas.TrainRow, sort_by=["row_id"])
    train, _, _ = one_round("r2", 2, (read(file, schemas.TrainRow), ledger), params)
    found = {
        row["problem_id"]: (row["origin"], row["draft"], row["error_step"], row["error_analysis"])
        for row in train.iter_rows(named=True)
    }
    plain = ("student", None, None, None)
    reflected = ("reflection", WRONG, 1, "The bar was misread.")
    assert found == {problem_id(n): reflected if n % 2 else plain for n in range(4)}
    # Fine-tuning learns two things from a row with a draft.
    rows = train.filter(round="r2").join(problems(4), on="problem_id").sort("origin")
    solve, reflection, student = examples_of(rows)
    problem = ("Question 3?", ["6", "7"], 1)
    assert solve.messages == solve_messages(*problem)
    assert reflection.messages == reflect_messages(*problem, WRONG, 1, "The bar was misread.")
    assert {reflection.target, solve.target, student.target} == {RIGHT}


def test_without_the_parameter_there_is_no_such_column() -> None:
    params = load_params(ROOT / "params.yaml")
    ledger = initial_ledger([problem_id(n) for n in range(4)], [])
    train, _, _ = one_round("r1", 0, (empty(schemas.TrainRow), ledger), params)
    assert train.columns == schemas.column_types(schemas.TrainRow).names()
    with pytest.raises(schemas.ContractError, match="draught does not belong"):
        schemas.validate(train.with_columns(draught=pl.lit("x")), schemas.TrainRow, file="t")
    with pytest.raises(schemas.ContractError, match="column error_step is String"):
        schemas.validate(train.with_columns(error_step=pl.lit("x")), schemas.TrainRow, file="t")


def test_a_reflection_that_cannot_be_a_row_solves_nothing(params: Params) -> None:
    wrong = trajectory(0, WRONG)
    again = {"origin": "reflection", "parent_id": wrong["trajectory_id"]}
    cut = trajectory(0, RIGHT, finish_reason="length", **again)
    judged, written = verdicts(verdict(wrong, False)), trajectories(wrong)
    train, ledger, dropped = merge_round(
        empty(schemas.TrainRow),
        initial_ledger([problem_id(0)], []),
        written,
        judged,
        trajectories(cut),
        verdicts(verdict(cut, True)),
        select_mistakes(judged, written, per_problem_max=1),
        round_name="r1",
        params=params,
    )
    assert train.is_empty() and dropped["reason"].to_list() == ["cut_off"]
    assert ledger["state"].to_list() == ["hard"]
