from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from mathse import cli
from tests.judge.trajectories import problem_id
from tests.report.world import build

RUN = CliRunner()
HEAVY = ("torch", "transformers", "polars", "duckdb", "sympy", "math_verify", "PIL", "numpy")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("run") / "data")


def call(*arguments: object):
    return RUN.invoke(cli.app, [str(argument) for argument in arguments])


def test_sql_in_three_forms(data):
    sql = "SELECT round, count(*) AS n FROM train GROUP BY ALL ORDER BY ALL"
    plain = call("sql", sql, "--data", data)
    assert plain.exit_code == 0 and plain.output.splitlines()[-1].split() == ["r1", "3"]
    assert call("sql", sql, "--csv", "--data", data).output == "round,n\nr0,1\nr1,3\n"
    assert json.loads(call("sql", sql, "--json", "--data", data).output) == [
        {"round": "r0", "n": 1},
        {"round": "r1", "n": 3},
    ]


def test_a_stored_query_by_name_and_the_list_of_them(data):
    assert "near_identical" in call("sql", "dropped", "--data", data).output
    listed = call("sql", "--data", data).output
    assert (
        "ledger" in listed.splitlines()[0]
        and "orm_judgements" not in listed
        and "rejected" in listed
    )


def test_long_cells_are_cut_in_tables_but_not_in_csv(data):
    sql = "SELECT repeat('x', 200) AS long"
    assert "…" in call("sql", sql, "--data", data).output
    assert "x" * 200 in call("sql", sql, "--csv", "--data", data).output


def test_expected_errors_are_one_message_without_traceback(data, tmp_path):
    for arguments in (
        ("sql", "SELECT * FROM orm_rows", "--data", data),
        ("sql", "SELEC", "--data", data),
        ("show", "--data", tmp_path),
        ("path", "zzzz", "--data", data),
        ("check", "--rows", tmp_path / "none.parquet", "--out", tmp_path / "out.parquet"),
    ):
        done = call(*arguments)
        assert (
            done.exit_code == 1
            and done.stderr.startswith("mathse: ")
            and "Traceback" not in done.output
        )
        assert isinstance(done.exception, SystemExit)


def test_show_prints_the_summary(data):
    done = call("show", "--data", data)
    assert done.exit_code == 0 and "r1 against control on eval" in done.output


def test_show_tells_of_the_rounds_that_the_parameters_name(data, tmp_path):
    shutil.copytree(data, tmp_path / "data")
    text = Path("params.yaml").read_text(encoding="utf-8")
    (tmp_path / "params.yaml").write_text(
        re.sub(r"(?m)^  r\d+: \{prev.*\n", "", text) + "  other: {prev: r0}\n"
    )
    done = call("show", "--data", tmp_path / "data")
    assert (
        done.exit_code == 0
        and "Left out: r1," in done.output
        and "r0 against base on eval" in done.output
    )
    assert "make control" not in done.output
    (tmp_path / "control").mkdir()
    (tmp_path / "dvc.lock").write_text("stages: {}")
    (tmp_path / "control/dvc.lock").write_text(
        "stages: {finetune: {deps: [], params: {params.yaml: {seed: 77}}}}"
    )
    assert "`make control` makes it anew" in call("show", "--data", tmp_path / "data").output


def test_path_tells_a_problem(data):
    done = call("path", problem_id(2), "--data", data)
    assert done.exit_code == 0 and "Question 2?" in done.output


def test_check_one_answer():
    assert "verdict: match" in call("check", "7", "The answer to this problem is 7.").output
    assert "verdict: mismatch" in call("check", "7", "The answer to this problem is 8.").output
    done = call("check", "B", "The answer to this problem is B.", "--choices", '["3", "4"]')
    assert "verdict: match" in done.output
    assert call("check", "7").exit_code == 2
    assert call("check", "B", "B", "--choices", "3,4").exit_code == 2


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl"])
def test_check_a_table(tmp_path, suffix):
    rows = pl.DataFrame(
        {
            "id": ["a", "b"],
            "gold": ["7", "007"],
            "response": ["The answer is 7.", "The answer is 8."],
        }
    )
    source, out = tmp_path / f"rows.{suffix}", tmp_path / f"new/checked.{suffix}"
    {"parquet": rows.write_parquet, "csv": rows.write_csv, "jsonl": rows.write_ndjson}[suffix](
        source
    )
    done = call("check", "--rows", source, "--out", out)
    assert done.exit_code == 0 and done.output.strip() == "match: 1, mismatch: 1"
    read = {
        "parquet": pl.read_parquet,
        "jsonl": pl.read_ndjson,
        "csv": lambda file: pl.read_csv(file, infer_schema=False),
    }
    checked = read[suffix](out)
    assert checked["state"].to_list() == ["match", "mismatch"] and checked["gold"].to_list() == [
        "7",
        "007",
    ]
    assert checked.columns[:3] == rows.columns


def test_help_is_quick_and_imports_nothing_heavy():
    code = (
        "import sys; from mathse.cli import app\n"
        "try: app(['--help'])\n"
        "except SystemExit: pass\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"
    for command in ("sql", "show", "path", "check"):
        assert f" {command} " in done.stdout
