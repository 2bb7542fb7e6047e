from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from mathse.report.plot_tables import accuracy_by_round, loss_by_step, result_metrics
from tests.closure import ROOT
from tests.report.world import build


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = build(tmp_path_factory.mktemp("run") / "data")
    (data / "curves").mkdir()
    for name in ("r1", "r0", "orm", "control"):
        text = "step\tloss\tlearning_rate\n10\t2.5\t0.1\n20\t1.5\t0.1\n"
        (data / "curves" / f"{name}.tsv").write_text(text)
    return data


def test_accuracy_by_round_in_percent_and_in_order(data):
    table = accuracy_by_round(data / "eval", ["r1"])
    assert table.columns == ["round", "split", "n", "accuracy", "low", "high"]
    assert table["round"].unique(maintain_order=True).to_list() == ["base", "r0", "r1"]
    row = table.filter(round="r1", split="eval").row(0, named=True)
    assert (row["n"], row["accuracy"]) == (40, 75.0) and row["low"] < 75 < row["high"]
    assert "control" in accuracy_by_round(data / "eval", ["r1", "control"])["round"]


def test_loss_of_rounds_and_orm(data):
    table = loss_by_step(data / "curves", ["r1"])
    assert table["round"].unique(maintain_order=True).to_list() == ["r0", "r1", "orm"]
    assert table.filter(round="orm").rows() == [("orm", 10, 2.5), ("orm", 20, 1.5)]


@pytest.mark.slow
def test_dvc_draws_both_and_shows_few_metrics_without_a_warning(data, tmp_path):
    def dvc(*words: str) -> str:
        command = [sys.executable, "-m", "dvc", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        assert "WARNING" not in done.stderr and "failed" not in done.stderr, done.stderr
        return done.stdout

    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    dvc("init", "-q")
    shutil.copytree(ROOT / ".dvc/plots", tmp_path / ".dvc/plots", dirs_exist_ok=True)
    (tmp_path / "metrics/eval").mkdir(parents=True)
    accuracy_by_round(data / "eval", ["r1"]).write_csv(tmp_path / "metrics/accuracy.csv")
    loss_by_step(data / "curves", ["r1"]).write_csv(tmp_path / "metrics/loss.csv")
    values = {"eval": {"accuracy": 0.5, "change": 0.1}, "details": [{"n": 7}]}
    (tmp_path / "metrics/eval/r1.json").write_text(json.dumps(values))
    plots = yaml.safe_load((ROOT / "dvc.yaml").read_text())["plots"]
    content = {"metrics": ["metrics/eval/r1.json"], "plots": plots}
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump(content))
    assert dvc("metrics", "show").splitlines()[0].split() == [
        "Path",
        "eval.accuracy",
        "eval.change",
    ]
    dvc("plots", "show")
    page = (tmp_path / "dvc_plots/index.html").read_text()
    assert "var spec = {}" not in page
    assert '"accuracy": "75.0"' in page and '"loss": "2.5"' in page and '"high"' in page


def test_the_result_is_the_last_round_and_what_it_gained(data):
    table = accuracy_by_round(data / "eval", ["r1", "control"])
    assert result_metrics(table, ["r1"]) == {
        "eval": 75.0,
        "eval_gain": 50.0,
        "eval_hard": 75.0,
        "eval_hard_gain": 50.0,
    }


def test_dvc_shows_a_handful_of_metrics():
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].values()
    shown = [name for stage in stages for name in stage.get("do", stage).get("metrics", [])]
    assert shown == [{"metrics/result.json": {"cache": False}}]
