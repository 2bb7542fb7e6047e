"""The rows of the controls: r0's again, and the teacher's of some problems without the loop."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.tables import read_table, write_table
from mathse.curation.contamination import contaminated_problems
from mathse.judge.answer_states import judge_by_answer
from mathse.training import TrainReport
from mathse.training.student import train_student
from mathse.trajectories import solve
from schemas import ContractError
from stages.control import control
from stages.control_gold import control_gold
from stages.control_same import control_same
from stages.control_teacher import control_teacher
from stages.decontaminate import decontaminate
from stages.distill import distill
from stages.finetune import finetune
from tests.stages.test_clean_data import planted, settings

__all__ = ["planted"]
WANTED = 6
FIRST = 2
ADDED = WANTED - FIRST


@pytest.fixture
def run(planted: tuple[Path, dict[str, str]]) -> tuple[Layout, str]:
    """Return a run whose last round has some rows more than r0, and its contaminated problem."""
    folder, names = planted
    layout = Layout(folder)
    settings(folder, distill={"problems": WANTED})
    decontaminate(layout)
    distill(layout)
    rows = read_table(layout.round("r0").train)
    write_table(rows, layout.round("r3").train, sort_by=["row_id"])
    settings(folder, distill={"problems": FIRST})
    distill(layout)
    assert read_table(layout.round("r0").train).height == FIRST
    return layout, names["train"]


def rows_with_seed(layout: Layout, seed: int) -> pl.DataFrame:
    """Return what the teacher control has beside r0's rows, with another seed of the run."""
    text = layout.params.read_text()
    layout.params.write_text(text.replace("\nseed: 0\n", f"\nseed: {seed}\n"))
    control_teacher(layout)
    layout.params.write_text(text)
    rows = read_table(layout.round("control_teacher").train)
    first = read_table(layout.round("r0").train)
    assert rows.filter(pl.col("round") == "r0").equals(first)
    return rows.filter(pl.col("round") != "r0")


def test_the_teacher_solves_random_problems_as_many_as_the_loop_added_rows(
    run: tuple[Layout, str],
) -> None:
    layout, leak = run
    every = {seed: rows_with_seed(layout, seed) for seed in range(12)}
    first = read_table(layout.round("r0").train)["problem_id"]
    pool = read_table(layout.problems).filter(pl.col("split") == "train")["problem_id"]
    others = {*pool} - {leak, *first}
    for rows in every.values():
        assert rows.height == rows["problem_id"].n_unique() == ADDED
        assert set(rows["origin"]) == {"teacher"} and set(rows["round"]) == {"control_teacher"}
        assert set(rows["problem_id"]) <= others
    counts = json.loads(layout.metrics("control_teacher").read_text())["control_teacher"]
    assert counts == {"rows": WANTED, "wanted": ADDED, "tried": ADDED}
    # The seed decides, and each problem has its turn.
    assert rows_with_seed(layout, 3).equals(every[3])
    chosen = [frozenset(rows["problem_id"]) for rows in every.values()]
    assert len(set(chosen)) == len(chosen)
    assert frozenset.union(*chosen) == others


def test_wrong_solutions_are_replaced(
    run: tuple[Layout, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, _ = run
    right = rows_with_seed(layout, 0)["problem_id"].to_list()
    wrong = right[:2]

    def reject(rows: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
        accepted = pl.col("accepted") & ~pl.col("problem_id").is_in(wrong)
        return judge_by_answer(rows, problems).with_columns(accepted)

    monkeypatch.setattr("mathse.teacher_rows.judge_by_answer", reject)
    rows = rows_with_seed(layout, 0)
    assert rows.height == ADDED and not set(rows["problem_id"]) & set(wrong)
    assert set(right[2:]) < set(rows["problem_id"])


def test_a_teacher_that_solves_too_few_is_reported(
    run: tuple[Layout, str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    layout, _ = run
    rows_with_seed(layout, 0)
    assert "were wanted" not in capfd.readouterr().err

    def reject(rows: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
        return judge_by_answer(rows, problems).with_columns(accepted=pl.lit(False))

    monkeypatch.setattr("mathse.teacher_rows.judge_by_answer", reject)
    assert rows_with_seed(layout, 0).is_empty()
    said = capfd.readouterr().err
    assert "the teacher solves 0 of " in said and f"{ADDED} were wanted" in said


def test_where_the_loop_added_nothing_the_teacher_is_not_asked(run: tuple[Layout, str]) -> None:
    layout, _ = run
    write_table(read_table(layout.round("r0").train), layout.round("r3").train, sort_by=["row_id"])
    assert rows_with_seed(layout, 0).is_empty()
    counts = json.loads(layout.metrics("control_teacher").read_text())["control_teacher"]
    assert counts == {"rows": FIRST, "wanted": 0, "tried": 0}


def test_the_other_control_has_the_rows_of_r0(run: tuple[Layout, str]) -> None:
    layout, _ = run
    control(layout)
    rows = read_table(layout.round("control").train)
    assert rows.equals(read_table(layout.round("r0").train))


def test_the_gold_control_learns_from_the_problems_of_the_orm(run: tuple[Layout, str]) -> None:
    layout, _ = run
    control_gold(layout)
    rows = read_table(layout.round("control_gold").train)
    first = read_table(layout.round("r0").train)
    leaks = contaminated_problems(read_table(layout.matches), "orm")
    pool = read_table(layout.problems).filter(pl.col("split") == "orm")["problem_id"]
    names = {*pool} - {*leaks}
    added = rows.filter(pl.col("round") == "control_gold")
    assert rows.filter(pl.col("round") == "r0").equals(first)
    assert len(pool) > len(names) > 0 and set(added["problem_id"]) == names
    counts = json.loads(layout.metrics("control_gold").read_text())["control_gold"]
    assert counts["rows"] == rows.height == first.height + added.height
    assert counts["wanted"] == counts["tried"] == added.height


def test_the_control_of_the_same_problems_has_those_that_the_loop_solved(
    run: tuple[Layout, str],
) -> None:
    layout, _ = run
    control_same(layout)
    rows = read_table(layout.round("control_same").train)
    first = read_table(layout.round("r0").train)
    last = read_table(layout.round("r3").train)
    solved = {*last["problem_id"]} - {*first["problem_id"]}
    added = rows.filter(pl.col("round") == "control_same")
    assert rows.filter(pl.col("round") == "r0").equals(first)
    assert solved and {*added["problem_id"]} == solved
    assert set(added["origin"]) == {"teacher"}


@pytest.mark.parametrize("name", ["control", "control_teacher", "control_same", "control_gold"])
def test_a_control_trains_r0_for_the_steps_of_all_rounds(
    run: tuple[Layout, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, _ = run
    calls = []
    monkeypatch.setattr("stages.finetune.train_student", lambda *words: calls.append(words))
    values = yaml.safe_load(layout.params.read_text())
    rounds = {"r1": {"prev": "r0"}, "r2": {"prev": "r1"}, "r3": {"prev": "r2"}}
    values |= {"controls": [name], "rounds": rounds}
    layout.params.write_text(yaml.safe_dump(values))
    finetune(layout, name)
    ((_, params, train, init, given, steps),) = calls
    assert (train, init) == (layout.round(name).train, str(layout.round("r0").model))
    assert given == name and steps == 3 * params.evolve.steps
    # A round that branches off has fewer before it.
    values["rounds"]["r4"] = {"prev": "r1"}
    layout.params.write_text(yaml.safe_dump(values))
    finetune(layout, name)
    assert calls[-1][-1] == 2 * params.evolve.steps


def test_one_that_fails_among_the_last_few_is_no_large_share(
    run: tuple[Layout, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, _ = run
    values = yaml.safe_load(layout.params.read_text()) | {"errors_max_share": 0.2}
    layout.params.write_text(yaml.safe_dump(values))
    asked: list[int] = []

    def some_fail(*words: Any, **more: Any) -> pl.DataFrame:
        """Two answers are wrong, and one of the two asked in their place fails."""
        rows = solve(*words, **more)
        asked.append(rows.height)
        if len(asked) == 1:
            wrong = pl.int_range(pl.len()) < 2
            text = pl.when(wrong).then(pl.lit("1. I see.")).otherwise("response")
            return rows.with_columns(response=text)
        kind = pl.Series("error_kind", ["permanent", *[None] * (rows.height - 1)])
        return rows.with_columns(kind) if len(asked) == 2 else rows

    monkeypatch.setattr("mathse.teacher_rows.solve", some_fail)
    control_teacher(layout)
    assert asked[:2] == [ADDED, 2]


def test_only_the_gold_control_trains_on_the_problems_of_the_orm(
    run: tuple[Layout, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, _ = run
    control_gold(layout)
    report = TrainReport(1, 1, 1, {}, 0.0, 0.0, 1, 0)
    monkeypatch.setattr("mathse.training.launch.train", lambda *_, **__: report)
    given = layout, load_params(layout.params), layout.round("control_gold").train, "model"
    train_student(*given, "control_gold", 1)
    with pytest.raises(ContractError, match="problem id is known"):
        train_student(*given, "control_teacher", 1)
