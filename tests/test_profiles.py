from __future__ import annotations

import copy
import re
import shutil
from pathlib import Path

import pytest
import yaml

from mathse.core.errors import ParamError
from mathse.core.params import Params, load_params
from mathse.planning.shapes import CONFIGS, shape_of
from mathse.profiles import (
    _overlay,
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


CONTRADICTIONS = {
    # The first one's annotator names no steps, and the paper's ORM needs them.
    **dict.fromkeys(
        [("offline", "paper"), ("offline", "paper-mini")], r"annotator\.engine.*train_orm\.form"
    ),
    # The models' steps are those of an epoch, and a control needs a number.
    **{
        pair: r"controls.*evolve\.steps is null"
        for model in ("qwen2_5-vl-7b", "qwen3-vl-4b", "qwen3-vl-8b")
        for other in ("control", "tiny-teacher")
        for pair in ((model, other), (other, model))
    },
    **dict.fromkeys(
        [("real", model) for model in ("qwen2_5-vl-7b", "qwen3-vl-4b", "qwen3-vl-8b")],
        r"controls.*evolve\.steps is null",
    ),
}
"""Pairs of profiles, the one that is applied first before the other, and why they are refused."""


def kind_of(name: str) -> str:
    found = re.search(r"^# kind: (\w+)", (ROOT / f"profiles/{name}.yaml").read_text(), re.M)
    return found[1] if found else name


@pytest.mark.parametrize("name", list_profiles(ROOT))
def test_every_profile_and_every_pair_of_kinds_is_valid(name):
    def applied(values, profile):
        values = copy.deepcopy(values)
        _overlay(values, yaml.safe_load((ROOT / f"profiles/{profile}.yaml").read_text()), profile)
        return values

    alone = applied(yaml.safe_load((ROOT / "params.yaml").read_text()), name)
    Params.model_validate(alone)
    for other in list_profiles(ROOT):
        if kind_of(other) != kind_of(name) and (name, other) not in CONTRADICTIONS:
            Params.model_validate(applied(alone, other))
        elif (name, other) in CONTRADICTIONS:
            with pytest.raises(ValueError, match=CONTRADICTIONS[name, other]):
                Params.model_validate(applied(alone, other))


@pytest.fixture
def whole(tmp_path):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return tmp_path


MODELS = [name for name in list_profiles(ROOT) if kind_of(name) == "model"]


@pytest.mark.parametrize("name", MODELS)
def test_profiles_of_models_have_sizes_of_the_paper(whole, name):
    apply_profile(whole, name)
    params = load_params(whole / "params.yaml")
    assert params.finetune.batch_size == params.train_orm.batch_size == 128
    assert params.finetune.weight_decay == 0.05 and params.train_orm.form == "diagnostic"
    assert (params.distill.problems, params.orm_data.max_train) == (100_000, 60_000)
    assert params.generate.max_problems is None and params.reflect.max_problems is None
    advisers = [params.roles[role].engine for role in ("teacher", "annotator", "reflector")]
    assert advisers == ["openai"] * 3 and not params.student.trust_remote_code
    # The limits keep a photo of 12 megapixels within the prompt.
    shape = shape_of(CONFIGS[params.student.model])
    assert shape.picture_tokens(4032 * 3024, params.student.pixels.max) < 2000


def test_models_have_the_rates_of_table_6(whole):
    for name, *wanted in (
        ("qwen2-vl-7b", 1e-5, 0.1, 88_620),
        ("internvl2_5-8b", 2e-5, 0.03, 49_000),
    ):
        apply_profile(whole, name)
        section = load_params(whole / "params.yaml").finetune
        assert [section.learning_rate, section.warmup_ratio, section.steps] == wanted
