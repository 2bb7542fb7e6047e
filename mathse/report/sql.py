"""SQL over the tables of all rounds: views of an in-memory DuckDB on the Parquet files."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from mathse.core.errors import DataError
from mathse.core.layout import Layout
from mathse.core.text import printable

# "…/rounds/r1/train.parquet" gives r1
_ROUND_OF_FILE = r"regexp_extract(filename, '(?:rounds|eval)/([^/]+)/[^/]+$', 1)"
_MISSING_TABLE = re.compile(r"Table with name (\w+) does not exist")  # DuckDB's message


@dataclass(frozen=True)
class View:
    """One view: the files it reads, each with the columns added to its rows."""

    sources: tuple[tuple[str, str], ...]  # patterns below the data folder, and what to select
    made_by: str  # the stage that writes the files


def _view(made_by: str, *sources: Path | tuple[Path, str]) -> View:
    pairs = [source if isinstance(source, tuple) else (source, "*") for source in sources]
    return View(tuple((str(path.relative_to("data")), columns) for path, columns in pairs), made_by)


_PROJECT = Layout()
_ROUND, _EVAL = _PROJECT.round("*"), _PROJECT.eval("*")
_WITH_ROUND = "*, {round} AS round"  # {round}: the round that the file's folder names
VIEWS: dict[str, View] = {
    "problems": _view("problems", _PROJECT.problems),
    "images": _view("problems", (_PROJECT.images / "*.parquet", "* EXCLUDE (bytes)")),
    "quarantine": _view("problems", _PROJECT.quarantine),
    "matches": _view("decontaminate", _PROJECT.matches),
    "trajectories": _view(
        "distill, generate or reflect",
        _PROJECT.distill.trajectories,
        _ROUND.trajectories,
        _ROUND.reflections,
    ),
    "reflections": _view("reflect", _ROUND.reflections),
    "mistakes": _view("score", (_ROUND.mistakes, _WITH_ROUND)),
    "verdicts": _view(
        "distill, score or reflect",
        (_PROJECT.distill.verdicts, "*, 'distill' AS stage"),
        (_ROUND.verdicts, "*, 'score' AS stage"),
        (_ROUND.reflection_verdicts, "*, 'reflect' AS stage"),
    ),
    "train": _view(
        "distill or merge", (_ROUND.train, "* RENAME (round AS added_in), {round} AS round")
    ),
    "ledger": _view("distill or merge", _ROUND.ledger),
    "dropped": _view("merge", (_ROUND.dropped, _WITH_ROUND)),
    "orm_rows": _view("orm_data", _PROJECT.orm.rows),
    "orm_trajectories": _view("orm_data", _PROJECT.orm.trajectories),
    "orm_judgements": _view("eval_orm", _PROJECT.orm.judgements),
    "predictions": _view("predict", _EVAL.predictions),
    "graded": _view("eval", _EVAL.graded),
    "accuracy": _view("eval", _EVAL.accuracy),
    "transitions": _view("eval", (_EVAL.transitions, _WITH_ROUND)),
}
"""All views. In `train`, `round` names the training table that a row is in, `added_in` the round
that added it. In `verdicts`, `stage` is distill for the teacher's trajectories, score for the
student's and reflect for reflections."""


@dataclass(frozen=True)
class Result:
    """What a query returned."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def as_csv(self) -> str:
        """Return CSV with a header; lists and mappings are written as JSON, nulls as nothing."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([_plain(cell) for cell in row] for row in self.rows)
        return out.getvalue()

    def as_json(self) -> str:
        """Return a JSON list of one object per row; what steers a terminal is escaped."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return printable(json.dumps(rows, ensure_ascii=False, indent=2, default=str))


def connect(data: str | Path) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database with a view for each table that has files.

    SQL in it can read the data folder and no other file, and cannot change that.

    Raises:
        DataError: if there is no such folder, or a table's file is damaged.
    """
    root = Path(data).resolve()
    if not root.is_dir():
        fix = "run `make repro`, or name it with --data"
        raise DataError("There is no data folder here.", file=data, fix=fix)
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    for name, view in VIEWS.items():
        if parts := _selects(root, view):
            try:
                connection.execute(f'CREATE VIEW "{name}" AS {" UNION ALL BY NAME ".join(parts)}')
            except duckdb.Error as error:
                reason = str(error).strip().splitlines()[0]
                message = f"The view {name} cannot be made: {reason}"
                rule = "the files of a table are whole and have the same columns"
                fix = f"run the stage that writes it again: {view.made_by}"
                raise DataError(message, file=root, rule=rule, fix=fix) from error
    connection.execute(f"SET allowed_directories=[{_quoted(f'{root.as_posix()}/')}]")
    connection.execute("SET enable_external_access=false; SET lock_configuration=true")
    return connection


def query(data: str | Path, sql: str) -> Result:
    """Return the rows of the last of one or more SQL statements.

    Raises:
        DataError: if the SQL is wrong, or asks for a table that has no files yet.
    """
    with connect(data) as connection:
        try:
            kinds = {statement.type.name for statement in connection.extract_statements(sql)}
            if writing := kinds & {"COPY", "COPY_DATABASE", "EXPORT", "ATTACH"}:
                listed = ", ".join(sorted(writing))
                message = f"Queries write no files: {listed} is not allowed."
                raise DataError(message, fix="take the rows from --csv or --json")
            answer = connection.execute(sql)
            if answer.description is None:
                return Result([], [])
            return Result([column[0] for column in answer.description], answer.fetchall())
        except duckdb.Error as error:
            raise _explain(error, Path(data)) from error


def files_of(data: str | Path, name: str) -> list[Path]:
    """Return the files that a view reads, sorted within each pattern."""
    root = Path(data)
    return [file for pattern, _ in VIEWS[name].sources for file in sorted(root.glob(pattern))]


def resolve_query(text: str, folder: str | Path) -> str:
    """Return SQL: the text itself, or what is in the file it names.

    A file is named by its path, or, in the queries folder, by its name with or without `.sql`.

    Raises:
        DataError: if the text can only be a name and there is no such file.
    """
    name = text.strip()
    if re.search(r"\s", name):
        return text
    for file in (Path(name), Path(folder) / name, Path(folder) / f"{name}.sql"):
        if file.suffix == ".sql" and file.is_file():
            return file.read_text(encoding="utf-8")
    known = ", ".join(query for query, _ in list_queries(folder)) or "none"
    message = f"{name!r} is neither SQL nor the name of a query."
    raise DataError(message, file=folder, fix=f"take one of these queries: {known}")


def list_queries(folder: str | Path) -> list[tuple[str, str]]:
    """Return the name of each query in a folder and the question in its first comment line."""
    texts = {file.stem: file.read_text("utf-8") for file in sorted(Path(folder).glob("*.sql"))}
    return [
        (name, text.partition("\n")[0].removeprefix("--").strip()) for name, text in texts.items()
    ]


def _selects(root: Path, view: View) -> list[str]:
    """Return a SELECT for each pattern of a view that has files."""
    parts = []
    for pattern, columns in view.sources:
        if files := sorted(root.glob(pattern)):
            names = ", ".join(_quoted(file.as_posix()) for file in files)
            listed = columns.replace("{round}", _ROUND_OF_FILE)
            if listed != columns:  # DuckDB then adds the column `filename` to *
                listed = listed.replace("*", "* EXCLUDE (filename)", 1)
            options = f"union_by_name=true, filename={listed != columns}, hive_partitioning=false"
            parts.append(f"SELECT {listed} FROM read_parquet([{names}], {options})")
    return parts


def _explain(error: duckdb.Error, root: Path) -> DataError:
    missing = _MISSING_TABLE.search(str(error))
    name = missing[1].lower() if missing else ""
    if name in VIEWS:
        patterns = " or ".join(pattern for pattern, _ in VIEWS[name].sources)
        message = f"There are no rows for {name} yet: no file fits {patterns}."
        return DataError(
            message, file=root, fix=f"run the stage that writes it: {VIEWS[name].made_by}"
        )
    if missing:
        made = ", ".join(view for view in VIEWS if files_of(root, view))
        return DataError(f"There is no table {name}.", file=root, fix=f"these are there: {made}")
    return DataError(f"DuckDB cannot answer this: {str(error).strip()}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(cell: Any) -> Any:
    is_nested = isinstance(cell, list | dict)
    return json.dumps(cell, ensure_ascii=False, default=str) if is_nested else cell
