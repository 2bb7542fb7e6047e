from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mathse.copies import MARKER, copy_pipeline
from mathse.core.errors import ParamError
from mathse.core.params import load_params
from mathse.profiles import RECORD, applied_profiles, apply_profile
from tests.closure import ROOT


def make_project(root: Path) -> Path:
    """A folder with the files of a project, small."""
    for name in ("mathse", "schemas", "stages", "models", "queries", ".dvc"):
        (root / name).mkdir(parents=True)
        (root / name / "file.txt").write_text(f"{name} of {root.name}\n")
    shutil.copytree(ROOT / "profiles", root / "profiles")
    for name in ("params.yaml", "dvc.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, root)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_project(tmp_path / "home" / "project")


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def log(folder: Path) -> list[str]:
    command = ["git", "-C", str(folder), "log", "--format=%s"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def bad_targets(root: Path) -> dict[str, tuple[Path, str]]:
    """Targets that must be refused, each with the reason; makes what they need."""
    home = root.parent
    other = make_project(home / "other")
    (home / "full").mkdir()
    (home / "full" / "thesis.txt").write_text("years of work")
    forged = home / "forged"
    (forged / MARKER).parent.mkdir(parents=True)
    (forged / MARKER).write_text("")
    (home / "link").symlink_to(root, target_is_directory=True)
    (home / "link_inside").symlink_to(root / "mathse", target_is_directory=True)
    (root / "build").mkdir()
    (root / "build" / "notes").mkdir()
    (root / "build" / "notes" / "notes.txt").write_text("notes")
    return {
        "project": (root, "the project itself"),
        "dots": (root / "mathse" / "..", "the project itself"),
        "link": (home / "link", "the project itself"),
        "parent": (home, "contains the project"),
        "grandparent": (home.parent, "contains the project"),
        "code": (root / "mathse", "lies in the project"),
        "new_inside": (root / "mathse" / "new", "lies in the project"),
        "link_inside": (home / "link_inside" / "new", "lies in the project"),
        "data": (root / "data", "lies in the project"),
        "build": (root / "build", "lies in the project"),
        "build_dots": (root / "build" / ".." / "stages", "lies in the project"),
        "build_full": (root / "build" / "notes", "not empty"),
        "clone": (other, "not empty"),
        "inside_clone": (other / "build" / "x", "another project"),
        "full": (home / "full", "not empty"),
        "forged_marker": (forged, "not empty"),
        "file": (home / "full" / "thesis.txt", "it is a file"),
    }


def test_what_could_be_hurt_is_refused_before_a_file_is_touched(root, tmp_path):
    for name, (target, reason) in bad_targets(root).items():
        before = snapshot(tmp_path)
        with pytest.raises(ParamError, match=reason):
            copy_pipeline(root, target, "smoke")
        assert snapshot(tmp_path) == before, name


def test_the_project_is_refused_even_if_it_is_a_copy_itself(root, tmp_path):
    copy = copy_pipeline(root, tmp_path / "copy", "smoke")
    with pytest.raises(ParamError, match="the project itself"):
        copy_pipeline(copy, copy, "smoke")
    with pytest.raises(ParamError, match="a copy of another project"):
        copy_pipeline(make_project(tmp_path / "third"), copy, "smoke")


def test_an_unknown_profile_writes_nothing(root, tmp_path):
    with pytest.raises(ParamError, match="no profile 'odd'"):
        copy_pipeline(root, tmp_path / "copy", "odd")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("where", ["new", "empty", "project/build/smoke"])
def test_a_copy_is_a_repository_with_the_profile(root, where):
    target = root.parent / where
    if where == "empty":
        target.mkdir()
    copy = copy_pipeline(root, target, "smoke")
    assert (copy / "mathse/file.txt").read_text() == "mathse of project\n"
    assert load_params(copy / "params.yaml").rounds.keys() == {"r1", "r2"}
    assert json.loads((copy / MARKER).read_text()) == {"copied_from": str(root)}
    assert log(copy) == ["Copy of the pipeline, profile smoke"]
    status = ["git", "-C", str(copy), "status", "--porcelain"]
    assert subprocess.run(status, capture_output=True, text=True, check=True).stdout == ""
    assert "no_scm" not in (copy / ".dvc/config").read_text()


def test_a_copy_is_brought_up_to_date_and_keeps_data_and_edits(root, tmp_path):
    copy = copy_pipeline(root, tmp_path / "copy", "smoke")
    (copy / "data").mkdir()
    (copy / "data/result.txt").write_text("result")
    (copy / "queries/mine.sql").write_text("SELECT 1")
    (copy / ".dvc/config").write_text("[core]\n    remote = mine\n")
    (root / "mathse/file.txt").write_text("new")
    (root / "stages/file.txt").unlink()
    copy_pipeline(root, copy, "paper")
    assert (copy / "data/result.txt").read_text() == "result"
    assert (copy / "mathse/file.txt").read_text() == "new"
    assert not (copy / "stages/file.txt").exists()
    assert "mine" in (copy / ".dvc/config").read_text()
    assert [entry.name for entry in applied_profiles(copy)] == ["paper"]
    assert list(load_params(copy / "params.yaml").rounds)[-1] == "final"
    assert log(copy)[:2] == ["Copy of the pipeline, profile paper", "Changes made in the copy"]
    show = ["git", "-C", str(copy), "show", "HEAD~1:queries/mine.sql"]
    assert subprocess.run(show, capture_output=True, text=True, check=True).stdout == "SELECT 1"


def test_links_in_a_copy_are_not_followed(root, tmp_path):
    copy = copy_pipeline(root, tmp_path / "copy", "smoke")
    outside = tmp_path / "outside"
    shutil.move(copy / "models", outside)
    (copy / "models").symlink_to(outside, target_is_directory=True)
    shutil.move(copy / "params.yaml", tmp_path / "params.yaml")
    (copy / "params.yaml").symlink_to(tmp_path / "params.yaml")
    (outside / "file.txt").write_text("kept")
    (tmp_path / "params.yaml").write_text("kept")
    copy_pipeline(root, copy, "smoke")
    assert (outside / "file.txt").read_text() == (tmp_path / "params.yaml").read_text() == "kept"
    assert (copy / "models/file.txt").read_text() == "models of project\n"


def test_a_copy_takes_the_applied_profiles_along(root, tmp_path):
    apply_profile(root, "paper")
    copy = copy_pipeline(root, tmp_path / "copy", "smoke")
    assert [entry.name for entry in applied_profiles(copy)] == ["paper", "smoke"]
    assert [entry.name for entry in applied_profiles(root)] == ["paper"]
    assert (root / RECORD).is_file()
