"""Two rounds through the real `dvc repro`, on smoke params."""

from __future__ import annotations

import csv
import io
import json
import time

import polars as pl
import pytest

import schemas
from mathse.core.tables import read_table
from mathse.curation.ledger import assert_ledger
from tests.pipeline.conftest import Pipeline

pytestmark = pytest.mark.slow
ROUNDS = ("r1", "r2")
TABLES = {
    "trajectories": schemas.Trajectory,
    "verdicts": schemas.Verdict,
    "reflections": schemas.Trajectory,
    "reflection_verdicts": schemas.Verdict,
    "train": schemas.TrainRow,
    "ledger": schemas.LedgerRow,
}


def table(pipeline: Pipeline, name: str) -> pl.DataFrame:
    return read_table(pipeline.folder / "data" / name)


def test_every_table_of_every_round_keeps_its_contract(pipeline: Pipeline) -> None:
    for name in ROUNDS:
        for kind, model in TABLES.items():
            schemas.validate(
                table(pipeline, f"rounds/{name}/{kind}.parquet"), model, file=f"{name}/{kind}"
            )
        graded = schemas.validate(
            table(pipeline, f"eval/{name}/graded.parquet"), schemas.Graded, file=name
        )
        assert dict(graded.group_by("split").len().iter_rows()) == {"eval": 32, "eval_hard": 12}


def test_each_problem_has_one_state_in_each_round(pipeline: Pipeline) -> None:
    problems = (
        table(pipeline, "problems/problems.parquet")
        .filter(pl.col("split") == "train")["problem_id"]
        .to_list()
    )
    previous = table(pipeline, "rounds/r0/ledger.parquet")
    assert previous.filter(pl.col("state") == "distilled").height == 16
    for name in ROUNDS:
        ledger = table(pipeline, f"rounds/{name}/ledger.parquet")
        train = table(pipeline, f"rounds/{name}/train.parquet")
        assert_ledger(ledger, previous=previous, train=train)
        assert sorted(ledger["problem_id"]) == sorted(problems) and len(problems) == 48
        previous = ledger
    assert "remaining" not in previous["state"].to_list()


def test_every_training_row_leads_back_to_where_it_came_from(pipeline: Pipeline) -> None:
    train = table(pipeline, "rounds/r2/train.parquet")
    kinds = [
        f"rounds/{name}/{kind}.parquet"
        for name in ROUNDS
        for kind in ("trajectories", "reflections")
    ]
    paths = pl.concat([table(pipeline, name) for name in ["distill/trajectories.parquet", *kinds]])
    judged = [
        f"rounds/{name}/{kind}.parquet"
        for name in ROUNDS
        for kind in ("verdicts", "reflection_verdicts")
    ]
    verdicts = pl.concat([table(pipeline, name) for name in ["distill/verdicts.parquet", *judged]])
    assert train.height > 16 and "reflection" in train["origin"].to_list()
    own = train.join(paths, on="trajectory_id", how="inner", validate="1:1", suffix="_of_path")
    assert own.height == train.height and (own["response"] == own["response_of_path"]).all()
    assert (
        train.join(verdicts.filter("accepted"), on="trajectory_id", how="semi").height
        == train.height
    )
    parents = own.filter(pl.col("origin") == "reflection").select(trajectory_id="parent_id")
    wrong = verdicts.filter(~pl.col("accepted"))
    assert parents.join(wrong, on="trajectory_id", how="semi").height == parents.height


def test_nothing_runs_again(pipeline: Pipeline) -> None:
    started = time.monotonic()
    again = pipeline.dvc("repro")
    assert "Running stage" not in again and "up to date" in again
    assert list(pipeline.folder.glob("mathse/core/__pycache__/*.pyc")), (
        "compiled modules have to be in the way"
    )
    assert time.monotonic() - started < 60


def test_sql_answers_over_all_rounds(pipeline: Pipeline) -> None:
    sql = "select round, origin, count(*) as n from trajectories group by all order by all"
    rows = list(csv.DictReader(io.StringIO(pipeline.mathse("sql", sql, "--format", "csv"))))
    found = {(row["round"], row["origin"]): int(row["n"]) for row in rows}
    assert found[("r0", "teacher")] == 16
    assert found[("r1", "student")] == 2 * 20  # two samples of each of the 20 problems of a round
    assert ("r1", "reflection") in found


def test_the_summary_names_every_round(pipeline: Pipeline) -> None:
    text = pipeline.mathse("show")
    assert all(name in text for name in ("base", "r0", *ROUNDS))


def test_one_more_round_runs_alone(pipeline: Pipeline) -> None:
    """Of the changed stages only `code` runs here: rounds after r2 run as r2 did."""
    params = pipeline.folder / "params.yaml"
    before = params.read_text()
    params.write_text(before.rstrip() + "\n  r3: {prev: r2}\n")
    assert "Running stage 'code'" in pipeline.dvc("repro", "code")
    changed = set(json.loads(pipeline.dvc("status", "--json")))
    stages = ("generate", "score", "reflect", "refresh", "audit", "merge", "finetune")
    # `code` has checked the names of the rounds; `summarize` and `report` are about all rounds.
    new = {f"{stage}@r3" for stage in (*stages, "predict", "eval")}
    assert changed == new | {"summarize", "report"}
    params.write_text(before)
    pipeline.dvc("repro", "code")
