"""Projects share an absolute work folder, and none of them touches what another one keeps there."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.core.journal import is_stored, prune, store_chunk
from mathse.core.layout import Layout


def make(folder: Path, work: Path) -> Layout:
    folder.mkdir()
    (folder / "machine.yaml").write_text(f"work_folder: {work}\n")
    return Layout(folder)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def test_a_clone_and_a_copy_leave_the_paid_answers_of_the_first(tmp_path: Path, work: Path) -> None:
    first, clone = make(tmp_path / "first", work), make(tmp_path / "clone", work)
    store_chunk(first.journal("generate r1"), "paid", pl.DataFrame({"text": ["7"]}))
    shutil.copytree(first.folder, tmp_path / "copy")
    copy = Layout(tmp_path / "copy")
    for other in (clone, copy):
        prune(other.journal("generate r1"), set())
    assert is_stored(first.journal("generate r1"), "paid")
    folders = [layout.checkpoints("r0") for layout in (first, clone, copy)]
    assert len(set(folders)) == 3 and all(folder.is_relative_to(work) for folder in folders)
    again = [Layout(layout.folder).checkpoints("r0") for layout in (first, clone, copy)]
    assert again == folders, "each keeps its own"


def test_a_project_that_is_moved_finds_its_work(tmp_path: Path, work: Path) -> None:
    kept = make(tmp_path / "old", work).checkpoints("r0")
    shutil.move(tmp_path / "old", tmp_path / "new")
    assert Layout(tmp_path / "new").checkpoints("r0") == kept
    another = make(tmp_path / "old", work).checkpoints("r0")
    assert another != kept == Layout(tmp_path / "new").checkpoints("r0")
    shutil.copytree(tmp_path / "new", tmp_path / "copy")
    assert Layout(tmp_path / "copy").checkpoints("r0") not in (kept, another)


def test_two_paths_of_one_project_are_one_project(tmp_path: Path, work: Path) -> None:
    kept = make(tmp_path / "home", work).checkpoints("r0")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    assert Layout(tmp_path / "link").checkpoints("r0") == kept


def test_stages_that_start_together_agree(tmp_path: Path, work: Path) -> None:
    layout = make(tmp_path / "home", work)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(layout.checkpoints, ["r0"] * 8))) == 1


def test_a_work_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    layout = make(tmp_path / "home", tmp_path / "file" / "work")
    with pytest.raises(DataError, match="another work_folder in machine.yaml"):
        layout.journal("score r1")
