from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

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
        ("  feedback: orm", "  feedback: judge", "reflect.feedback"),
        ("  min_p_correct: 0.5", "  min_p_correct: 2", "score.min_p_correct"),
        ("  r1: {prev: r0}", "  1: {prev: r0}", "name rounds r1"),
        ("  r1: {prev: r0}", "  'r1;touch X': {prev: r0}", "cannot name a round"),
        ("  r1: {prev: r0}", "  R1: {prev: r0}", "cannot name a round"),
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


@pytest.mark.parametrize(
    ("changes", "keys"),
    [
        ({"annotator.engine": "answer"}, ["annotator.engine", "train_orm.form"]),
        (
            {
                "annotator.engine": "answer",
                "train_orm.form": "binary",
                "reflect.feedback": "annotator",
            },
            ["reflect.feedback: annotator", "annotator.engine: answer"],
        ),
        (
            {"reflect.feedback": "none", "merge.reflection_rows": True},
            ["reflect.feedback: none", "merge.reflection_rows"],
        ),
        ({"problems.source": "tables"}, ["teacher.engine", "problems.source"]),
        ({"problems.source": "tables"}, ["reflector.engine", "problems.tables is empty"]),
        ({"teacher.engine": "transformers"}, ["teacher.model", "teacher.max_new_tokens"]),
        ({"student.model": None}, ["student.model"]),
        ({"annotator.engine": "dataset"}, ["annotator.engine", "answer"]),
        (
            {"reflector.engine": "student", "reflector.max_new_tokens": None},
            ["reflector.engine", "reflector.max_new_tokens"],
        ),
        ({"orm.engine": "openai"}, ["orm.engine: openai", "score.min_p_correct: 0.5"]),
        ({"merge.select_rows": 1}, ["merge", "select_rows is 1"]),
        ({"orm.pixels": {"min": 9, "max": 4}}, ["orm.pixels", "min 9", "max 4"]),
        ({"eval.splits": ["eval", "test"]}, ["eval.splits", "problems.figures", "test"]),
        ({"eval.splits": ["orm"]}, ["eval.splits", "problems.figures"]),
        ({"finetune.batch_size": 33}, ["finetune.batch_size", "finetune.processes"]),
        ({"finetune.micro_batch_size": 3}, ["finetune.batch_size", "micro_batch_size"]),
    ],
)
def test_contradictions_name_both_keys(
    folder: Path, changes: dict[str, object], keys: list[str]
) -> None:
    values = yaml.safe_load((folder / "params.yaml").read_text())
    for name, value in changes.items():
        section, _, key = name.partition(".")
        values[section][key] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ParamError) as error:
        load_params(folder / "params.yaml")
    assert all(key in str(error.value) for key in keys), str(error.value)


@pytest.mark.parametrize("name", sorted(file.stem for file in (ROOT / "profiles").glob("*.yaml")))
def test_profiles_apply_and_leave_comments(folder: Path, name: str) -> None:
    apply_profile(folder, name)
    text = (folder / "params.yaml").read_text()
    assert "# greedy" in text or "# What the result" in text
    load_params(folder / "params.yaml")


def test_a_profile_with_an_unknown_key_changes_nothing(folder: Path) -> None:
    before = (folder / "params.yaml").read_text()
    (folder / "profiles" / "odd.yaml").write_text("score: {acept: orm}\n")
    with pytest.raises(ParamError, match="score.acept is not a parameter"):
        apply_profile(folder, "odd")
    assert (folder / "params.yaml").read_text() == before
