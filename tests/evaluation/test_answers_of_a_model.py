"""What a model answers to evaluation splits and canary, with an engine of given texts."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

import schemas
from mathse.core.errors import DataError
from mathse.core.params import Params
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Completion, Request
from mathse.evaluation.answer_splits import answer_splits
from mathse.evaluation.canary import ask_canary, canary_metrics
from mathse.figures.canary import build_canary
from mathse.figures.source import build_tables
from tests.closure import ROOT
from tests.judge.trajectories import Scripted, says

VALUES = yaml.safe_load((ROOT / "params.yaml").read_text())


def params(**sections: dict[str, object]) -> Params:
    changed = {name: VALUES[name] | values for name, values in sections.items()}
    return Params.model_validate(VALUES | {"errors_max_share": 0.5} | changed)


def test_a_canary_answer_is_right_if_it_is_the_same_text(tmp_path: Path) -> None:
    questions, _ = build_canary(6, seed=0)
    answers = dict(questions.select("problem_id", "answer").iter_rows())
    names = questions["problem_id"].to_list()  # descriptions and sums in turn

    def say(request: Request) -> Completion:
        text = answers[request.problem_id]
        text = f"  {text}\n" if request.problem_id == names[0] else text
        text = f"{text} And more." if request.problem_id == names[2] else text
        kind = "error" if request.problem_id == names[1] else "stop"
        return says(text, kind)(request)

    student = JournaledEngine(Scripted(say), tmp_path, "canary")
    found = ask_canary(student, questions, params(), "base")
    schemas.validate(found, schemas.CanaryAnswer, file="canary")
    assert found["correct"].to_list() == [True, False, False, True, True, True]
    assert canary_metrics(found) == {"descriptions": pytest.approx(2 / 3), "sums": 2 / 3}


def test_each_split_is_answered_up_to_the_limit(tmp_path: Path) -> None:
    problems, _ = build_tables({"eval": 5, "eval_hard": 2}, seed=0)
    student = JournaledEngine(Scripted(says("The answer is 1.")), tmp_path, "predict")
    all_of_them = answer_splits(student, problems, params(), "r1")
    assert sorted(all_of_them["problem_id"]) == sorted(problems["problem_id"])
    few = answer_splits(student, problems, params(eval={"limit": 3}), "r1")
    schemas.validate(few, schemas.Prediction, file="predictions")
    counts = dict(few.group_by("split").len().sort("split").iter_rows())
    assert counts == {"eval": 3, "eval_hard": 2}
    first = problems.group_by("split", maintain_order=True).head(3)
    assert few.join(first, on=["problem_id", "split"], how="semi").height == few.height


def test_too_many_failures_stop_both(tmp_path: Path) -> None:
    problems, _ = build_tables({"eval": 2}, seed=0)
    questions, _ = build_canary(2, seed=0)
    student = JournaledEngine(Scripted(says("", "error")), tmp_path, "predict base")
    for rows, ask in ((problems, answer_splits), (questions, ask_canary)):
        with pytest.raises(DataError, match="predict base: 2 of 2 requests failed"):
            ask(student, rows, params(), "base")
