"""imports.json: a changed import is noticed, and `problems` depends on it."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from mathse.core.errors import DataError
from mathse.core.ids import folder_digest
from mathse.core.layout import Layout
from mathse.core.params import Table
from mathse.datasets import import_records
from mathse.datasets.import_records import check_imports, record_import
from mathse.datasets.importing import import_source
from tests.closure import ROOT
from tests.datasets.made import put


def bring(root: Path, *answers: str) -> Path:
    rows = [{"question": f"{answer}+0?", "answer": answer} for answer in answers]
    put(root / "given" / "train.jsonl", rows)
    folder = root / "data" / "import" / "mine"
    import_source("ms-swift", root / "given", folder)
    record_import(Layout(root), folder, path=root / "given", limit=None)
    return folder


def tables(folder: Path) -> list[Table]:
    return [Table(path=str(folder), use="train")]


def test_a_record_has_counts_arguments_and_digest(tmp_path: Path) -> None:
    check_imports(Layout(tmp_path), tables(bring(tmp_path, "1", "2")))
    (key, record), *_ = json.loads((tmp_path / "imports.json").read_text()).items()
    assert key == "data/import/mine" and record["problems"] == 2 and record["source"] == "ms-swift"
    assert record["arguments"] == {"path": str(tmp_path / "given")}


def test_a_new_import_into_the_same_folder_changes_the_record(tmp_path: Path) -> None:
    bring(tmp_path, "1")
    first = (tmp_path / "imports.json").read_bytes()
    bring(tmp_path, "1")
    assert (tmp_path / "imports.json").read_bytes() == first
    bring(tmp_path, "2")
    assert (tmp_path / "imports.json").read_bytes() != first


def test_no_record_of_imports_at_the_same_time_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, first = Layout(tmp_path), bring(tmp_path, "1")
    others = [Path(shutil.copytree(first, first.with_name(f"other{at}"))) for at in range(4)]
    read = import_records._read_records

    def read_slowly(layout: Layout) -> dict[str, dict[str, Any]]:
        records = read(layout)
        time.sleep(0.05)
        return records

    monkeypatch.setattr(import_records, "_read_records", read_slowly)
    with ThreadPoolExecutor(len(others)) as pool:
        list(pool.map(partial(record_import, layout), others))
    check_imports(layout, [one for folder in (first, *others) for one in tables(folder)])


def test_a_record_written_while_another_import_is_hashed_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, first = Layout(tmp_path), bring(tmp_path, "1")
    second = Path(shutil.copytree(first, first.with_name("second")))
    (tmp_path / "imports.json").unlink()

    def hash_slowly(folder: Path) -> str:
        monkeypatch.undo()
        record_import(layout, second)
        return folder_digest(folder)

    monkeypatch.setattr(import_records, "folder_digest", hash_slowly)
    record_import(layout, first)
    check_imports(layout, [*tables(first), *tables(second)])


def test_changed_and_unknown_imports_are_refused(tmp_path: Path) -> None:
    layout, folder = Layout(tmp_path), bring(tmp_path, "1")
    (folder / "images" / "extra.parquet").write_bytes(b"x")
    with pytest.raises(DataError, match="not those that were imported"):
        check_imports(layout, tables(folder))
    (tmp_path / "imports.json").write_text("{}\n")
    with pytest.raises(DataError, match="is not recorded"):
        check_imports(layout, tables(folder))
    (tmp_path / "imports.json").write_text("[")
    with pytest.raises(DataError, match="not readable"):
        check_imports(layout, tables(folder))
    (tmp_path / "imports.json").unlink()
    with pytest.raises(DataError, match="no finished import"):
        check_imports(layout, tables(tmp_path))


def test_problems_depends_on_imports_and_overrides() -> None:
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]["problems"]
    assert {"imports.json", "overrides.csv"} <= set(stage["deps"])
    assert json.loads((ROOT / "imports.json").read_text("utf-8")) == {}
    assert (ROOT / "overrides.csv").read_text("utf-8") == "problem_id,answer,note\n"
