from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mathse.core.errors import ParamError
from mathse.core.params import load_params
from mathse.profiles import apply_profile
from tests.closure import ROOT


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 0", "seed: 0\nsede: 1", "sede is not a parameter"),
        ("  accept: both", "  accept: all", "score.accept"),
        ("  min_p_correct: 0.5", "  min_p_correct: 2", "score.min_p_correct"),
        ("  r1: {prev: r0}", "  1: {prev: r0}", "name rounds r1"),
        ("  r1: {prev: r0}", "  r1: {prev: r3}", "follows itself"),
        ("  r1: {prev: r0}", "  r1: {prev: r9}", "follows r9, which does not exist"),
        (
            "  r1: {prev: r0}",
            "  r1: {prev: r0, generat: false}",
            "rounds.r1.generat is not a parameter",
        ),
    ],
)
def test_faults_are_named_with_file_and_key(folder: Path, old: str, new: str, message: str) -> None:
    file = folder / "params.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(ParamError, match=message) as error:
        load_params(file)
    assert str(file) in str(error.value)


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / "profiles").glob("*.yaml")))
def test_profiles_apply_and_leave_comments(folder: Path, name: str) -> None:
    apply_profile(folder, name)
    text = (folder / "params.yaml").read_text()
    assert "# greedy" in text or "# Every knob" in text
    load_params(folder / "params.yaml")


def test_a_profile_with_an_unknown_key_changes_nothing(folder: Path) -> None:
    before = (folder / "params.yaml").read_text()
    (folder / "profiles" / "odd.yaml").write_text("score: {acept: orm}\n")
    with pytest.raises(ParamError, match="score.acept is not a parameter"):
        apply_profile(folder, "odd")
    assert (folder / "params.yaml").read_text() == before
