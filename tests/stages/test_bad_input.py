"""Bad data stops a stage before anything runs, or is quarantined with its reason."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from PIL import Image

from mathse.core.layout import Layout
from mathse.core.tables import read_table, write_table
from mathse.datasets.import_records import record_import
from mathse.datasets.importing import import_source
from tests.closure import ROOT
from tests.stages.imported import use_imported


def picture(number: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20 + number, 16), (number * 40 % 256, 90, 10)).save(buffer, "PNG")
    return buffer.getvalue()


def stage(folder: Path, name: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"stages.{name}", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with an import in TabMWP's layout: four good rows, four bad ones."""
    import json

    given = tmp_path / "given"
    (given / "images").mkdir(parents=True)
    rows = []
    for number in range(8):
        (given / "images" / f"{number}.png").write_bytes(picture(number))
        rows.append(
            {
                "id": str(number),
                "split": "test" if number == 3 else "dev",
                "question": f"How many are {number}?",
                "choices": None,
                "answer": str(number),
                "unit": None,
                "ans_type": "integer_number",
                "solution": f"It is {number}.",
                "table": "",
                "grade": 3,
                "image": f"images/{number}.png",
            }
        )
    (given / "images" / "4.png").write_bytes(picture(4)[:40])
    rows[5]["answer"] = ""
    rows[6] = {**rows[0], "id": "6"}
    rows[7]["question"] = "  "
    (given / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_source("tabmwp", given, tmp_path / "imported")
    record_import(Layout(tmp_path), tmp_path / "imported")
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    params["problems"] |= {
        "source": "tables",
        "tables": [
            {"path": "imported", "split": "dev", "use": "train"},
            {"path": "imported", "split": "test", "use": "eval"},
        ],
        "orm_share": 0.3,
        "orm_test_share": 0.3,
    }
    params["eval"]["splits"] = ["eval"]
    use_imported(params)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params))
    return tmp_path


def test_bad_rows_are_quarantined_with_their_reason(folder: Path) -> None:
    done = stage(folder, "problems")
    assert done.returncode == 0, done.stderr
    problems = read_table(Layout(folder).problems)
    assert sorted(problems["answer"]) == ["0", "1", "2", "3"]
    quarantined = read_table(Layout(folder).quarantine)
    reasons = {
        row["row"]: f"{row['field']} {row['rule']} {row['reason']}"
        for row in quarantined.iter_rows(named=True)
    }
    assert "image" in reasons[4] and "answer" in reasons[5] and "question" in reasons[7]
    counts = (folder / "imported" / "import.json").read_text()
    assert '"duplicates": 1' in counts


def test_a_split_that_gets_no_problem_is_refused(folder: Path) -> None:
    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["problems"]["orm_share"] = 0.1  # of three problems
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    done = stage(folder, "problems")
    assert done.returncode == 1 and "No problem is left for orm;" in done.stderr
    assert "problems.orm_share" in done.stderr and "Traceback" not in done.stderr
    # The file that the message names is there: it has the rules that rows broke.
    quarantined = read_table(Layout(folder).quarantine)
    assert f"{quarantined.height} rows were quarantined" in done.stderr and quarantined.height


def test_an_unknown_key_ends_in_one_clear_line(folder: Path) -> None:
    with (folder / "params.yaml").open("a") as file:
        file.write("finetun: {}\n")
    done = stage(folder, "problems")
    assert done.returncode == 1
    assert (
        "params.yaml: finetun is not a parameter" in done.stderr and "Traceback" not in done.stderr
    )


def test_tables_are_checked_before_a_model_library_loads(folder: Path) -> None:
    assert stage(folder, "problems").returncode == 0
    rows = pl.DataFrame(
        {
            name: [value]
            for name, value in {
                "row_id": "0" * 16,
                "problem_id": "f" * 16,
                "trajectory_id": "0" * 16,
                "round": "r0",
                "origin": "teacher",
                "response": "x",
            }.items()
        }
    )
    write_table(rows, Layout(folder).round("r0").train, sort_by=["row_id"])
    done = stage(folder, "finetune", "r0")
    assert (
        done.returncode == 1
        and "problem id is known" in done.stderr
        and "Traceback" not in done.stderr
    )
    script = (
        "import sys, runpy\n"
        "sys.argv = ['finetune', 'r0']\n"
        "try:\n    runpy.run_module('stages.finetune', run_name='__main__')\n"
        "except SystemExit as end:\n    print('END', end.code, 'torch' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    seen = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert "END 1 False" in seen.stdout
