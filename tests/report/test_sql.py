from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from mathse.core.errors import DataError
from mathse.report.sql import VIEWS, connect, list_queries, query, resolve_query
from tests.report.world import build

QUERIES = Path(__file__).resolve().parents[2] / "queries"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("it's a run") / "data")


def test_one_question_over_all_rounds(data):
    found = query(
        data, "SELECT round, origin, count(*) AS n FROM trajectories GROUP BY ALL ORDER BY ALL"
    )
    assert found.columns == ["round", "origin", "n"]
    assert found.rows == [("r0", "teacher", 1), ("r1", "reflection", 1), ("r1", "student", 4)]


def test_each_training_table_is_its_own_round(data):
    found = query(data, "SELECT round, added_in, count(*) FROM train GROUP BY ALL ORDER BY ALL")
    assert found.rows == [("r0", "r0", 1), ("r1", "r0", 1), ("r1", "r1", 2)]


def test_verdicts_say_which_stage_gave_them(data):
    found = query(data, "SELECT stage, count(*) FROM verdicts GROUP BY ALL ORDER BY ALL")
    assert found.rows == [("distill", 1), ("reflect", 1), ("score", 4)]


def test_the_round_comes_from_the_folder_where_the_table_has_none(data):
    assert query(data, "SELECT round, reason FROM dropped").rows == [("r1", "near_identical")]
    assert query(data, "SELECT DISTINCT round FROM transitions").rows == [("r1",)]
    assert "filename" not in query(data, "SELECT * FROM dropped").columns


def test_every_training_row_leads_back_to_its_problem(data):
    sql = """SELECT count(*), count(t.trajectory_id), count(v.trajectory_id), count(p.problem_id)
             FROM train r LEFT JOIN trajectories t USING (trajectory_id) LEFT JOIN verdicts v USING
             (trajectory_id) LEFT JOIN problems p ON p.problem_id = r.problem_id"""
    assert query(data, sql).rows == [(4, 4, 4, 4)]


def test_a_table_without_files_is_explained(data):
    with pytest.raises(DataError) as caught:
        query(data, "SELECT * FROM orm_judgements")
    assert "orm/judgements.parquet" in str(caught.value) and "eval_orm" in str(caught.value)


def test_an_unknown_table_and_bad_sql_are_explained(data):
    with pytest.raises(DataError, match="There is no table nonsense") as caught:
        query(data, "SELECT * FROM nonsense")
    assert "trajectories" in str(caught.value) and "orm_judgements" not in str(caught.value)
    with pytest.raises(DataError, match="cannot answer"):
        query(data, "SELEC 1")
    with pytest.raises(DataError, match="origins"):
        query(data, "SELECT origins FROM trajectories")


def test_a_missing_folder_and_a_damaged_file_are_explained(data, tmp_path):
    with pytest.raises(DataError, match="no data folder"):
        connect(tmp_path / "none")
    copy = shutil.copytree(data, tmp_path / "data")
    (copy / "rounds/r1/ledger.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="view ledger"):
        query(copy, "SELECT 1")


def test_an_empty_data_folder_has_no_views_but_answers(tmp_path):
    assert query(tmp_path, "SELECT 1 + 1 AS two").rows == [(2,)]
    with pytest.raises(DataError, match="no rows for graded yet"):
        query(tmp_path, "SELECT * FROM graded")


def test_no_database_file_is_left(data):
    before = sorted(data.rglob("*"))
    query(data, "CREATE TABLE mine AS SELECT * FROM ledger; SELECT count(*) FROM mine")
    assert sorted(data.rglob("*")) == before


def test_csv_and_json(data):
    found = query(
        data, "SELECT problem_id, choices, unit, level FROM problems ORDER BY choices DESC LIMIT 1"
    )
    (row,) = csv.DictReader(io.StringIO(found.as_csv()))
    assert json.loads(row["choices"]) == ["6", "7"] and row["unit"] == "" and row["level"] == "1"
    (entry,) = json.loads(found.as_json())
    assert entry == {
        "problem_id": row["problem_id"],
        "choices": ["6", "7"],
        "unit": None,
        "level": 1,
    }


NEEDED_ELSEWHERE = {"disagreements", "moves"}


@pytest.mark.parametrize("name", sorted(file.stem for file in QUERIES.glob("*.sql")))
def test_each_stored_query_runs(data, name):
    found = query(data, resolve_query(name, QUERIES))
    assert found.columns and (found.rows or name in NEEDED_ELSEWHERE)
    questions = dict(list_queries(QUERIES))
    assert questions[name].endswith("?")


def test_a_query_is_found_by_name_path_or_taken_as_sql(tmp_path):
    file = tmp_path / "one.sql"
    file.write_text("-- One?\nSELECT 1")
    for text in ("one", "one.sql", str(file)):
        assert resolve_query(text, tmp_path) == "-- One?\nSELECT 1"
    assert resolve_query("SELECT 2", tmp_path) == "SELECT 2"
    with pytest.raises(DataError, match="one"):
        resolve_query("two", tmp_path)


def test_the_views_are_the_tables_that_the_pipeline_writes():
    patterns = [pattern for view in VIEWS.values() for pattern, _ in view.sources]
    pipeline = (QUERIES.parent / "dvc.yaml").read_text()
    written = {"data/problems", "data/distill", "data/orm/data", "data/orm/judgements.parquet"}
    for pattern in patterns:
        as_path = f"data/{pattern}".replace("*.parquet", "")
        folders = [as_path.replace("/*/", part) for part in ("/r0/", "/${key}/")]
        assert any(path in pipeline for path in folders) or any(
            as_path.startswith(known) for known in written
        )


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{outside}/secret.csv')",
        "SELECT * FROM read_text('{data}/../secret.csv')",
        "COPY (SELECT 1) TO '{outside}/new.csv'",
        "COPY (SELECT 1) TO '{data}/new.csv'",
        "SELECT 1; COPY (SELECT 1) TO '{data}/new.csv'",
        "EXPORT DATABASE '{data}/new'",
        "ATTACH '{outside}/new.db'",
        "SET enable_external_access=true",
        "SET allowed_directories=['/']",
    ],
)
def test_sql_reads_the_data_folder_alone_and_writes_nothing(data, tmp_path, sql):
    copy = shutil.copytree(data, tmp_path / "run" / "data")
    for folder in (tmp_path, copy.parent):
        (folder / "secret.csv").write_text("secret\n1\n")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError):
        query(copy, sql.format(outside=tmp_path, data=copy))
    assert sorted(tmp_path.rglob("*")) == before


def test_sql_still_describes_and_makes_tables_in_memory(data):
    assert query(data, "DESCRIBE ledger").rows
    assert query(data, "CREATE TABLE t AS SELECT 7 AS x; SELECT x FROM t").rows == [(7,)]
