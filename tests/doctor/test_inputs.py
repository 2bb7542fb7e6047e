"""What the stages would not read is found before they run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from mathse.core.layout import Layout
from mathse.core.machine import Machine
from mathse.core.params import Params
from mathse.doctor import checks
from mathse.doctor.finding import Check
from mathse.prompts.roles import BUILT_IN
from tests.datasets.test_import_records import bring
from tests.doctor.test_checks import params

OFFLINE: dict[str, dict[str, Any]] = {
    "teacher": {"engine": "dataset"},
    "annotator": {"engine": "answer"},
    "reflector": {"engine": "student", "max_new_tokens": 9},
    "train_orm": {"form": "binary"},
}
KEPT = ("check_tables", "check_embedded", "check_prompts")


def tables(source: str = "tables", **roles: dict[str, Any]) -> Params:
    splits = ("train", "eval", "eval_hard")
    listed = [{"path": "data/import/mine", "use": use} for use in splits]
    return params(problems={"source": source, "tables": listed}, **roles)


def found(
    asked: Params, folder: Path, subject: str, monkeypatch: pytest.MonkeyPatch
) -> list[Check]:
    """Return the findings about a subject; the other checks find nothing."""
    for name in vars(checks).copy():
        if name.startswith("check_") and name not in KEPT:
            monkeypatch.setattr(checks, name, lambda *_: [])
    listed = checks.run_checks(asked, Machine(), Layout(folder))
    return [check for check in listed if check.subject == subject]


def test_an_import_that_problems_would_refuse_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tables(**OFFLINE)
    (missing,) = found(asked, tmp_path, "import data/import/mine", monkeypatch)
    assert missing.state == "fails" and "holds no finished import" in missing.finding
    folder = bring(tmp_path, "1")
    (good,) = found(asked, tmp_path, "import data/import/mine", monkeypatch)
    assert good.state == "ok"
    (folder / "notes.txt").write_text("x")
    (changed,) = found(asked, tmp_path, "import data/import/mine", monkeypatch)
    assert changed.state == "fails" and "not those that were imported" in changed.finding


def test_tables_that_are_not_read_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (note,) = found(tables("figures"), tmp_path, "problems.tables", monkeypatch)
    assert note.state == "note" and note.finding.startswith("3 are not read: problems.source is")
    assert not found(params(), tmp_path, "problems.tables", monkeypatch)


def test_prompts_that_stages_would_refuse_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = params(prompts={"folder": "mine"})
    (missing,) = found(asked, tmp_path, "prompts", monkeypatch)
    assert missing.state == "fails" and "solve.en.txt cannot be read" in missing.finding
    shutil.copytree(BUILT_IN, tmp_path / "mine")
    (good,) = found(asked, tmp_path, "prompts", monkeypatch)
    assert good.state == "ok" and "mine" in good.finding
    (tmp_path / "mine" / "solve.zh.txt").write_text("$problme")
    (wrong,) = found(asked, tmp_path, "prompts", monkeypatch)
    assert wrong.state == "fails" and "must have the fields $problem" in wrong.finding


def test_embedded_models_on_other_problems_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = {"engine": "transformers", "model": "models/tiny-teacher"}
    asked = tables(**OFFLINE | {"teacher": embedded | {"max_new_tokens": 9}})
    (note,) = found(asked, tmp_path, "model of teacher", monkeypatch)
    assert note.state == "note"
    assert note.finding.startswith("models/tiny-teacher knows the built-in problems alone")
    # An engine that runs no model, another model, and the built-in problems need no note.
    assert not found(tables(**OFFLINE), tmp_path, "model of teacher", monkeypatch)
    other = embedded | {"model": "models/mine", "max_new_tokens": 9}
    asked = tables(**OFFLINE | {"teacher": other})
    assert not found(asked, tmp_path, "model of teacher", monkeypatch)
    asked = params(teacher=embedded | {"max_new_tokens": 9})
    assert not found(asked, tmp_path, "model of teacher", monkeypatch)


@pytest.mark.parametrize("damaged", ["problems.parquet", "images/00000.parquet"])
def test_a_damaged_table_of_an_import_is_named(
    damaged: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bring(tmp_path, "1")
    assert not found(tables(**OFFLINE), tmp_path, "plan", monkeypatch)
    special = tmp_path / "a[1]"
    special.mkdir()
    shutil.copytree(tmp_path / "data", special / "data")
    assert not found(tables(**OFFLINE), special, "plan", monkeypatch)
    file = folder / damaged
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"PAR1 broken")
    (check,) = found(tables(**OFFLINE), tmp_path, "plan", monkeypatch)
    assert check.state == "fails"
    assert "not readable as Parquet" in check.finding and str(file) in check.finding
