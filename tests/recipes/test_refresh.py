"""What an ORM that learns from the rounds brings: counts, and the tables that are committed."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import yaml

from recipes.documents import refresh
from recipes.documents.blocks import ROOT
from recipes.paper.runs import Runs


def test_verdicts_are_counted_by_truth() -> None:
    rows = pl.DataFrame(
        {
            "truth": ["right", "right", "wrong", "wrong", "wrong", "unreadable"],
            "passed": [True, False, True, False, False, True],
            "p_correct": [0.9, 0.4, 0.8, 0.1, None, 0.5],
        }
    )
    found = refresh.counts_of(rows)
    assert (found["n"], found["right"], found["wrong"]) == (6, 2, 3)
    assert found["right_passed"] == 0.5 and found["wrong_passed"] == pytest.approx(1 / 3)
    assert found["roc_auc"] == 0.75  # of four pairs, 0.4 is below 0.8 in one
    assert refresh.counts_of(rows.filter(truth="right"))["roc_auc"] is None


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "never-s0"),
        ({"orm": {"refresh": "own_rows"}, "seed": 2}, "own_rows-s2"),
        ({"score": {"accept": "answer"}}, "answer-s0"),
    ],
)
def test_a_run_is_kept_by_its_arm_with_the_params_that_arms_share(
    changes: dict[str, dict[str, str] | int],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for key, value in changes.items():
        params[key] = params[key] | value if isinstance(value, dict) else value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")
    models = {model: {} for model in ("base", "r0", "r1", "r2", "r3", "control")}
    monkeypatch.setattr(refresh, "ROOT", tmp_path)
    monkeypatch.setattr(refresh, "result_of", lambda _: {"models": models})
    monkeypatch.setattr(refresh, "verdicts_of", lambda *_: {})
    file = refresh.keep(tmp_path)
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert file == tmp_path / f"results/refresh/{name}.json"
    assert [*kept["models"]] == ["r0", "r1", "r2", "r3"]
    committed = json.loads((ROOT / "results/refresh/never-s0.json").read_text(encoding="utf-8"))
    assert kept["params"] == committed["params"]


def test_runs_with_other_params_are_refused() -> None:
    runs = Runs({"never": {0: {"params": "a"}}, "round": {0: {"params": "b"}}})
    with pytest.raises(ValueError, match="never s0; round s0"):
        runs.check_params()


def test_the_committed_tables_are_those_of_the_runs_that_are_kept() -> None:
    runs = Runs.load(refresh.kept())
    runs.check_params()
    assert {"never", "round"} <= runs.by_arm.keys()
    for name, content in refresh.contents(runs).items():
        committed = json.loads((ROOT / f"results/{name}.json").read_text())
        assert committed["columns"] == content["columns"]
        assert committed["rows"] == json.loads(json.dumps(content["rows"])), name
