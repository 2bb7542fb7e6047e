"""A round that is worse than the one before, and general skills that are forgotten."""

from __future__ import annotations

import io
import json
from contextlib import nullcontext
from pathlib import Path

import polars as pl
import pytest
import yaml

import schemas
from mathse.core.errors import DataError
from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.stage_tables import write
from mathse.core.tables import read_table, write_table
from mathse.evaluation.accuracy import GRADED
from mathse.evaluation.gate import explain_worse, pass_gate, worse_splits, write_gate
from mathse.figures.canary import SUMS_AT_ONCE, build_canary
from mathse.figures.source import build_tables
from mathse.report.canary_table import render_canary
from stages.eval import evaluate
from stages.predict import predict
from tests.closure import ROOT, oracle_params
from tests.judge.trajectories import problem_id, problems


def graded(right: range, n: int = 60, split: str = "eval") -> pl.DataFrame:
    rows = [
        {
            "problem_id": problem_id(index),
            "round": "r1",
            "split": split,
            "cluster": problem_id(index),
            "predicted_answer": "7",
            "answer_state": "match" if index in right else "mismatch",
            "correct": index in right,
        }
        for index in range(n)
    ]
    return pl.DataFrame(rows, schema=GRADED)


def test_only_a_split_that_is_surely_worse_counts():
    before = pl.concat([graded(range(40)), graded(range(40), split="eval_hard")])
    after = pl.concat([graded(range(20)), graded(range(38), split="eval_hard")])
    assert set(worse_splits(before, after, seed=0)) == {"eval"}
    assert worse_splits(after, before, seed=0) == {}


def test_the_warning_says_what_changed_and_how_to_go_on():
    worse = worse_splits(graded(range(40)), graded(range(20)), seed=0)
    text = explain_worse("r2", "r1", worse)
    for part in ("r2 is WORSE than r1", "-33.3 points", "20 problems lost and 0 gained of 60"):
        assert part in text
    for command in ("mathse diff r1 r2", "{prev: r1}", "dvc exp run -S", "eval.gate: warn"):
        assert command in text


def test_the_gate_stops_the_next_round_or_is_always_the_same_file(tmp_path):
    gate = tmp_path / "eval" / "r1" / "gate.json"
    write_gate(gate, None)
    pass_gate(gate)
    assert json.loads(gate.read_text()) == {"stop": None}
    write_gate(gate, "r1 is WORSE than r0:")
    with pytest.raises(DataError, match=r"stops here(.|\n)*r1 is WORSE"):
        pass_gate(gate)


def test_the_canary_has_draws_of_its_own():
    questions, images = build_canary(8, seed=3)
    assert questions["skill"].to_list() == ["descriptions", "sums"] * 4 and images.height == 4
    assert questions.equals(build_canary(8, seed=3)[0])
    assert not questions.equals(build_canary(8, seed=4)[0])
    assert questions["problem_id"].n_unique() == 8
    sums = questions.filter(skill="sums").row(0, named=True)
    assert sums["question"].count("=?") == SUMS_AT_ONCE == sums["answer"].count("=")
    assert questions.filter(skill="descriptions")["image_ids"].list.len().to_list() == [1] * 4


def params_of(folder: Path, questions: int) -> Layout:
    """Write params and two problems to answer; a canary of so many questions."""
    values = oracle_params()
    values["canary"] = {"problems": questions, "max_new_tokens": 160}
    values["student"]["model"] = str(ROOT / "models/tiny-base")
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    layout = Layout(folder)
    rows, images = build_tables({"eval": 2, "eval_hard": 1}, seed=0)
    types = schemas.column_types(schemas.Problem)
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    write(rows, layout.problems, schemas.Problem, sort_by=["problem_id"])
    write_images(images, layout.images)
    return layout


def test_the_base_model_has_the_skills(tmp_path):
    layout = params_of(tmp_path, 8)
    predict(layout, "base")
    assert read_table(layout.eval("base").predictions).height == 3
    rows = read_table(layout.eval("base").canary)
    assert rows.height == 8 and rows["correct"].sum() >= 6
    assert json.loads(layout.metrics("canary", "base").read_text())["sums"] >= 0.5
    # A model that answers otherwise has forgotten.
    wrong = rows.with_columns(round=pl.lit("r1"), correct=pl.lit(False))
    write_table(wrong, layout.eval("r1").canary, sort_by=["skill", "problem_id"])
    out = io.StringIO()
    render_canary(tmp_path / "data", out)
    header, _, descriptions, sums = out.getvalue().strip().splitlines()
    assert header.split() == ["general", "skills", "base", "r1"]
    assert "0.0 [0.0" in descriptions and "0.0 [0.0" in sums


def test_without_questions_nothing_is_shown(tmp_path):
    layout = params_of(tmp_path, 0)
    predict(layout, "base")
    assert read_table(layout.eval("base").canary).height == 0
    assert json.loads(layout.metrics("canary", "base").read_text()) == {}
    out = io.StringIO()
    render_canary(tmp_path / "data", out)
    assert out.getvalue() == ""


def test_five_lost_of_five_may_be_chance_and_six_of_six_are_not():
    before = graded(range(40))
    assert worse_splits(before, graded(range(35)), seed=0) == {}, "p = 0.0625"
    assert set(worse_splits(before, graded(range(34)), seed=0)) == {"eval"}, "p = 0.03125"


@pytest.mark.parametrize("gate", ["warn", "stop"])
def test_a_worse_round_stops_the_run_only_where_params_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], gate: str
) -> None:
    values = oracle_params()
    values["eval"]["gate"] = gate
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    layout, types = Layout(tmp_path), schemas.column_types(schemas.Prediction)
    pool = problems(8).with_columns(split=pl.lit("eval"))
    write_table(pool, layout.problems, sort_by=["problem_id"])
    before = graded(range(8), 8)
    write_table(before, layout.eval("r0").graded, sort_by=["problem_id"])
    said = {"round": "r1", "response": "The answer is 5.", "finish_reason": "stop"}
    given = {name: pl.lit(said.get(name), dtype) for name, dtype in types.items()}
    kept = {name: pl.col(name) for name in ("problem_id", "split")}
    answers = before.select(**given | {"response_tokens": pl.lit(5, pl.Int64)} | kept)
    write_table(answers, layout.eval("r1").predictions, sort_by=["problem_id"])
    evaluate(layout, "r1")
    assert "r1 is WORSE than r0" in capsys.readouterr().err
    with pytest.raises(DataError, match="stops here") if gate == "stop" else nullcontext():
        pass_gate(layout.eval("r1").gate)
