"""What the stepwise ORM is trained on and asked: the judge's solution comes first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import mathse.judge.load_judge
import mathse.training.loop
import schemas
from mathse.core.errors import DataError
from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.tables import write_table
from mathse.figures.source import build_tables
from mathse.training import TrainReport
from stages.train_orm import train_orm
from tests.closure import ROOT
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
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
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
    for place, name in enumerate(names):
        for wrong in (False, True):
            lines = ["1. A path.", "The answer to this problem is 7."]
            rows.append(
                {
                    "row_id": f"{place}{wrong:d}" + "0" * 14,
                    "trajectory_id": f"{place}{wrong:d}" + "1" * 14,
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

    monkeypatch.setattr(mathse.training.loop, "finetune", fit)
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
