from __future__ import annotations

import csv
import io
import json
import os
import signal
import sys
from itertools import islice
from pathlib import Path
from threading import Timer, main_thread
from time import perf_counter, sleep

import polars as pl
import pytest
from typer.testing import CliRunner

from mathse import cli
from mathse.core.errors import DataError
from mathse.report import sql_prompt
from mathse.report.sql import Tables
from mathse.report.sql_output import answer_query
from tests.closure import ROOT
from tests.report.world import build

RUN = CliRunner()
ODD = (
    "SELECT 1 AS x, 2 AS x, 'nan'::DOUBLE AS n, [1.5, 'inf'::DOUBLE] AS list, 'a|b' AS t, NULL AS z"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("run") / "data")


def sql(data: Path, *words: object):
    return RUN.invoke(cli.app, ["sql", *map(str, words), "--data", str(data)])


def test_json_is_json_and_keeps_every_column(data):
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    done = sql(data, ODD, "--format", "json")
    (entry,) = json.loads(done.stdout, parse_constant=refuse)
    assert entry == {"x": 1, "x_1": 2, "n": None, "list": [1.5, None], "t": "a|b", "z": None}
    assert json.loads(sql(data, "SELECT 1 WHERE false", "--format", "json").stdout) == []


def test_csv_has_nested_values_as_json_and_nulls_as_nothing(data):
    (row,) = csv.DictReader(io.StringIO(sql(data, ODD, "--format", "csv").stdout))
    assert row == {"x": "1", "x_1": "2", "n": "nan", "list": "[1.5, null]", "t": "a|b", "z": ""}


def test_markdown_escapes_what_ends_a_cell(data):
    header, rule, row = sql(data, ODD, "--format", "md").stdout.splitlines()
    assert header == "| x | x_1 | n | list | t | z |" and rule.count("---") == 6
    assert row == "| 1 | 2 | nan | [1.5, null] | a\\|b |  |"


def test_parquet_keeps_types(data, tmp_path):
    out = tmp_path / "answer.parquet"
    done = sql(data, "SELECT round, attempts, now() AS t FROM ledger", "-o", out)
    assert done.exit_code == 0 and f"(10 rows in {out})" in done.stderr
    assert dict(pl.read_parquet_schema(out)) == {
        "round": pl.String,
        "attempts": pl.Int64,
        "t": pl.String,
    }
    assert "needs --out" in sql(data, "SELECT 1", "--format", "parquet").stderr


@pytest.mark.parametrize("value", ["INTERVAL 1 DAY", "[{'a': INTERVAL 1 DAY}]", "1::UNION(n INT)"])
def test_what_parquet_cannot_hold_is_refused(data, tmp_path, value):
    out = tmp_path / "answer.parquet"
    done = sql(data, f"SELECT {value} AS d", "-o", out)
    assert done.exit_code == 1 and "column d" in done.stderr and "::VARCHAR" in done.stderr
    assert not out.exists() and "panicked" not in done.output
    assert sql(data, f"SELECT ({value})::VARCHAR AS d", "-o", out).exit_code == 0
    assert sql(data, "SELECT {'interval': 1} AS interval", "-o", out).exit_code == 0


@pytest.mark.parametrize("comment", ["-- why", "--why: a=b", "--"])
def test_a_query_may_begin_with_a_comment(data, comment):
    done = sql(data, f"{comment}\nSELECT 1 AS x", "--format=csv")
    assert (done.exit_code, done.stdout) == (0, "x\n1\n"), done.output
    assert sql(data, "--fromat", "csv", "SELECT 1").exit_code == 2
    assert "xml" in sql(data, "SELECT 1", "--format", "xml").stderr


def test_a_file_is_read_and_its_answer_written_by_suffix(data, tmp_path):
    question, out = tmp_path / "q.sql", tmp_path / "answer.csv"
    question.write_text("-- How many?\nSELECT count(*) AS n FROM ledger; -- all\n")
    assert sql(data, "-f", question, "-o", out).exit_code == 0
    assert out.read_text() == "n\n10\n"
    assert sql(data, "SELECT 1", "-f", question).exit_code == 2


def test_the_screen_gets_so_many_rows_and_the_rest_is_named(data):
    sql_of = "FROM range(1000)"
    plain, all_rows = sql(data, sql_of), sql(data, sql_of, "--limit", 0)
    assert len(plain.stdout.splitlines()) == 202 and "(the first 200 rows;" in plain.stderr
    assert len(all_rows.stdout.splitlines()) == 1002 and "(1000 rows)" in all_rows.stderr
    assert len(sql(data, sql_of, "--format", "csv").stdout.splitlines()) == 1001
    assert len(sql(data, sql_of, "--format", "csv", "--limit", 3).stdout.splitlines()) == 4


def test_an_interrupted_query_ends_without_a_traceback(data, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Tables, "ask", interrupted)
    done = sql(data, "SELECT 1")
    assert done.exit_code == 130 and "Traceback" not in done.output + done.stderr


def test_rows_come_as_they_are_computed(data):
    fails_at = "SELECT if(range < {0} - 1, range, error('too far')) FROM range({0})"
    late = fails_at.format(10**10)
    with Tables({"main": data}) as tables:
        assert list(islice(tables.ask(late).rows, 3)) == [(0,), (1,), (2,)]
        assert list(tables.ask(f"{late}; SELECT 7").rows) == [(7,)]
        with pytest.raises(DataError, match="too far"):
            list(tables.ask(fails_at.format(10**6)).rows)


def test_a_cross_join_is_computed_as_far_as_it_is_shown(data):
    """Also where columns are renamed and times become text, which goes through another query."""
    cross = "SELECT a.*, b.*, now() AS t FROM range(1000) a CROSS JOIN range(1000) b"
    late = f"{cross} WHERE if(a.range + b.range < 1998, true, error('too far'))"
    assert "(the first 200 rows;" in sql(data, late).stderr
    with Tables({"main": data}) as tables:
        rows = list(tables.ask(late, limit=201).rows)
        assert len(rows) == 201 and rows[0][:2] == (0, 0)
        with pytest.raises(DataError, match="too far"):
            list(tables.ask(late).rows)


@pytest.fixture
def ctrl_c_counts():
    """A shell ignores Ctrl-C in what it starts in the background, tests among it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("pause", [0, 1])
def test_ctrl_c_ends_a_query_that_returns_nothing_for_long(data, pause, ctrl_c_counts):
    """Also where it comes before DuckDB has begun, which is forgotten: `pause` seconds before."""
    slow = "SELECT 1 FROM range(1000000) a, range(1000) b WHERE hash(a.range || 'x' || b.range) = 1"

    def ask(tables: Tables) -> None:
        sleep(pause)
        tables._connection.execute(slow).fetchall()

    with Tables({"main": data}) as tables:
        start = perf_counter()
        Timer(0.5, signal.pthread_kill, (main_thread().ident, signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            tables.wait(ask, tables)
        assert perf_counter() - start < 10
        assert list(tables.ask("SELECT 1").rows) == [(1,)]


def test_csv_is_escaped_on_a_screen_and_as_it_is_in_a_file(data, tmp_path, monkeypatch):
    hostile, out = "SELECT 'a\x1b[2J\u202e,b\n' AS t", tmp_path / "t.csv"
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", screen)
    with Tables({"main": data}) as tables:
        for form in ("csv", "md"):
            answer_query(tables, hostile, form, None, None)
        answer_query(tables, hostile, None, out, None)
    assert not set(screen.getvalue()) & {"\x1b", "\u202e"}
    assert screen.getvalue().startswith('t\n"a\\u001b[2J\\u202e,b\n"\n')
    assert out.read_text() == 't\n"a\x1b[2J\u202e,b\n"\n'


def test_no_file_of_the_run_is_written_over(data, tmp_path, monkeypatch):
    table = data / "rounds/r1/train.parquet"
    before = table.read_bytes()
    for out in (table, data / "new.csv", data.parent / "metrics" / "m.json"):
        for command in (["sql", "SELECT 1"], ["ask", "rejected"]):
            done = RUN.invoke(cli.app, [*command, "-o", str(out), "--data", str(data)])
            assert done.exit_code == 1 and "among the files of the run" in done.stderr
    assert table.read_bytes() == before and not (data / "new.csv").exists()
    for command in (["sql", "SELECT 1", "--data", str(data)], ["ask", "rejected"], ["report"]):
        done = RUN.invoke(cli.app, ["--project", str(ROOT), *command, "-o", str(tmp_path)])
        assert done.exit_code == 1 and f"{tmp_path} is a folder" in done.stderr
    # Within a project, also by another name of its folder.
    for name in ("params.yaml", "dvc.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "data").symlink_to(data)
    monkeypatch.chdir(tmp_path)
    for name in (str(table), "data/../data/a.csv", "models/a.csv", "overrides.csv"):
        done = RUN.invoke(cli.app, ["sql", "SELECT 1", "-o", name])
        assert done.exit_code == 1 and "elsewhere" in done.stderr
    assert RUN.invoke(cli.app, ["sql", "SELECT 1", "-o", "a.csv"]).exit_code == 0


def test_an_ending_that_names_no_format_is_refused(data, tmp_path):
    for name in ("answer.xyz", "answer"):
        done = sql(data, "SELECT 1", "-o", tmp_path / name)
        assert done.exit_code == 1 and f"{name}: " in done.stderr and ".csv, .json" in done.stderr
        assert not (tmp_path / name).exists()
    assert sql(data, "SELECT 1", "-o", tmp_path / "a.xyz", "--format", "csv").exit_code == 0
    assert sql(data, "SELECT 1 AS x", "-o", tmp_path / "A.CSV").exit_code == 0
    assert (tmp_path / "A.CSV").read_text() == "x\n1\n"


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_a_query_that_fails_on_the_way_leaves_the_file_of_before(data, tmp_path, ending):
    file = tmp_path / f"kept.{ending}"
    file.write_text("before")
    fails = "SELECT CASE WHEN range = 99999 THEN error('late') ELSE 1 END AS x FROM range(100000)"
    assert sql(data, fails, "-o", file).exit_code == 1
    assert file.read_text() == "before" and [*tmp_path.iterdir()] == [file]


def test_links_and_pipes_are_written_through(data, tmp_path):
    real, link, pipe = (tmp_path / name for name in ("real.csv", "link.csv", "pipe"))
    link.symlink_to(real)
    assert sql(data, "SELECT 1 AS x", "-o", link).exit_code == 0
    assert link.is_symlink() and real.read_text() == "x\n1\n"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert sql(data, "SELECT 1 AS x", "-o", pipe, "--format", "csv").exit_code == 0
    assert os.read(reader, 10) == b"x\n1\n" and pipe.is_fifo()
    os.close(reader)


def test_the_prompt_answers_until_the_input_ends(data, tmp_path, monkeypatch, capsys):
    lines = iter(["SELECT 6", " * 7 AS n;", KeyboardInterrupt, "FROM nothing;", "SELECT 8 AS m;"])

    def typed(_: str) -> str:
        line = next(lines, EOFError)
        if isinstance(line, str):
            return line
        raise line

    monkeypatch.setattr("builtins.input", typed)
    with Tables({"main": data}) as tables:
        sql_prompt.run_prompt(tables, tmp_path / "state" / "history", None, None)
        assert sql_prompt.readline.get_completer()("led", 0) == "ledger"
    out = capsys.readouterr().out
    assert "42" in out and "(1 row)" in out and "no table nothing" in out and "8" in out
    assert (tmp_path / "state" / "history").is_file()
