"""What a judge's failed requests leave in the metrics of score and reflect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import schemas
import stages.reflect
import stages.score
from mathse.core.layout import Layout
from mathse.core.stage_tables import empty, read_problems
from mathse.core.tables import write_table
from mathse.curation.ledger import initial_ledger
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Completion, Request
from mathse.judge.judging import Judge
from stages.problems import problems as make_problems
from tests.closure import oracle_params
from tests.judge.trajectories import Scripted, says, trajectories, trajectory

WRONG = "1. No.\nThe answer to this problem is 99999."


def failing(layout: Layout, name: str) -> Callable[..., Judge]:
    """Return what loads a judge; its requests about the first problem fail."""

    def say(request: Request) -> Completion:
        if request.problem_id == read_problems(layout, "train")["problem_id"].min():
            return Completion.failed(request.key, "Server busy", kind="retryable")
        verdict = '{"status": "WRONG", "error_step": 1, "error_analysis": "No."}'
        return says(verdict.removeprefix(request.prefix))(request)

    def load(layout: Layout, params: Any, problems: pl.DataFrame, *_: Any, **__: Any) -> Judge:
        engine = JournaledEngine(Scripted(say), layout.journal(name), name)
        return Judge(engine, problems, "diagnostic", 64, errors_max_share=0.5)

    return load


def test_they_are_counted_by_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    values = oracle_params()
    values["problems"]["figures"] = {"train": 4, "orm": 2, "orm_test": 2, "eval": 2, "eval_hard": 2}
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    layout = Layout()
    make_problems(layout)
    names = read_problems(layout, "train")["problem_id"].sort().to_list()
    first, files = layout.round("r0"), layout.round("r1")
    ledger = initial_ledger(names, [], contaminated=set())
    write_table(ledger, first.ledger, sort_by=["problem_id"])
    write_table(empty(schemas.Mistake), first.mistakes, sort_by=["problem_id"])
    rows = [trajectory(0, WRONG) | {"problem_id": name, "trajectory_id": name} for name in names]
    write_table(trajectories(*rows), files.trajectories, sort_by=["problem_id"])
    # One of four requests fails in each stage.
    for stage, function in (
        (stages.score, stages.score.score),
        (stages.reflect, stages.reflect.reflect_stage),
    ):
        name = stage.__name__.rpartition(".")[2]
        monkeypatch.setattr(stage, "load_judge", failing(layout, name))
        function(layout, "r1")
        counts = json.loads(layout.metrics(name, "r1").read_text(encoding="utf-8"))["r1"]
        assert counts["judge_failed"] == {"retryable": 1}, name
        assert counts["failed"] == {}, name
