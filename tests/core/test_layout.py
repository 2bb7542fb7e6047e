from __future__ import annotations

from pathlib import Path

import pytest

from mathse.core.layout import Layout


def test_every_path_lies_below_the_root(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert layout.problems == tmp_path / "data/problems/problems.parquet"
    assert layout.round("r1").train == tmp_path / "data/rounds/r1/train.parquet"
    assert layout.round("control").model == tmp_path / "data/control/model"
    assert layout.metrics("score", "r1") == tmp_path / "metrics/score/r1.json"
    assert layout.journal("score r1") == tmp_path / ".mathse/journal/score-r1"
    assert str(Layout().eval("*").graded) == "data/eval/*/graded.parquet"


def test_asked_paths_are_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATHSE_LAYOUT_LOG", str(tmp_path / "log"))
    Layout().orm.rows, Layout().metrics("eval", "r0"), Layout().orm  # noqa: B018
    lines = (tmp_path / "log").read_text().splitlines()
    paths = [line.split("\t")[1] for line in lines]
    assert paths == ["data/orm/data/rows.parquet", "metrics/eval/r0.json"]
