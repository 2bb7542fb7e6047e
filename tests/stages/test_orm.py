"""What the stepwise ORM is trained on and asked: the judge's solution comes first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import mathse.judge.calibrate
import mathse.judge.load_judge
import mathse.training.train_loop
import schemas
from mathse.core.errors import DataError
from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.tables import write_table
from mathse.engines.protocol import Completion
from mathse.figures.source import build_tables
from mathse.judge.likelihood import OTHERS, STUDENT, fit_scales, load_calibration
from mathse.training import TrainReport
from stages.eval_orm import eval_orm
from stages.train_orm import train_orm
from tests.closure import oracle_params
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    Scripted,
    problem_id,
    problems,
    says,
    trajectories,
    trajectory,
)


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    values = oracle_params()
    values["train_orm"] |= {"form": "stepwise", "solve_repeats": 3, "processes": 1}
    Path("params.yaml").write_text(yaml.safe_dump(values))
    return Path("params.yaml")


def write_inputs(solution: bool) -> tuple[pl.DataFrame, list[str]]:
    """Write problems, and two rows of each of the first two of them: a right and a wrong path."""
    drawn, images = build_tables({"orm": 3}, seed=5)
    if not solution:
        drawn = drawn.with_columns(solution=pl.lit(None, dtype=pl.String))
    types = schemas.column_types(schemas.Problem)
    pool = drawn.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    write_table(pool, Layout().problems, sort_by=["problem_id"])
    write_images(images, Layout().images)
    names = pool["problem_id"].to_list()[:2]
    rows = []
    for index, name in enumerate(names):
        for wrong in (False, True):
            lines = ["1. A path.", "The answer to this problem is 7."]
            rows.append(
                {
                    "row_id": f"{index}{wrong:d}" + "0" * 14,
                    "trajectory_id": f"{index}{wrong:d}" + "1" * 14,
                    "problem_id": name,
                    "part": "train",
                    "response": "\n".join(lines),
                    "steps": lines,
                    "figure": "Two bars.",
                    "status": "wrong" if wrong else "correct",
                    "error_step": 2 if wrong else None,
                    "error_analysis": "Not so." if wrong else None,
                    "error_kind": "calculation" if wrong else None,
                    "right_step": "The answer to this problem is 8." if wrong else None,
                }
            )
    table = pl.DataFrame(rows, schema=schemas.column_types(schemas.OrmRow))
    write_table(table, Layout().orm.rows, sort_by=["row_id"])
    return pool, names


def train(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    seen: list[Any] = []

    def fit(examples: list[Any], **settings: Any) -> TrainReport:
        seen.extend(examples)
        return TrainReport(1, 1, 1, {}, 0.0, 0.0, 1, 0)

    monkeypatch.setattr(mathse.training.train_loop, "finetune", fit)
    train_orm(Layout())
    return seen


def test_the_stepwise_orm_learns_to_solve_and_to_judge(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, names = write_inputs(solution=True)
    solutions = dict(pool.select("problem_id", "solution").iter_rows())
    examples = train(monkeypatch)
    judged = [example for example in examples if example.prefix]
    solved = [example for example in examples if not example.prefix]
    assert len(judged) == 4 and sorted(example.key for example in solved) == sorted(names * 3)
    for example in solved:
        assert example.target == f"Two bars.\n{solutions[example.key]}"
        assert "A path." not in json.dumps(example.messages)
    owns = {example.target for example in solved}
    for example in judged:
        asked, own, shown = example.messages
        assert own["content"][0]["text"] in owns and "A path." in json.dumps(shown)
        assert [asked] in [other.messages for other in solved]
    assert sum("8|7 wrong" in example.target for example in judged) == 2


def test_without_solutions_it_says_what_to_do(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inputs(solution=False)
    with pytest.raises(
        DataError, match="2 problems that the ORM learns from have no solution"
    ) as failure:
        train(monkeypatch)
    assert "train_orm.form" in str(failure.value)


def test_a_stage_gives_the_stepwise_orm_its_own_solution(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdict = says(
        "1. bar|bar shows|shows 3|3 right, 2. 3|3 +4|+4 =7|=7 right, 3. 7|7 right"
        '", "status": "CORRECT"}'
    )
    engine = Scripted(
        lambda request: (verdict if request.task == "judge" else says("Mine: 7."))(request)
    )
    monkeypatch.setattr(mathse.judge.load_judge, "load_engine", lambda *words: engine)
    monkeypatch.setattr(mathse.judge.load_judge, "ImageStore", lambda *words: None)
    rows = trajectories(*(trajectory(n, text) for n in range(3) for text in (RIGHT, WRONG)))
    settings = load_params(params)

    def judge(rows: pl.DataFrame, label: str) -> pl.DataFrame:
        return mathse.judge.load_judge.load_judge(Layout(), settings, problems(3), label).judge(
            rows
        )

    found = judge(rows, "score r1")
    assert dict(found.select("response", "orm_status").iter_rows()) == {
        RIGHT: "correct",
        WRONG: "unparseable",
    }, "the verdict quotes the right trajectory alone"
    solved = [request.problem_id for request in engine.requests if request.task == "solve"]
    assert sorted(solved) == sorted(problem_id(number) for number in range(3)), "each once"
    asked = len(engine.requests)
    assert judge(rows, "score r1").equals(found) and len(engine.requests) == asked, (
        "the journal keeps solutions and verdicts"
    )
    later = judge(rows.head(2), "judge reflections r1")
    assert later.height == 2 and len(engine.requests) == asked + 2, (
        "a later stage has no problem solved again"
    )


def test_eval_orm_measures_the_student_alone_attacks_and_a_blank_picture(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, names = write_inputs(solution=True)
    write_table(
        pool.with_columns(split=pl.lit("orm_test")), Layout().problems, sort_by=["problem_id"]
    )
    rows = pl.read_parquet(Layout().orm.rows).with_columns(part=pl.lit("test"))
    write_table(rows, Layout().orm.rows, sort_by=["row_id"])
    # One right row is the teacher's: it is not among the student's trajectories.
    teacher = rows.filter(status="correct", problem_id=names[0])["trajectory_id"].item()
    solved = [
        trajectory(0, row["response"], **{key: row[key] for key in ("trajectory_id", "problem_id")})
        for row in rows.filter(pl.col("trajectory_id") != teacher).iter_rows(named=True)
    ]
    samples = pl.DataFrame(solved, schema=schemas.column_types(schemas.Trajectory))
    samples = samples.with_columns(
        sample_idx=pl.int_range(pl.len()).over("problem_id"), round=pl.lit("r0")
    )
    write_table(samples, Layout().orm.trajectories, sort_by=["problem_id", "sample_idx"])
    engine = Scripted(lambda request: says(request.scored_text or "Mine: 7.", prob=0.9)(request))
    stores: list[Any] = []

    def load_engine(model: object, role: object, images: object, *rest: object) -> Scripted:
        stores.append(images)
        return engine

    monkeypatch.setattr(mathse.judge.load_judge, "load_engine", load_engine)
    eval_orm(Layout())
    found = json.loads(Layout().metrics("eval_orm").read_text())
    assert list(found) == ["orm", "by_family", "student", "attacks", "blank_picture"]
    assert found["orm"]["n"] == 4 and found["student"]["n"] == 3
    assert found["student"]["overall_accuracy"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert found["orm"]["macro_f1_steps"] == pytest.approx(2 / 3 / 2, abs=1e-6)
    assert found["attacks"]["says_correct"]["passed"]["value"] == 1.0
    assert found["attacks"]["empty"]["passed"]["value"] == 0.0
    assert found["blank_picture"]["n"] == 4
    blank = [one for request in engine.requests for one in request.image_ids if "blank" in one]
    assert blank and all(stores[0].get(one)[:4] == b"\x89PNG" for one in blank)
    assert pl.read_parquet(Layout().orm.judgements).height == 4
    asked = len(engine.requests)
    eval_orm(Layout())
    assert len(engine.requests) == asked, "each kind of judging has a journal of its own"
    assert json.loads(Layout().metrics("eval_orm").read_text()) == found


def test_the_likelihood_orm_is_calibrated_on_rows_that_it_did_not_learn(
    params: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = yaml.safe_load(params.read_text())
    values["train_orm"]["form"] = "likelihood"
    params.write_text(yaml.safe_dump(values))
    pool, names = write_inputs(solution=False)  # it needs none
    held_out, learned = names
    monkeypatch.setattr(mathse.judge.calibrate, "is_held_out", lambda name: name == held_out)
    rows = pl.read_parquet(Layout().orm.rows)
    student = rows.filter(status="wrong").select("trajectory_id", "problem_id")
    samples = [trajectory(0, WRONG, **row) for row in student.to_dicts()]
    table = pl.DataFrame(samples, schema=schemas.column_types(schemas.Trajectory))
    table = table.with_columns(round=pl.lit("r0"))
    write_table(table, Layout().orm.trajectories, sort_by=["problem_id", "sample_idx"])
    engine = Scripted(
        lambda request: Completion(request.key, "1", "length", 5, 1, 0.1, scored_lines=(-1.0, -2.0))
    )
    monkeypatch.setattr(mathse.judge.calibrate, "load_engine", lambda *words: engine)
    monkeypatch.setattr(mathse.judge.calibrate, "ImageStore", lambda *words: None)
    Layout().orm.model.mkdir(parents=True)
    fitted: list[Any] = []

    def fit(logs: Any, labels: Any) -> Any:
        fitted.extend((logs, labels))
        return fit_scales(logs, labels)

    monkeypatch.setattr(mathse.judge.calibrate, "fit_scales", fit)
    examples = train(monkeypatch)
    # The wrong one is the student's, the right one the teacher's.
    assert fitted == [{STUDENT: [-3.0], OTHERS: [-3.0]}, {STUDENT: [False], OTHERS: [True]}]
    assert {example.key[0] for example in examples} == {str(names.index(learned))}
    assert [request.problem_id for request in engine.requests] == [held_out] * 2
    assert all("A path." not in json.dumps(request.messages) for request in engine.requests)
    calibration = load_calibration(Layout().orm.model)
    scale = calibration.scales
    assert [*scale] == [STUDENT, OTHERS] and calibration.step_limit < 0
    # One of each kind at the same probability: neither more likely.
    assert scale[STUDENT].p_correct(-3.0) == pytest.approx(0.5, abs=0.01)
