"""What SQL must not be able to do, tried in every way that DuckDB offers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mathse.core.errors import DataError
from mathse.report.sql import Tables, query
from tests.report.world import build

TABLE = "tables://main/rounds/r1/train.parquet"
WRITES = (
    "COPY (SELECT 1) TO '{target}'",
    "COPY (SELECT 1) TO '{target}' (FORMAT parquet, USE_TMP_FILE false)",
    "WITH x AS (COPY (SELECT 1) TO '{target}') SELECT 1",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{target}'",
    "PREPARE p AS COPY (SELECT 1) TO '{target}'; EXECUTE p",
    "SELECT 1; COPY (SELECT 1) TO '{target}'",
    "CREATE OR REPLACE TABLE t AS SELECT 1 AS x; COPY t TO '{target}'",
    "EXPORT DATABASE '{target}'",
    "ATTACH '{target}-other' AS other",
    "SELECT * FROM query('WITH x AS (COPY (SELECT 1) TO ''{target}'') SELECT 1')",
)
READS = (
    "FROM read_csv('{file}')",
    "FROM read_text('{file}')",
    "FROM read_blob('{file}')",
    "FROM '{file}'",
    "FROM sniff_csv('{file}')",
    "FROM glob('{file}')",
    "COPY t FROM '{file}'",
    "ATTACH '{file}' (READ_ONLY)",
    "FROM read_csv('tables://main/../../{file}')",
    "FROM read_csv('https://example.com/x.csv')",
    "FROM read_parquet('tables://main/eval/none.parquet')",
)
SETTINGS = (
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "SET allowed_directories = ['/']",
    "SET temp_directory = '/tmp'",
    "SET GLOBAL threads = 1",
    "RESET allowed_directories",
    "PRAGMA enable_external_access = true",
    "PRAGMA profiling_output = '/tmp/x'",
    "CALL enable_logging(storage = 'file', storage_path = '/tmp/x')",
    "INSTALL httpfs",
    "INSTALL httpfs FROM community",
    "LOAD httpfs",
    "LOAD '/tmp/x.duckdb_extension'",
    "UPDATE EXTENSIONS",
    "CREATE PERSISTENT SECRET s (TYPE http)",
    "SELECT getenv('HOME')",
    "IMPORT DATABASE '/tmp'",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's data folder, beside a file that SQL must not see."""
    folder = tmp_path_factory.mktemp("confined")
    data = build(folder / "run" / "data")
    (folder / "secret.csv").write_text("secret\n1\n")
    shutil.copy(folder / "secret.csv", data / "secret.csv")
    return data


@pytest.fixture
def tables(run):
    with Tables({"main": run}) as tables:
        yield tables


def contents(folder: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def fails(tables: Tables, sql: str) -> None:
    with pytest.raises(DataError) as caught:
        list(tables.ask(sql).rows)
        pytest.fail(f"this was answered: {sql}")
    text = str(caught.value)
    assert "secret\n" not in text and "Traceback" not in text


@pytest.mark.parametrize("into", ["outside", "data", "table", "new table", "here"])
def test_nothing_is_written(run, tables, monkeypatch, into):
    outside = run.parents[1]
    monkeypatch.chdir(outside)
    target = {
        "outside": outside / "new.csv",
        "data": run / "rounds/r1/train.parquet",
        "table": TABLE,
        "new table": "tables://main/new.parquet",
        "here": ".tmp/new.csv",
    }[into]
    before = contents(outside)
    for sql in WRITES:
        fails(tables, sql.format(target=target))
        assert contents(outside) == before, sql


def test_a_database_of_a_table_stays_in_memory(run, tables):
    before = contents(run)
    tables.ask(f"ATTACH '{TABLE}' AS other; CREATE TABLE other.t AS SELECT 1; CHECKPOINT other")
    assert contents(run) == before


@pytest.mark.parametrize("file", ["/etc/passwd", "outside", "beside"])
def test_no_other_file_is_read(run, tables, file):
    file = {"outside": run.parents[1] / "secret.csv", "beside": run / "secret.csv"}.get(file, file)
    tables.ask("CREATE TABLE t (x VARCHAR)")
    for sql in READS:
        fails(tables, sql.format(file=file))


def test_no_setting_changes_and_nothing_is_installed(tables):
    for sql in SETTINGS:
        fails(tables, sql)
    allowed = tables.rows("SELECT current_setting('allowed_directories') AS found")
    assert allowed == [{"found": ["tables://"]}]


def test_a_link_in_the_data_folder_is_a_table_like_any_other(tmp_path):
    run = build(tmp_path / "data")
    file = run / "rounds/r1/train.parquet"
    shutil.move(file, tmp_path / "cache")
    file.symlink_to(tmp_path / "cache")
    assert query(run, "SELECT count(*) FROM train")[1] == [(4,)]
