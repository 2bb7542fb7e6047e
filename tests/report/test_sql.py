from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.core.tables import read_table, write_table
from mathse.figures.verifier import ANALYSES
from mathse.report.sql import Tables, list_queries, query, resolve_query
from mathse.report.views import VIEWS
from tests.report.world import build, complete

QUERIES = Path(__file__).resolve().parents[2] / "queries"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("it's a run") / "data")


def test_one_question_over_all_rounds(data):
    columns, rows = query(
        data, "SELECT round, origin, count(*) AS n FROM trajectories GROUP BY ALL ORDER BY ALL"
    )
    assert columns == ["round", "origin", "n"]
    assert rows == [("r0", "teacher", 1), ("r1", "reflection", 1), ("r1", "student", 4)]


def test_each_training_table_is_its_own_round(data):
    _, rows = query(data, "SELECT round, added_in, count(*) FROM train GROUP BY ALL ORDER BY ALL")
    assert rows == [("r0", "r0", 1), ("r1", "r0", 1), ("r1", "r1", 2)]


def test_verdicts_say_which_stage_gave_them(data):
    _, rows = query(data, "SELECT stage, count(*) FROM verdicts GROUP BY ALL ORDER BY ALL")
    assert rows == [("distill", 1), ("reflect", 1), ("score", 4)]


def test_the_round_comes_from_the_folder_where_the_table_has_none(data):
    assert query(data, "SELECT round, reason FROM dropped")[1] == [("r1", "near_identical")]
    assert query(data, "SELECT DISTINCT round FROM transitions")[1] == [("r1",)]
    assert "filename" not in query(data, "SELECT * FROM dropped")[0]


def test_what_the_orm_learned_from_a_round_has_its_name(tmp_path):
    for name, rows in (("r1", ["a"]), ("r2", ["a", "b"])):
        table = tmp_path / "data/rounds" / name / "orm/rows.parquet"
        write_table(pl.DataFrame({"row_id": rows}), table, sort_by=["row_id"])
    sql = "SELECT round, count(*) FROM orm_round_rows GROUP BY ALL ORDER BY ALL"
    assert query(tmp_path / "data", sql)[1] == [("r1", 1), ("r2", 2)]


def test_every_training_row_leads_back_to_its_problem(data):
    sql = """SELECT count(*), count(t.trajectory_id), count(v.trajectory_id), count(p.problem_id)
             FROM train r LEFT JOIN trajectories t USING (trajectory_id) LEFT JOIN verdicts v USING
             (trajectory_id) LEFT JOIN problems p ON p.problem_id = r.problem_id"""
    assert query(data, sql)[1] == [(4, 4, 4, 4)]


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


@pytest.mark.parametrize("sql", ["SELECT '图中' AS t", "SELECT '图中' AS t ; -- 图", "FROM t"])
def test_words_in_any_script_and_what_ends_a_statement(data, sql):
    assert query(data, f"CREATE TABLE t AS SELECT '图中' AS t; {sql}")[1] == [("图中",)]


def test_a_missing_folder_and_a_damaged_file_are_explained(data, tmp_path):
    with pytest.raises(DataError, match="no data folder"):
        query(tmp_path / "none", "SELECT 1")
    copy = shutil.copytree(data, tmp_path / "data")
    (copy / "rounds/r1/ledger.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"view ledger.*rounds/r1/ledger.parquet") as caught:
        query(copy, "FROM ledger")
    with pytest.raises(DataError, match="no rows for verdicts yet"):
        query(tmp_path, "FROM named_errors")
    assert "distill or merge" in str(caught.value) and "Traceback" not in str(caught.value)
    assert query(copy, "SELECT count(*) FROM train")[1] == [(4,)]


def test_an_empty_data_folder_has_no_views_but_answers(tmp_path):
    assert query(tmp_path, "SELECT 1 + 1 AS two")[1] == [(2,)]
    with pytest.raises(DataError, match="no rows for graded yet"):
        query(tmp_path, "SELECT * FROM graded")


def test_no_database_file_is_left(data):
    before = sorted(data.rglob("*"))
    query(data, "CREATE TABLE mine AS SELECT * FROM ledger; SELECT count(*) FROM mine")
    assert sorted(data.rglob("*")) == before


WITHOUT_ROWS = {"costs", "failures"}  # in the small run no model behind an API, no failed request


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return complete(build(tmp_path_factory.mktemp("whole") / "data"))


def test_each_named_question_has_an_answer(whole):
    questions = dict(list_queries(QUERIES))
    assert len(questions) >= 15
    with Tables({"main": whole}) as tables:
        for name, question in questions.items():
            assert question.endswith("?"), name
            answer = tables.ask(resolve_query(name, QUERIES))
            assert answer.columns and (name in WITHOUT_ROWS or list(answer.rows)), name


def test_questions_find_what_is_there(whole):
    def ask(name: str) -> list[tuple]:
        return query(whole, resolve_query(name, QUERIES))[1]

    assert {row[:2] for row in ask("broken")} == {("r1", "eval_hard")}
    assert len(ask("solved")) == 20 + 10 and {row[1] for row in ask("solved")} == {
        "eval",
        "eval_hard",
    }
    assert ask("reflections") == [("r1", "vision", 1, 1, 1, 100.0)]
    assert ask("orm") == [("r1", "reflect", 1, 0, 0, 100.0), ("r1", "score", 4, 1, 0, 75.0)]
    assert ask("forgetting") == [("sums", "base", 2, 1, 50.0)]
    assert ask("losses") == [("r1", 20, 2.0, 1.0, 1.0)]


def test_a_problem_that_a_later_round_solves_is_not_open(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "data")
    hardest = resolve_query("hardest", QUERIES)
    solved, *still_open = [row[0] for row in query(copy, hardest)[1]]
    ledger = read_table(copy / "rounds/r1/ledger.parquet")
    # In r9 all are open still, in r10 one is solved, although none was tried again.
    for name, state in (("r9", "remaining"), ("r10", "accepted")):
        is_solved = pl.col("problem_id") == solved
        state_then = pl.when(is_solved).then(pl.lit(state)).otherwise("state")
        later = ledger.with_columns(round=pl.lit(name), state=state_then)
        write_table(later, copy / f"rounds/{name}/ledger.parquet", sort_by=["problem_id"])
    assert [row[0] for row in query(copy, hardest)[1]] == still_open


def test_a_leaked_problem_is_counted_once(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "data")
    file = copy / "decontaminate/matches.parquet"
    match = read_table(file).head(1)
    others = [match.with_columns(other_id=pl.lit(digit * 16)) for digit in "bcd"]
    write_table(pl.concat(others), file, sort_by=["other_id"])
    (row,) = query(copy, resolve_query("leaks", QUERIES))[1]
    assert row[3] == 1


def test_an_error_has_the_kind_that_the_orm_names_or_that_of_its_analysis(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "data")
    file = copy / "rounds/r1/verdicts.parquet"
    lines = [
        ("vision", None, "The bars are not read as the figure shows."),
        ("calculation", None, ANALYSES["calculation"]),
        ("knowledge", "knowledge", ANALYSES["reasoning"]),
        ("not named", None, "The bar was misread."),
        ("not named", None, None),
    ]
    kinds, named, analyses = zip(*lines, strict=True)
    rows = pl.concat([read_table(file).filter(orm_status="wrong").head(1)] * len(lines))
    ids = [name * 16 for name in "abcde"]
    changed = {"trajectory_id": ids, "error_kind": named, "error_analysis": analyses}
    changed["error_step"] = [1] * (len(lines) - 1) + [None]
    rows = rows.with_columns(pl.Series(name, values) for name, values in changed.items())
    write_table(rows, file, sort_by=["trajectory_id"])
    assert query(copy, "SELECT kind FROM named_errors ORDER BY trajectory_id")[1] == [
        (kind,) for kind in kinds
    ]
    # The student's alone, as in the report: what the ORM says of reflections is left out.
    again = copy / "rounds/r1/reflection_verdicts.parquet"
    refused = read_table(again).with_columns(orm_status=pl.lit("wrong"), error_step=1)
    write_table(refused, again, sort_by=["trajectory_id"])
    found = query(copy, resolve_query("mistakes", QUERIES))[1]
    assert {row[1]: row[2] for row in found} == Counter(kinds)
    file = copy / "rounds/r1/reflections.parquet"
    parents = read_table(file).with_columns(parent_id=pl.lit(ids[1]))
    write_table(parents, file, sort_by=["trajectory_id"])
    (found,) = query(copy, resolve_query("reflections", QUERIES))[1]
    assert found[1] == "calculation"


def test_tokens_that_nobody_counted_are_blank(whole, tmp_path):
    copy = shutil.copytree(whole, tmp_path / "data")
    file = copy / "distill/trajectories.parquet"
    write_table(read_table(file).with_columns(response_tokens=0), file, sort_by=["trajectory_id"])
    found = {row[:2]: row[3:5] for row in query(copy, resolve_query("drift", QUERIES))[1]}
    assert found["r0", "teacher"] == (None, None) and found["r1", "student"] == (20.0, 20)


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
    written |= {"data/import/"}  # by `mathse import`
    for pattern in patterns:
        as_path = f"data/{pattern}".replace("*.parquet", "").replace("/orm/rows.parquet", "/orm")
        as_path = as_path.replace("control*", "${item}").replace("/*.tsv", "/r0.tsv")
        folders = [as_path.replace("/*/", part) for part in ("/r0/", "/${key}/")]
        assert any(path in pipeline for path in folders) or any(
            as_path.startswith(known) for known in written
        )


def test_sql_still_describes_and_makes_tables_in_memory(data):
    assert query(data, "DESCRIBE ledger")[1]
    assert query(data, "CREATE TABLE t AS SELECT 7 AS x; SELECT x FROM t")[1] == [(7,)]


def test_several_runs_are_schemas_and_the_first_one_needs_no_name(data, tmp_path):
    other = shutil.copytree(data, tmp_path / "data")
    (other / "rounds/r1/train.parquet").unlink()
    with Tables({"HEAD~1": data, "b": other}) as tables:
        sql = """SELECT (SELECT count(*) FROM train), (SELECT count(*) FROM "HEAD~1".train),
                 (SELECT count(*) FROM b.train), (SELECT count(*) FROM b.lineage)"""
        assert list(tables.ask(sql).rows) == [(4, 4, 1, 1)]
        assert {'"HEAD~1".lineage', "b.graded"} <= set(tables.names())


def test_lineage_leads_from_a_training_row_to_the_wrong_parent(data):
    sql = """SELECT origin, answer_state, parent_answer, parent_error_step, parent_analysis
             FROM lineage WHERE parent_id IS NOT NULL"""
    assert query(data, sql)[1] == [("reflection", "match", "6", 1, "The bar was misread.")]


def test_metrics_costs_and_code_are_tables(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    usage = {"reflector": {"requests": 3, "prompt_tokens": 70, "cost": 0.5}}
    for name, content in {
        "metrics/reflect/r1.json": {"r1": {"rows": 3, "details": [{"usage": usage}]}},
        "metrics/broken.json": [],
        "code/merge.json": {"mathse.core.ids": "00ff"},
        "code/roles/orm.json": {"model": None},
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(json.dumps(content))
    sql = "SELECT stage, round, value FROM metrics WHERE name = 'r1.rows'"
    assert query(copy, sql)[1] == [("reflect", "r1", 3.0)]
    assert query(copy, "FROM costs")[1] == [
        ("reflect", "r1", "reflector", 3, None, 70, None, None, 0.5)
    ]
    assert query(copy, "FROM code")[1] == [("merge", "mathse.core.ids", "00ff")]
    assert query(data, "FROM costs")[1] == []


def test_times_are_shown_in_a_zone(data):
    sql = "SELECT TIMESTAMPTZ '2026-01-01 00:00:00+00' AS t, 1 AS x, 2 AS x"
    with Tables({"main": data}, "Asia/Shanghai") as tables:
        answer = tables.ask(sql)
        assert answer.columns == ["t", "x", "x_1"]
        assert list(answer.rows) == [("2026-01-01 08:00:00+08", 1, 2)]
    with pytest.raises(DataError, match="no time zone"):
        Tables({"main": data}, "Moon")
