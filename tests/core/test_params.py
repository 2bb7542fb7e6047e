from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from mathse.core.errors import ParamError
from mathse.core.params import Params, load_params, read_yaml
from mathse.profiles import apply_profile
from mathse.trajectories import sampling_params
from tests.closure import ROOT, TEMPLATES


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return tmp_path


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 0", "seed: 0\nsede: 1", "sede is not a parameter"),
        ("seed: 0", "seed: -1", "seed: .*greater than or equal to 0"),
        ("seed: 0", "seed: 4294967296", "seed: .*less than 4294967296"),
        ("    orm: 8000", "    orm: -1", "problems.figures.orm: "),
        ("  splits: [eval, eval_hard]", "  splits: []", "eval.splits: "),
        ("  accept: both", "  accept: all", "score.accept"),
        ("  feedback: orm", "  feedback: judge", "reflect.feedback"),
        ("  min_p_correct: 0.7", "  min_p_correct: 2", "score.min_p_correct"),
        ("  r1: {prev: r0}", "  1: {prev: r0}", "name rounds r1"),
        ("  r1: {prev: r0}", "  'r1;touch X': {prev: r0}", "cannot name a round"),
        ("  r1: {prev: r0}", "  R1: {prev: r0}", "cannot name a round"),
        ("  r1: {prev: r0}", "  r1: {prev: r3}", "follows itself"),
        ("  r1: {prev: r0}", "  r4: {prev: r1}\n  r1: {prev: r0}", "r4 stands before r1, which it"),
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


def keys_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Return all keys of a section and of the sections in it: `finetune.lora.rank`."""
    found = set()
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            found |= keys_of(inner, f"{prefix}{name}.")
        else:
            found.add(f"{prefix}{name}")
    return found


def keys_in(values: dict[str, Any], prefix: str = "") -> set[str]:
    """Return each key of a mapping, and of those in it, as `finetune.lora.rank`."""
    found = set()
    for name, value in values.items():
        found |= {f"{prefix}{name}"}
        found |= keys_in(value, f"{prefix}{name}.") if isinstance(value, dict) else set()
    return found


def test_what_the_result_depends_on_stands_in_the_file() -> None:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    without_effect = {"finetune.span_weight"}  # a student's row has no weighted span
    # Of these roles stages name the whole section: DVC sees a key that is added.
    as_a_whole = {f"{role}.extra" for role in ("teacher", "annotator", "reflector")}
    lacking = keys_of(Params) - keys_in(values) - without_effect - as_a_whole
    assert not lacking, "DVC would not see that these change"


FIGURES = {"train": 9, "orm": 9, "orm_test": 9, "eval": 9, "eval_hard": 9}
EVALUATED = {"path": "imported", "use": "eval"}
TABLES = {"problems.source": "tables", "problems.tables": [{**EVALUATED, "use": "train"}]}
SERVED = {"teacher.engine": "openai", "teacher.model": "m", "teacher.max_new_tokens": 9}
CONTROLS = {"controls": ["control"]}
ORACLE = {
    f"{role}.{name}": value
    for role in ("teacher", "reflector")
    for name, value in (("engine", "figures"), ("model", None), ("max_new_tokens", None))
}


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
        (ORACLE | {"problems.source": "tables"}, ["teacher.engine", "problems.source"]),
        (ORACLE | {"problems.source": "tables"}, ["reflector.engine", "problems.tables is empty"]),
        (ORACLE | {"teacher.engine": "openai"}, ["teacher.model", "teacher.max_new_tokens"]),
        ({"student.model": None}, ["student.model"]),
        (SERVED, ["prompts.folder: models/tiny-teacher/prompts", "teacher.model is m"]),
        (
            {"annotator.engine": "dataset"},
            ["annotator.engine", "one of transformers, openai, vllm, figures, answer\n"],
        ),
        (
            {"reflector.engine": "answer"},
            ["reflector.engine", "one of transformers, openai, vllm, figures, student\n"],
        ),
        (
            {"teacher.engine": "student"},
            ["teacher.engine", "one of transformers, openai, vllm, figures, dataset\n"],
        ),
        ({"orm.engine": "figures"}, ["orm.engine", "one of transformers, openai, vllm\n"]),
        (
            {"reflector.engine": "student", "reflector.max_new_tokens": None},
            ["reflector.engine", "reflector.max_new_tokens"],
        ),
        (
            ORACLE | {"teacher.temperature": None},
            ["teacher.temperature: null", "teacher.engine: figures"],
        ),
        (
            {"reflector.engine": "student", "reflector.top_p": None},
            ["reflector.top_p: null", "reflector.engine: student"],
        ),
        ({"annotator.extra": {"a": 1}}, ["annotator.extra", "annotator.engine: figures"]),
        (SERVED | {"teacher.extra": {"top_p": 1}}, ["teacher.extra: top_p", "from teacher.top_p"]),
        (
            SERVED | {"teacher.extra": {"max_tokens": 9}},
            ["teacher.extra: max_tokens", "from teacher.max_new_tokens"],
        ),
        (
            SERVED | {"teacher.extra": {"n": 2, "seed": 3}},
            ["extra: n is what the engine sets itself", "extra: seed is"],
        ),
        (SERVED | {"teacher.extra": {"seed": 0}}, ["teacher.extra: seed is that of each request"]),
        ({"student.extra": {"a": 1}}, ["student.extra is not a parameter"]),
        ({"orm.engine": "openai"}, ["orm.engine: openai", "score.min_p_correct: 0.7"]),
        ({"orm.engine": "openai"}, ["orm.engine: openai", "train_orm.form: likelihood"]),
        ({"merge.select_rows": 1}, ["merge", "select_rows is 1"]),
        ({"orm.pixels": {"min": 9, "max": 4}}, ["orm.pixels", "min 9", "max 4"]),
        ({"eval.splits": ["eval", "test"]}, ["eval.splits", "problems.figures", "test"]),
        ({"eval.splits": ["orm"]}, ["eval.splits", "problems.figures"]),
        ({"problems.figures": FIGURES | {"eval": 0}}, ["eval.splits", "problems.figures", "eval"]),
        (
            {"problems.figures": FIGURES | {"train": 0}},
            ["problems.source", "figures has no problem of train"],
        ),
        ({"problems.figures": FIGURES | {"orm": 0}}, ["figures has no problem of orm"]),
        ({"problems.figures": {"train": 9, "eval": 9}}, ["of orm", "of orm_test"]),
        (TABLES | {"problems.orm_share": 0}, ["problems.orm_share: 0", "problems.source"]),
        (TABLES | {"problems.orm_test_share": 0}, ["problems.orm_test_share: 0"]),
        (TABLES | {"problems.tables": [EVALUATED]}, ["problems.tables", "use: train"]),
        (CONTROLS | {"evolve.steps": None}, ["controls: [control]", "evolve.steps is null"]),
        (CONTROLS | {"evolve.init": "base"}, ["controls: [control]", "evolve.init: base"]),
        (CONTROLS | {"rounds": {}}, ["controls: [control]", "rounds is empty"]),
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
        values |= {section: values[section] | {key: value} if key else value}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(ParamError) as error:
        load_params(folder / "params.yaml")
    lines = f"{error.value}\n"
    assert all(key in lines for key in keys), lines


def test_a_served_role_may_have_other_keys_for_its_server(folder: Path) -> None:
    values = yaml.safe_load((folder / "params.yaml").read_text())
    extra = {"reasoning_effort": "low", "seed": None, "provider": {"order": ["a"]}}
    served = {"engine": "openai", "model": "m", "max_new_tokens": 9}
    values["prompts"] = TEMPLATES
    values["teacher"] |= served | {"temperature": None, "top_p": None, "extra": extra}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    teacher = load_params(folder / "params.yaml").teacher
    assert (teacher.extra, teacher.temperature, teacher.top_p) == (extra, None, None)
    sampling = sampling_params(teacher, 0)
    assert (sampling.temperature, sampling.top_p, sampling.max_new_tokens) == (None, None, 9)


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


def test_the_chain_of_a_round_has_no_other_branch(folder: Path) -> None:
    file = folder / "params.yaml"
    file.write_text(file.read_text() + "  r4: {prev: r2}\n")
    params = load_params(file)
    assert params.last_round == "r4" and params.chain("r4") == ["r0", "r1", "r2", "r4"]
    assert params.chain("r3") == ["r0", "r1", "r2", "r3"] and params.chain("r0") == ["r0"]


def test_params_that_are_not_utf8_are_named_with_their_line(folder: Path) -> None:
    file = folder / "params.yaml"
    file.write_bytes(
        file.read_bytes().replace(b"seed: 0", "seed: 0  # für alles".encode("latin-1"))
    )
    line = file.read_bytes().split(b"seed: 0")[0].count(b"\n") + 1
    with pytest.raises(ParamError, match=f"params.yaml: line {line} is not UTF-8: save the file"):
        load_params(file)


def test_an_orm_behind_a_server_may_judge_where_the_answer_accepts(folder: Path) -> None:
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["orm"] |= {"engine": "openai"}
    values["score"] |= {"accept": "answer", "min_p_correct": 0.5}
    values["train_orm"] |= {"form": "diagnostic"}
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    assert load_params(folder / "params.yaml").score.min_p_correct == 0.5


def test_contradictions_have_a_line_each_and_no_value(folder: Path) -> None:
    apply_profile(folder, "oracle")
    file = folder / "params.yaml"
    file.write_text(file.read_text().replace("source: figures", "source: tables", 1))
    with pytest.raises(ParamError) as error:
        load_params(file)
    lines = str(error.value).splitlines()
    teacher = "teacher.engine: figures knows no problems of problems.source: tables"
    assert lines[0] == f"{file}: {teacher}; name a model, or run `mathse profile offline`"
    assert f"{file}: problems.source: tables, and problems.tables is empty" in lines
    assert "found" not in str(error.value)
    assert all(line.startswith(f"{file}: ") for line in lines)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: 1\nb:\n  c: 2\n  'c': 3\n",
            "line 4: c stands twice in the same place, first in line 3",
        ),
        ("a: {b: 1, b: 2}\n", "line 1: b stands twice in the same place, first in line 1"),
    ],
)
def test_a_key_that_stands_twice_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text(text)
    with pytest.raises(ParamError) as error:
        read_yaml(file)
    assert str(error.value) == f"{file}: {message}; remove one of the two"


def test_a_merged_key_may_be_replaced(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("c: &c\n  <<: &b {x: 1, y: 1}\n  x: 2\nd: {<<: [*c, *b], x: 3}\n")
    assert read_yaml(file) == {"c": {"x": 2, "y": 1}, "d": {"x": 3, "y": 1}}
