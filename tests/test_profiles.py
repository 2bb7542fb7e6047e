from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mathse.core.errors import ParamError
from mathse.core.params import load_params
from mathse.profiles import (
    applied_profiles,
    apply_profile,
    list_profiles,
    plan_profile,
    undo_profile,
)
from tests.closure import ROOT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    (tmp_path / "profiles").mkdir()
    for name, head, body in (
        ("small", "# Small.\n# kind: size\n# Learns little.\n", "seed: 1\neval: {limit: 10}\n"),
        ("large", "# Large.\n# kind: size\n", "seed: 2\ngenerate: {samples: 9}\n"),
        ("greedy", "# Greedy.\n", "generate: {temperature: 0.0}\nrounds: {last: {prev: r0}}\n"),
    ):
        (tmp_path / "profiles" / f"{name}.yaml").write_text(head + body)
    return tmp_path


def names(root: Path) -> list[str]:
    return [entry.name for entry in applied_profiles(root)]


def test_profiles_are_listed_with_their_first_line(root):
    assert list_profiles(root) == {"greedy": "Greedy.", "large": "Large.", "small": "Small."}


def test_a_plan_writes_nothing_and_names_each_change(root):
    text = (root / "params.yaml").read_text()
    plan = plan_profile(root, "small")
    assert [key for key, *_ in plan.changes()] == ["seed", "eval.limit"]
    assert (root / "params.yaml").read_text() == text and names(root) == []


def test_undo_restores_every_byte(root):
    text = (root / "params.yaml").read_text()
    apply_profile(root, "small")
    apply_profile(root, "greedy")
    assert names(root) == ["small", "greedy"]
    assert (undo_profile(root), undo_profile(root)) == ("greedy", "small")
    assert (root / "params.yaml").read_text() == text
    with pytest.raises(ParamError, match="No profile is applied"):
        undo_profile(root)


def test_undo_keeps_what_was_edited_since(root):
    apply_profile(root, "small")
    file = root / "params.yaml"
    text = file.read_text().replace("  samples: 3 ", "  samples: 5 ").replace("seed: 1", "seed: 7")
    file.write_text(text)
    undo_profile(root)
    params = load_params(file)
    assert (params.seed, params.generate.samples, params.eval.limit) == (7, 5, None)
    assert "# trajectories per" in file.read_text()


def test_a_second_profile_of_one_kind_replaces_the_first(root):
    apply_profile(root, "small")
    apply_profile(root, "greedy")
    plan = apply_profile(root, "large")
    params = load_params(root / "params.yaml")
    assert plan.replaced == ["small"] and names(root) == ["greedy", "large"]
    assert (params.seed, params.generate.samples, params.eval.limit) == (2, 9, None)
    assert params.generate.temperature == 0.0 and list(params.rounds) == ["last"]


def test_the_same_profile_twice_is_applied_once(root):
    apply_profile(root, "small")
    text = (root / "params.yaml").read_text()
    assert apply_profile(root, "small").replaced == []
    assert names(root) == ["small"] and (root / "params.yaml").read_text() == text


def test_a_profile_whose_values_were_changed_back_no_longer_counts(root):
    text = (root / "params.yaml").read_text()
    apply_profile(root, "small")
    (root / "params.yaml").write_text(text)
    assert names(root) == []


def test_an_invalid_value_names_the_file_of_params_and_changes_nothing(root):
    (root / "profiles/odd.yaml").write_text("# Odd.\nscore: {accept: all}\n")
    text = (root / "params.yaml").read_text()
    with pytest.raises(ParamError, match="score.accept") as error:
        apply_profile(root, "odd")
    assert str(root / "params.yaml") in str(error.value)
    assert (root / "params.yaml").read_text() == text and names(root) == []


def test_the_profiles_here_have_a_comment():
    assert all(list_profiles(ROOT).values())


def test_one_model_is_not_piled_on_another(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    apply_profile(tmp_path, "internvl2_5-8b")
    alone = (tmp_path / "params.yaml").read_text()
    undo_profile(tmp_path)
    apply_profile(tmp_path, "qwen2-vl-7b")
    assert apply_profile(tmp_path, "internvl2_5-8b").replaced == ["qwen2-vl-7b"]
    assert (tmp_path / "params.yaml").read_text() == alone
