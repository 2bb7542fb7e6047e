"""Who annotates the ORM's rows: the roles of one stage share the same GPUs."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import mathse.judge.orm_annotation as module
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.engines.journaled import JournaledEngine
from tests.closure import ROOT


class Named(JournaledEngine):
    """A role's engine that notes when it rests."""

    def __init__(self, name: str, rested: list[str]) -> None:
        self.name, self.rested = name, rested

    def rest(self) -> None:
        self.rested.append(self.name)


def test_while_a_role_works_the_others_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded, rested = list[str](), list[str]()

    def load_role(layout: Layout, params: Any, name: str, problems: Any, label: str) -> Named:
        loaded.append(name)
        return Named(name, rested)

    monkeypatch.setattr(module, "load_role", load_role)
    monkeypatch.setattr(module, "load_prompts", lambda *words: SimpleNamespace())
    params = load_params(ROOT / "params.yaml")
    annotation = module.OrmAnnotation(Layout(tmp_path), params, pl.DataFrame())
    assert not loaded, "a model takes its memory when it works, not before"
    first = annotation._engine("annotator", "annotate")
    assert (loaded, rested) == (["annotator"], [])
    annotation._engine("teacher", "orm teacher")
    assert (loaded, rested) == (["annotator", "teacher"], ["annotator"])
    assert annotation._engine("annotator", "annotate teacher") is first
    assert (loaded, rested) == (["annotator", "teacher"], ["annotator", "teacher"])
    assert first.label == "annotate teacher"  # its work of before stays in another journal
