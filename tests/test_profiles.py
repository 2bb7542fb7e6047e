from __future__ import annotations

import copy
import json
import re
import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import ParamError
from mathse.core.params import Params, load_params
from mathse.planning.shapes import CONFIGS, shape_of
from mathse.profiles import (
    RECORD,
    Undone,
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
    assert (undo_profile(root).name, undo_profile(root).name) == ("greedy", "small")
    assert (root / "params.yaml").read_text() == text
    with pytest.raises(ParamError, match="No profile is applied"):
        undo_profile(root)


def test_undo_keeps_what_was_edited_since(root):
    apply_profile(root, "small")
    file = root / "params.yaml"
    text = file.read_text().replace("  samples: 3 ", "  samples: 5 ").replace("seed: 1", "seed: 7")
    file.write_text(text)
    assert undo_profile(root) == Undone("small", ["seed"], [])
    params = load_params(file)
    assert (params.seed, params.generate.samples, params.eval.limit) == (7, 5, None)
    assert "# trajectories per" in file.read_text()


def test_undo_names_the_profile_that_was_replaced(root):
    text = (root / "params.yaml").read_text()
    apply_profile(root, "small")
    apply_profile(root, "large")
    assert undo_profile(root) == Undone("large", [], ["small"])
    assert (root / "params.yaml").read_text() == text


def test_a_profile_that_covers_another_says_so(root):
    (root / "profiles" / "hot.yaml").write_text("# Hot.\ngenerate: {temperature: 2.0}\nseed: 5\n")
    apply_profile(root, "greedy")
    apply_profile(root, "small")
    plan = apply_profile(root, "hot")
    covered = {"greedy": ["generate.temperature"], "small": ["seed"]}
    assert dict(plan.overridden()) == covered
    assert dict(plan_profile(root, "large").overridden()) == {"hot": ["seed"]}


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


def test_a_profile_that_a_later_one_covers_is_taken_back_too(whole):
    text = (whole / "params.yaml").read_text()
    apply_profile(whole, "offline")
    apply_profile(whole, "qwen3-vl-4b")
    assert names(whole) == ["offline", "qwen3-vl-4b"]
    assert (undo_profile(whole).name, undo_profile(whole).name) == ("qwen3-vl-4b", "offline")
    assert (whole / "params.yaml").read_text() == text


def test_what_is_applied_on_a_replaced_profile_is_set_again(root):
    # "over" sets a value that "small" has set, and covers another one.
    (root / "profiles/over.yaml").write_text(
        "# Over.\nseed: 1\neval: {limit: 20}\nfinetune: {steps: 9}\n"
    )
    for name in ("small", "over"):
        apply_profile(root, name)
    file = root / "params.yaml"
    file.write_text(file.read_text().replace("limit: 20", "limit: 30"))
    assert apply_profile(root, "small").replaced == []
    assert names(root) == ["over", "small"]
    undo_profile(root)
    params = load_params(file)
    assert (params.seed, params.eval.limit, params.finetune.steps) == (1, 30, 9)
    undo_profile(root)
    assert load_params(file).seed == load_params(ROOT / "params.yaml").seed


def test_undo_leaves_out_keys_and_sections_that_are_gone(root):
    apply_profile(root, "small")
    file, record = root / "params.yaml", json.loads((root / RECORD).read_text())
    for key, value in (("before", "400"), ("after", "null")):
        old = record[0][key] + f"former: {{steps: {value}}}\n"
        record[0][key] = old.replace("finetune:\n", f"finetune:\n  first_steps: {value}\n")
    del record[0]["profile"]  # as 0.1.0 wrote it
    (root / RECORD).write_text(json.dumps(record))
    assert undo_profile(root) == Undone("small", [], [])
    assert load_params(file) == load_params(ROOT / "params.yaml")


VALUES = st.fixed_dictionaries(
    {}, optional={key: st.sampled_from([None, 0, 1, 2, {"x": 1}]) for key in "abc"}
)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(VALUES, VALUES, st.sampled_from(["", "# kind: k\n"])), min_size=4, max_size=4
    ),
    st.lists(st.sampled_from([0, 1, 2, 3, None]), max_size=7),
)
def test_any_sequence_of_profiles_is_undone(tmp_path_factory, contents, sequence):
    """None takes one back in between."""
    root = tmp_path_factory.mktemp("root")
    (root / "profiles").mkdir()
    for number, (values, section, kind) in enumerate(contents):
        text = f"# {number}\n{kind}" + yaml.safe_dump({**values, "s": section})
        (root / f"profiles/{number}.yaml").write_text(text)
    first = "a: null\nb: 0\nc: 1  # c\ns: {a: 1, b: null, c: 2}\n"
    (root / "params.yaml").write_text(first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mathse.profiles.load_params", lambda path: None)
        for number in sequence:
            if number is not None:
                apply_profile(root, str(number))
                values, _, _ = contents[number]
                assert yaml.safe_load((root / "params.yaml").read_text()).items() >= values.items()
            elif names(root):
                undo_profile(root)
        while names(root):
            undo_profile(root)
    assert yaml.safe_load((root / "params.yaml").read_text()) == yaml.safe_load(first)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"seed: 1\nseed: 2\n", "line 2: not valid YAML: found duplicate key"),
        (b"seed: 1\n\teval: 2\n", "line 2: not valid YAML"),
        (b"- 1\n", "not valid YAML: keys with values"),
        (b"", "is empty"),
        ("seed: 1\n# Größe\n".encode("latin-1"), "line 2: the text is not UTF-8"),
        ("seed: 1\n".encode("utf-16"), "line 1: the text is not UTF-8"),
    ],
)
def test_a_params_file_that_cannot_be_read_is_named(root, data, message):
    apply_profile(root, "small")
    (root / "params.yaml").write_bytes(data)
    for action in (applied_profiles, undo_profile, lambda folder: apply_profile(folder, "large")):
        with pytest.raises(ParamError, match=rf"params\.yaml.*{message}"):
            action(root)
    assert (root / "params.yaml").read_bytes() == data


def test_a_damaged_record_is_named(root):
    apply_profile(root, "small")
    (root / RECORD).write_text("[")
    with pytest.raises(ParamError, match=r"profiles\.json is damaged"):
        applied_profiles(root)


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
        for pair in ((model, "control"), ("control", model))
    },
    # The oracle knows the built-in problems alone.
    **dict.fromkeys(
        [("benchmarks", "oracle"), ("real", "oracle")], r"teacher\.engine: figures.*tables"
    ),
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


@pytest.mark.parametrize("name", MODELS)
def test_vllm_after_a_model_works_on_many_sequences_at_a_time(whole, name):
    for profile in (name, "vllm"):
        apply_profile(whole, profile)
    params = load_params(whole / "params.yaml")
    assert {role.engine for role in (params.student, params.orm)} == {"vllm"}
    assert params.student.batch_size == params.orm.batch_size == 256


def test_models_have_the_rates_of_table_6(whole):
    for name, *wanted in (
        ("qwen2-vl-7b", 1e-5, 0.1, 88_620),
        ("internvl2_5-8b", 2e-5, 0.03, 49_000),
    ):
        apply_profile(whole, name)
        section = load_params(whole / "params.yaml").finetune
        assert [section.learning_rate, section.warmup_ratio, section.steps] == wanted
