from __future__ import annotations

import json
import os
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
    assert plain.exit_code == 0 and plain.stdout.splitlines()[-1].split() == ["r1", "3"]
    assert call("sql", sql, "--format", "csv", "--data", data).stdout == "round,n\nr0,1\nr1,3\n"
    assert json.loads(call("sql", sql, "--format", "json", "--data", data).stdout) == [
        {"round": "r0", "n": 1},
        {"round": "r1", "n": 3},
    ]


def test_a_stored_query_by_name_and_the_list_of_them(data):
    assert "near_identical" in call("sql", "dropped", "--data", data).stdout
    listed = call("sql", "--data", data).stdout
    assert (
        "ledger" in listed.splitlines()[0]
        and "orm_judgements" not in listed
        and "rejected" in listed
    )


def test_long_cells_are_cut_in_tables_but_not_in_csv(data):
    sql = "SELECT repeat('x', 200) AS long"
    assert "…" in call("sql", sql, "--data", data).stdout
    assert "x" * 200 in call("sql", sql, "--format", "csv", "--data", data).stdout


def test_expected_errors_are_one_message_without_traceback(data, tmp_path):
    for arguments in (
        ("sql", "SELECT * FROM orm_rows", "--data", data),
        ("sql", "SELEC", "--data", data),
        ("show", "--data", tmp_path),
        ("trace", "zzzz", "--data", data),
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


def test_show_shows_the_rounds_that_the_parameters_name(data, tmp_path):
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
    assert "Left out: r1, control," in done.output
    text = (tmp_path / "params.yaml").read_text().replace("controls: []", "controls: [control]")
    (tmp_path / "params.yaml").write_text(text)
    assert "Left out: r1," in call("show", "--data", tmp_path / "data").output


def test_trace_shows_a_problem(data):
    done = call("trace", problem_id(2), "--data", data)
    assert done.exit_code == 0 and "Question 2?" in done.output


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        (("7", "The answer to this problem is 7."), "match"),
        (("7", "The answer to this problem is 8."), "mismatch"),
        (("B", "The answer to this problem is B.", "--choices", '["3", "4"]'), "match"),
        (("5", "-5"), "mismatch"),
        (("-5", "-5"), "match"),
        (("-h/2", "-h/2", "--answer-type", "expression"), "match"),
        (("--answer-type=number", "-.5", "--", "-0.5"), "match"),
        (("--precision", "1", "-x+3", "-x+3"), "match"),
    ],
)
def test_check_one_answer(arguments, state):
    done = call("check", *arguments)
    assert f"verdict: {state} " in done.output
    assert done.exit_code == (0 if state == "match" else 1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("7",),
        ("B", "B", "--choices", "3,4"),
        ("7", "7", "--rows", "x.csv"),
        ("7", "7", "--odd"),
        ("7", "7", "--answer-type", "foo"),
    ],
)
def test_check_needs_two_answers_or_a_table(arguments):
    assert call("check", *arguments).exit_code == 2


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
    for command in ("sql", "show", "trace", "check"):
        assert f" {command} " in done.stdout


def test_every_command_has_examples_and_short_help():
    for command in ("sql", "show", "profile", "trace", "suspects", "check", "import", "export"):
        text = call(command, "-h").output
        assert "Examples:" in text and f"mathse {command}" in text, command
    assert "--install-completion" in call("-h").output


def test_version_and_module():
    assert re.fullmatch(r"mathse \d+\.\d+.*\n", call("--version").output)
    for module in ("mathse", "mathse.cli"):
        done = subprocess.run(
            [sys.executable, "-m", module, "show", "--data", "none"], capture_output=True, text=True
        )
        assert done.returncode == 1 and "No round was evaluated yet" in done.stderr


def test_the_project_is_found_from_a_subfolder(data, tmp_path, monkeypatch):
    root = tmp_path / "project"
    shutil.copytree(data, root / "data")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(name, root)
    shutil.copytree("profiles", root / "profiles")
    (root / "deep" / "er").mkdir(parents=True)
    for folder, options in ((root / "deep" / "er", []), (tmp_path, ["--project", "project"])):
        monkeypatch.chdir(folder)
        assert call(
            *options, "sql", "SELECT count(*) FROM ledger", "--format", "csv"
        ).output.endswith("10\n")
        assert "smoke" in call(*options, "profile").output
        assert "Question 2?" in call(*options, "trace", problem_id(2)).output
    monkeypatch.chdir(tmp_path)
    done = call("show")
    assert done.exit_code == 1 and "lies in no MathSE project" in done.stderr
    done = call("--project", "deep", "show")
    assert done.exit_code == 1 and "deep is no MathSE project" in done.stderr


def test_profile_lists_shows_applies_and_takes_back(tmp_path, monkeypatch):
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(name, tmp_path)
    shutil.copytree("profiles", tmp_path / "profiles")
    monkeypatch.chdir(tmp_path)
    text = Path("params.yaml").read_text()
    assert "Applied: none" in call("profile").output
    assert 'score.accept: "both" -> "orm"' in call("profile", "paper", "--diff").output
    assert Path("params.yaml").read_text() == text
    assert call("profile", "paper").exit_code == 0
    assert "Applied: paper" in call("profile").output and Path("params.yaml").read_text() != text
    assert call("profile", "--undo").exit_code == 0
    assert Path("params.yaml").read_text() == text
    assert "No profile is applied" in call("profile", "--undo").stderr
    for arguments in (
        ["--diff"],
        ["paper", "--undo"],
        ["--copy", "x"],
        ["x", "--diff", "--copy", "x"],
    ):
        assert call("profile", *arguments).exit_code == 2
    assert "There is no profile 'odd'; there are:" in call("profile", "odd").stderr


def test_a_file_that_cannot_be_written_is_named(data, tmp_path):
    (tmp_path / "file").write_text("")
    done = call("suspects", "--data", data, "--out", tmp_path / "file" / "out.csv")
    assert done.exit_code == 1 and "file" in done.stderr and "Traceback" not in done.stderr


HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e\x9b7\r"


def test_hostile_text_is_shown_escaped_everywhere(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    for file, columns in (
        ("problems/problems.parquet", ["question", "family"]),
        ("rounds/r1/trajectories.parquet", ["response"]),
        ("rounds/r1/verdicts.parquet", ["error_analysis", "predicted_answer"]),
    ):
        table = pl.read_parquet(copy / file)
        table = table.with_columns(pl.format("{}" + HOSTILE, name).alias(name) for name in columns)
        if "response" in columns:
            table = table.with_columns(pl.col("steps").list.eval(pl.element() + HOSTILE))
        table.write_parquet(copy / file)
    shown = [
        call("sql", "SELECT * FROM problems", "--data", copy),
        call("sql", "SELECT question FROM problems", "--format", "json", "--data", copy),
        call("trace", problem_id(2), "--data", copy),
        call("show", "--data", copy),
        call("check", HOSTILE, HOSTILE),
        call("trace", HOSTILE, "--data", copy),
        call("sql", HOSTILE, "--data", copy),
        call("profile", HOSTILE),
    ]
    for done in shown:
        text = done.output + done.stderr
        assert not set(text) & set("\x1b\x07\u202e\x9b\r"), text
    assert "\\u001b[2J" in shown[0].output and "\\u001b]0;owned\\u0007" in shown[2].output
    csv = call("sql", "SELECT question FROM problems LIMIT 1", "--format", "csv", "--data", copy)
    assert HOSTILE[:-1] in csv.stdout
    question = json.loads(shown[1].output)[0]["question"]
    assert question.endswith(HOSTILE)


@pytest.mark.parametrize(
    ("stage", "example"), [("score", "stages.score r1"), ("problems", "stages.problems")]
)
def test_every_stage_has_help_with_an_example(stage, example):
    command = [sys.executable, "-m", f"stages.{stage}", "-h"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"example: python -m {example}" in done.stdout


def test_commands_keep_the_warnings_of_transformers_back(data, monkeypatch):
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "")  # so that it is put back afterwards
    monkeypatch.delenv("TRANSFORMERS_VERBOSITY")
    call("show", "--data", data)
    assert os.environ["TRANSFORMERS_VERBOSITY"] == "error"
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    call("show", "--data", data)
    assert os.environ["TRANSFORMERS_VERBOSITY"] == "info"
