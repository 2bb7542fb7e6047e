"""Candidates of a row: its response and wrong ones of the same problem, round and student."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import schemas
from mathse.core.params import Merge, load_params
from mathse.core.stage_tables import empty, read, write
from mathse.curation.ledger import initial_ledger
from mathse.curation.merge_round import merge_round
from mathse.prompts import select_messages, solve_messages
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

PARAMS = load_params(ROOT / "params.yaml")
OTHERS = [WRONG.replace("6", digit) for digit in "589"]


def one_round(
    rows: list[tuple[dict[str, Any], dict[str, Any]]],
    before: tuple[pl.DataFrame, pl.DataFrame] | None = None,
    *,
    name: str = "r1",
    most: int = 3,
    accept: str = "both",
    reflected: list[dict[str, Any]] | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return training rows and ledger after trajectories with verdicts and right reflections."""
    changes = {"merge": PARAMS.merge.model_copy(update={"select_rows": most}),
               "score": PARAMS.score.model_copy(update={"accept": accept})}  # fmt: skip
    written = trajectories(*(path for path, _ in rows))
    judged = verdicts(*(judgement for _, judgement in rows))
    again = reflected or []
    first = empty(schemas.TrainRow), initial_ledger([problem_id(n) for n in range(9)], [])
    train, ledger, _ = merge_round(
        *(before or first),
        written,
        judged,
        trajectories(*again),
        verdicts(*(verdict(path, True) for path in again)),
        select_mistakes(judged, written, per_problem_max=1),
        round_name=name,
        params=PARAMS.model_copy(update=changes),
    )
    return train, ledger


def solved(number: int, *wrong: str, round: str = "r1", **changes: Any) -> Any:
    """Return a right trajectory and wrong ones of a problem, with verdicts."""
    paths = [trajectory(number, text, index, round=round)
             for index, text in enumerate((RIGHT, *wrong))]  # fmt: skip
    return [(path, verdict(path, path["response"] == RIGHT, **changes if i else {}))
            for i, path in enumerate(paths)]  # fmt: skip


def of_problem(train: pl.DataFrame, number: int) -> Any:
    return train.filter(problem_id=problem_id(number))["candidates"][0]


def test_a_row_has_its_response_and_wrong_ones_and_stays_through_rounds_and_files(
    tmp_path: Path,
) -> None:
    train, ledger = one_round([*solved(0, WRONG, WRONG, OTHERS[0]), *solved(1)])
    assert sorted(of_problem(train, 0)) == sorted([RIGHT, WRONG, OTHERS[0]])
    assert of_problem(train, 1) is None, "nothing to choose from"
    file = tmp_path / "train.parquet"
    write(train, file, schemas.TrainRow, sort_by=["row_id"])
    before = read(file, schemas.TrainRow), ledger
    after, _ = one_round(solved(2, *OTHERS, round="r2"), before, name="r2")
    assert of_problem(after, 0).to_list() == of_problem(train, 0).to_list()
    assert len(of_problem(after, 2)) == 3, "no more than merge.select_rows"
    # Fine-tuning learns to solve and to choose.
    rows = after.filter(problem_id=problem_id(2)).join(problems(3), on="problem_id")
    solve, selection = examples_of(rows)
    asked, shown = ("Question 2?", [], 1), of_problem(after, 2).to_list()
    assert (solve.messages, solve.target) == (solve_messages(*asked), RIGHT)
    assert selection.messages == select_messages(*asked, shown)
    assert selection.target == f"The right solution is {shown.index(RIGHT) + 1}."
    assert selection.key == f"{rows['row_id'][0]} selection"


def test_the_index_of_the_right_one_differs() -> None:
    train, _ = one_round([row for number in range(9) for row in solved(number, *OTHERS)])
    indices = {of_problem(train, number).to_list().index(RIGHT) for number in range(9)}
    assert indices == {0, 1, 2}


def test_what_is_not_known_to_be_wrong_is_no_candidate() -> None:
    cut = solved(0, WRONG)
    cut[1][0]["finish_reason"] = "length"
    rows = [
        *cut,
        *solved(1, WRONG, answer_state="unknown"),
        *solved(2, WRONG, answer_state="match"),
    ]
    found = one_round(rows)[0]["candidates"]
    assert found.to_list() == [None, None, None]


def test_without_gold_the_orm_says_what_is_wrong() -> None:
    passed = {"orm_status": "correct", "answer_state": "mismatch"}
    rows = [*solved(0, WRONG, answer_state="match"), *solved(1, WRONG, **passed)]
    train, _ = one_round(rows, accept="orm")
    assert of_problem(train, 0) is not None and of_problem(train, 1) is None


def test_reflections_get_none_because_their_style_shows_them() -> None:
    wrong = trajectory(0, WRONG)
    again = trajectory(0, RIGHT, origin="reflection", parent_id=wrong["trajectory_id"])
    train, _ = one_round([(wrong, verdict(wrong, False))], reflected=[again])
    assert train["candidates"].to_list() == [None]


def test_without_the_parameter_there_is_no_such_column_and_one_is_no_choice() -> None:
    assert "candidates" not in one_round(solved(0, WRONG), most=0)[0].columns
    with pytest.raises(ValueError, match="to choose takes 2"):
        Merge(max_per_problem=2, select_rows=1)


@pytest.mark.parametrize("accept", ["answer", "both"])
def test_where_gold_accepts_it_says_what_is_wrong(accept: str) -> None:
    train, _ = one_round(solved(0, WRONG, orm_status="correct"), accept=accept)
    assert of_problem(train, 0) is not None
