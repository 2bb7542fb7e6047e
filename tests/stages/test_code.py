"""The stage `code`: which fingerprints a change of a local model folder changes."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePath
from typing import Any, get_args

import pytest
import yaml

from mathse.accept import changed_code
from mathse.core.errors import ParamError
from mathse.core.layout import Layout
from mathse.core.params import RoleName
from mathse.engines import local_models
from stages.code import code
from tests.closure import ROOT, oracle_params

TEACHER = {"engine": "transformers", "model": "models/teacher", "max_new_tokens": 8}
WEIGHTS = "models/teacher/model.safetensors"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project with one stage, three model folders, and a teacher that also annotates."""
    for name in ("student", "orm", "teacher"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.safetensors").write_bytes(b"weights of the " + name.encode())
        (folder / "config.json").write_text("{}")
        (folder / "README.md").write_text("A card.")
        (folder / "log.jsonl").write_text("{}\n")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "one.py").write_text('if __name__ == "__main__":\n    print(1)\n')
    roles: dict[str, dict[str, Any]] = {
        "student": {"model": "models/student"},
        "orm": {"model": "models/orm"},
        "teacher": TEACHER,
        "annotator": TEACHER,
    }
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(oracle_params()))
    set_roles(tmp_path, **roles)
    return tmp_path


def set_roles(folder: Path, **roles: dict[str, Any]) -> None:
    values = yaml.safe_load((folder / "params.yaml").read_text())
    for name, changes in roles.items():
        values[name] |= changes
    (folder / "params.yaml").write_text(yaml.safe_dump(values))


def written(folder: Path) -> dict[str, str]:
    """Return what `code` writes, by path below its folder."""
    code(Layout(folder))
    files = sorted((folder / "code").rglob("*.json"))
    return {file.relative_to(folder / "code").as_posix(): file.read_text() for file in files}


def changed(folder: Path, before: dict[str, str]) -> set[str]:
    after = written(folder)
    assert set(after) == set(before)
    return {name for name in after if after[name] != before[name]}


def model_of(texts: dict[str, str], role: str) -> str | None:
    model: str | None = json.loads(texts[f"roles/{role}.json"])["model"]
    return model


def test_a_changed_byte_of_a_model_changes_the_roles_that_have_it(project: Path) -> None:
    before = written(project)
    assert set(before) == {"one.json"} | {
        f"roles/{role}.json" for role in ("student", "orm", "teacher", "annotator", "reflector")
    }
    weights = project / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"R")  # as many bytes as before
    assert changed(project, before) == {"roles/teacher.json", "roles/annotator.json"}
    (project / "models/student/config.json").write_text('{"eos_token_id": 2}')
    now = written(project)
    assert model_of(now, "student") != model_of(before, "student")
    assert model_of(now, "orm") == model_of(before, "orm")


def test_a_model_card_and_a_log_change_nothing(project: Path) -> None:
    before = written(project)
    (project / "models/teacher/README.md").write_text("Another card.")
    (project / "models/teacher/log.jsonl").write_text('{"step": 1}\n')
    assert changed(project, before) == set()


@pytest.mark.parametrize(
    "role",
    [
        {"engine": "figures", "model": "models/teacher"},
        {"model": "owner/name"},
        {"engine": "openai", "model": "gpt-4o"},
    ],
)
def test_no_local_model_no_hash(project: Path, role: dict[str, Any]) -> None:
    set_roles(project, teacher=role)
    before = written(project)
    assert model_of(before, "teacher") is None and model_of(before, "annotator") is not None
    (project / WEIGHTS).write_bytes(b"other")
    assert changed(project, before) == {"roles/annotator.json"}


def test_a_folder_outside_the_project_counts_and_is_not_named(
    project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (project / WEIGHTS).rename(outside / "model.safetensors")
    (project / "models/teacher/config.json").rename(outside / "config.json")
    set_roles(project, annotator={"engine": "figures"}, teacher={"model": str(outside)})
    before = written(project)
    assert not any(str(outside) in text for text in before.values())
    (outside / "model.safetensors").write_bytes(b"other")
    assert changed(project, before) == {"roles/teacher.json"}


def test_weights_are_read_again_only_when_a_file_has_changed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    hash_folder = local_models.model_digest

    def count(folder: Path) -> str:
        read.append(folder.name)
        return hash_folder(folder)

    monkeypatch.setattr(local_models, "model_digest", count)
    first = written(project)
    assert sorted(read) == ["orm", "student", "teacher"], "two roles with one folder: read once"
    assert written(project) == first and len(read) == 3
    # Other bytes under the old time, and a damaged file of hashes.
    times = (project / WEIGHTS).stat()
    (project / WEIGHTS).write_bytes(b"weights of the Teacher")
    os.utime(project / WEIGHTS, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert model_of(written(project), "teacher") != model_of(first, "teacher")
    assert read[3:] == ["teacher"]
    Layout(project).model_hashes.write_text("[broken")
    assert changed(project, first) == {"roles/teacher.json", "roles/annotator.json"}
    assert len(read) == 7


def test_a_folder_without_weights_is_refused_before_all_else(project: Path) -> None:
    (project / WEIGHTS).unlink()
    with pytest.raises(ParamError, match=r"teacher holds no \*\.safetensors"):
        code(Layout(project))


def keys_of(stage: dict[str, Any]) -> set[str]:
    """Return the keys of params.yaml that a stage of dvc.yaml names, those of an alias too."""
    return {
        key
        for item in stage.get("params", [])
        for key in (item["params.yaml"] if isinstance(item, dict) else [item])
    }


def test_how_the_rounds_train_is_nothing_to_r0() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    first, rounds = keys_of(stages["finetune_r0"]), keys_of(stages["finetune"]["do"])
    assert rounds - first == {"evolve"} and first < rounds


def test_a_stage_depends_on_the_roles_whose_models_its_params_name() -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    of_stages = {}
    for name in stages.keys() - {"code", "report"}:
        stage = stages[name].get("do", stages[name])
        keys = keys_of(stage)
        named = {role for role in get_args(RoleName) if {role, f"{role}.model"} & {*keys}}
        deps = {PurePath(dep).stem for dep in stage["deps"] if dep.startswith("code/roles/")}
        assert deps == named, name
        of_stages[name] = deps
    assert of_stages["orm_data"] == {"teacher", "annotator"}
    assert of_stages["predict_base"] == {"student"} and of_stages["predict"] == set()


def test_why_says_that_no_stage_has_run(project: Path) -> None:
    layout = Layout(project)
    assert list(changed_code(layout, [])) == [f"No stage has run: {layout.dvc_lock} is missing."]
    for text in ("", "schema: '2.0'\n", "schema: '2.0'\nstages: {code: {cmd: a}}\n"):
        layout.dvc_lock.write_text(text)
        found = list(changed_code(layout, []))
        assert found == [f"No stage has run: {layout.dvc_lock} names none."]
        with pytest.raises(ParamError, match="no such stage has run; there are none"):
            list(changed_code(layout, ["merge"]))
