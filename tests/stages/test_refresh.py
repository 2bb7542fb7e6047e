"""The ORM learns from a round, for the next one: from which rows and model, for how long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import mathse.training.launch
import schemas
from mathse.core.errors import ParamError
from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.tables import read_table, write_table
from mathse.figures.source import build_tables
from mathse.judge.load_judge import orm_after
from mathse.training import TrainReport
from mathse.trajectories import TRAJECTORY
from stages.refresh import refresh
from tests.closure import oracle_params
from tests.judge.trajectories import trajectory

PROBLEMS = 4


class Trainings:
    """Stands in for training: keeps what it was called with, and writes a model folder."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def __call__(self, examples: Any, **options: Any) -> Any:
        self.calls.append({"keys": [example.key for example in examples], **options})
        options["out"].mkdir(parents=True)
        return TrainReport(1, 1, 1, {}, 0.0, 0.0, 1, 0)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Return a project with an ORM, its rows, and two rounds: each problem right and wrong."""
    monkeypatch.chdir(tmp_path)
    layout = Layout()
    drawn, images = build_tables({"train": PROBLEMS, "orm": 2}, seed=5)
    types = schemas.column_types(schemas.Problem)
    pool = drawn.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    write_table(pool, layout.problems, sort_by=["problem_id"])
    write_images(images, layout.images)
    own = [
        orm_row(f"{number}" * 16, row)
        for number, row in enumerate(pool.filter(split="orm").iter_rows(named=True))
    ]
    empty = schemas.column_types(schemas.OrmRow)
    write_table(pl.DataFrame(own, schema=empty), layout.orm.rows, sort_by=["row_id"])
    refresh(layout, "r0")
    layout.orm.model.mkdir(parents=True)
    for number, name in enumerate(("r1", "r2")):
        texts = [
            trajectory(0, text, sample, problem_id=row["problem_id"], round=name)
            | {"trajectory_id": f"{number}{sample}{row['problem_id'][:14]}"}
            for row in pool.filter(split="train").iter_rows(named=True)
            for sample, text in enumerate(right_and_wrong(row))
        ]
        # Right ones by the student, wrong ones by the reflector.
        for file, part in (("trajectories", texts[::2]), ("reflections", texts[1::2])):
            rows = pl.DataFrame(part, schema=TRAJECTORY)
            write_table(rows, getattr(layout.round(name), file), sort_by=["trajectory_id"])
    return layout


def right_and_wrong(problem: dict[str, Any]) -> tuple[str, str]:
    right = problem["solution"]
    return right, f"{right.rpartition(' ')[0]} 12345."


def orm_row(name: str, problem: dict[str, Any]) -> dict[str, Any]:
    text = "The answer to this problem is 7."
    return {"row_id": name, "problem_id": problem["problem_id"], "trajectory_id": name,
            "part": "train", "response": text, "steps": [text], "figure": "Two bars.",
            "status": "correct"}  # fmt: skip


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    found = Trainings()
    monkeypatch.setattr(mathse.training.launch, "train", found)
    return found


def run(layout: Layout, when: str, *rounds: str, prev: str = "r1") -> list[dict[str, Any]]:
    """Run the stage for some rounds; return its metrics. r2 follows `prev`."""
    values = oracle_params()
    values["orm"] |= {"refresh": when, "refresh_steps": 7}
    values["rounds"]["r2"]["prev"] = prev
    layout.params.write_text(yaml.safe_dump(values))
    for name in rounds:
        refresh(layout, name)
    return [json.loads(layout.metrics("refresh", name).read_text())[name] for name in rounds]


def test_by_default_the_orm_stays_as_it_is(layout: Layout, trainings: Trainings) -> None:
    assert run(layout, "never", "r1", "r2") == [{"refresh": "never"}] * 2
    assert trainings.calls == []
    for name in ("r1", "r2"):
        assert read_table(layout.round(name).orm_rows).is_empty()
        assert not layout.round(name).orm_curve.read_text()
        assert orm_after(layout, name) == layout.orm.model


def test_what_an_earlier_run_trained_does_not_judge(layout: Layout, trainings: Trainings) -> None:
    run(layout, "round", "r1")
    assert orm_after(layout, "r1") == layout.round("r1").orm_model
    run(layout, "never", "r1")
    assert orm_after(layout, "r1") == layout.orm.model


def test_after_each_round_it_learns_from_all_rounds_so_far(
    layout: Layout, trainings: Trainings
) -> None:
    counts = run(layout, "round", "r1", "r2")
    assert [(one["new_rows"], one["rows"]) for one in counts] == [
        (2 * PROBLEMS, 2 * PROBLEMS),
        (2 * PROBLEMS, 4 * PROBLEMS),
    ]
    first, second = trainings.calls
    assert (first["init"], second["init"]) == (layout.orm.model, layout.round("r1").orm_model)
    assert first["config"].steps == second["config"].steps == 7
    assert first["seed"] != second["seed"], "the same rows come in other batches"
    rows = read_table(layout.round("r2").orm_rows)
    assert dict(rows.group_by("status").len().iter_rows()) == dict.fromkeys(
        ("correct", "wrong"), 2 * PROBLEMS
    )
    own = set(read_table(layout.orm.rows)["row_id"])
    assert own | set(rows["row_id"]) <= set(second["keys"])
    assert not set(rows["row_id"]) <= set(first["keys"])
    # What judges after a round is what was trained after it.
    assert orm_after(layout, "r0") == layout.orm.model
    assert orm_after(layout, "r2") == layout.round("r2").orm_model


def test_a_branch_goes_on_from_the_orm_of_the_round_that_it_follows(
    layout: Layout, trainings: Trainings
) -> None:
    counts = run(layout, "round", "r1", "r2", prev="r0")
    assert [one["rows"] for one in counts] == [2 * PROBLEMS] * 2
    assert [call["init"] for call in trainings.calls] == [layout.orm.model] * 2


def test_a_round_without_wrong_ones_has_no_rows(layout: Layout, trainings: Trainings) -> None:
    reflections = layout.round("r1").reflections
    write_table(read_table(reflections).clear(), reflections, sort_by=["trajectory_id"])
    (counts,) = run(layout, "round", "r1")
    assert (counts["new_rows"], counts["dropped"]) == (0, {"over_balance": PROBLEMS})
    assert len(trainings.calls) == 1, "it learns from its own rows"


def test_the_annotator_says_what_is_wrong(layout: Layout, trainings: Trainings) -> None:
    run(layout, "round", "r1")
    rows = read_table(layout.round("r1").orm_rows)
    wrong = rows.filter(status="wrong")
    assert wrong["response"].str.ends_with("12345.").all()
    assert (wrong["error_step"] == wrong["steps"].list.len()).all()
    assert not rows.filter(status="correct")["response"].str.contains("12345").any()


def test_the_control_trains_as_long_without_new_rows(layout: Layout, trainings: Trainings) -> None:
    for name in ("r1", "r2"):  # nobody annotates
        layout.round(name).trajectories.unlink()
    run(layout, "own_rows", "r1", "r2")
    own = set(read_table(layout.orm.rows)["row_id"])
    assert [call["config"].steps for call in trainings.calls] == [7, 7]
    for call in trainings.calls:
        assert own <= set(call["keys"]) <= own | set(read_table(layout.orm.rows)["problem_id"])
    assert read_table(layout.round("r2").orm_rows).is_empty()


def test_an_orm_behind_a_server_cannot_learn(layout: Layout) -> None:
    values = oracle_params()
    values["orm"] |= {"refresh": "round", "engine": "openai"}
    values["score"] |= {"min_p_correct": 0}
    layout.params.write_text(yaml.safe_dump(values))
    with pytest.raises(ParamError, match=r"orm\.refresh: round.*asks a server"):
        refresh(layout, "r1")


def test_it_does_not_learn_from_the_test_rows_of_the_orm(
    layout: Layout, trainings: Trainings
) -> None:
    own = read_table(layout.orm.rows)
    kept, held_out = sorted(own["row_id"])
    part = pl.when(row_id=pl.lit(held_out)).then(pl.lit("test")).otherwise("part")
    write_table(own.with_columns(part=part), layout.orm.rows, sort_by=["row_id"])
    run(layout, "own_rows", "r1")
    (call,) = trainings.calls
    assert kept in call["keys"] and held_out not in call["keys"]
