"""`make results` writes the figures of a run, and the documents show them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from recipes.documents import blocks, results
from tests.report.world import CORRECT, N_EVAL, build


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a small finished run."""
    for name in ("params.yaml", "metrics/eval_orm.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(blocks.ROOT / name, tmp_path / name)
    params = (tmp_path / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(params.replace("controls: []", "controls: [control]"))
    (tmp_path / "results").mkdir()
    build(tmp_path / "data")
    # The student tried two problems for the ORM, one of them twice, and one of its test.
    problems = pl.read_parquet(tmp_path / "data/problems/problems.parquet")
    names = {"problem_id": ["a", "b", "c"], "split": ["orm", "orm", "orm_test"]}
    both = pl.concat([problems, pl.DataFrame(names)], how="diagonal_relaxed")
    both.write_parquet(tmp_path / "data/problems/problems.parquet")
    (tmp_path / "data/orm/data").mkdir(parents=True, exist_ok=True)
    tried = pl.DataFrame({"problem_id": ["a", "a", "b", "c"]})
    tried.write_parquet(tmp_path / "data/orm/data/trajectories.parquet")
    monkeypatch.setattr(blocks, "ROOT", tmp_path)
    monkeypatch.setattr(results, "ROOT", tmp_path)
    return tmp_path


def test_a_run_becomes_tables(run: Path) -> None:
    results.main()
    rounds = blocks.load("default-rounds")
    accuracy = {row[0]: row[1][0] for row in rounds["rows"]}
    assert accuracy == {
        name: pytest.approx(100 * right / N_EVAL) for name, right in CORRECT.items()
    }
    gold = {row[0]: row[-1] for row in rounds["rows"]}
    asked = pl.read_parquet(run / "data/distill/trajectories.parquet")["problem_id"].n_unique()
    states = pl.read_parquet(run / "data/rounds/r1/ledger.parquet")["state"]
    tried = states.is_in(["accepted", "reflected", "hard"]).sum()
    assert gold["base"] == 0 < gold["r0"] == gold["control"] == asked
    assert gold["r1"] == asked + 2 + tried > asked + 2
    contrasts = blocks.load("default-contrasts")["rows"]
    found = next(row for row in contrasts if row[1:3] == ["r0", "eval"])
    assert found[0] == "r1" and found[3][0] == pytest.approx(50.0)
    assert 0 < found[4] < 1e-4  # in full precision, not 0.0
    metrics = json.loads((run / "metrics/eval_orm.json").read_text())
    assert blocks.load("default-orm")["rows"][0][2] == metrics["orm"]["n"]


def test_origin_of_a_run(run: Path) -> None:
    results.main()
    content = json.loads((run / "results/default-rounds.json").read_text())
    assert content["seed"] == 0 and content["machine"].endswith("cores")


def test_the_calls_of_a_function_are_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "ROOT", tmp_path)
    text = "def one(x):\n    # First.\n    y = two(\n        x,\n    )\n    return y\n"
    (tmp_path / "loop.py").write_text(text)
    assert blocks.render("calls", "loop.py#one") == "```python\n# First.\ny = two(x)\n```\n"
    assert blocks.render("file", "loop.py") == f"```python\n{text.rstrip()}\n```\n"
