"""SQL over the tables of all rounds: a DuckDB in memory that reads them, and no other file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import duckdb

from mathse.core.errors import DataError
from mathse.report.table_reader import READ_ONLY, TableReader
from mathse.report.views import DERIVED, METRIC_TABLES, VIEWS, metric_rows, quote, select_of

MAIN = "main"
_MISSING_TABLE = re.compile(r"Table with name (\w+) does not exist")  # DuckDB's message
_REASON = re.compile(r"^(?:[A-Z]\w* )*\w*Error: (.+)", re.MULTILINE)  # "IO Error: No file x"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_persistent_secrets": False,
    "temp_directory": "",
}
_BATCH_ROWS = 10_000
Row = dict[str, Any]
Given = ParamSpec("Given")
Result = TypeVar("Result")


@dataclass
class Answer:
    """What a query returns: its columns, each with a name of its own, and its rows as they come."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]
    relation: Any = None  # the DuckDB relation, for those who want types; None: nothing to return


class Tables(AbstractContextManager["Tables"]):
    """The tables of one or more runs, to be asked in SQL. To be closed, or used in `with`.

    SQL sees the views of `mathse.report.views` and can make tables in memory. It reads no other
    file and writes none. A damaged file spoils the views that read it, and no other one.

    Args:
        folders: the data folder of each schema. The names in a query are those of the first one;
            `a.graded` is a view of the schema `a`.
        time_zone: the one in which times are shown, such as Europe/Berlin.

    Raises:
        DataError: if a folder does not exist, or there is no such time zone.
    """

    def __init__(self, folders: Mapping[str, str | Path], time_zone: str = "UTC") -> None:
        self.folders = {name: Path(folder).resolve() for name, folder in folders.items()}
        for folder in self.folders.values():
            if not folder.is_dir():
                fix = "run `make repro`, or name it with --data"
                raise DataError("There is no data folder here.", file=folder, fix=fix)
        self.damaged: dict[str, str] = {}  # why views could not be made, by name
        self._connection = duckdb.connect(":memory:", config=_CONFIG)
        self._make_views()
        first = quote(f'"{next(iter(self.folders))}"')
        self._connection.execute(f"SET search_path = {first}")
        try:
            self._connection.execute(f"SET TimeZone = {quote(time_zone)}")
        except duckdb.Error as error:
            self.close()
            raise DataError(f"{time_zone!r} is no time zone.", fix="name one as UTC") from error
        # From here on: no file but those of the reader, and no way to change that.
        self._connection.execute(
            "SET enable_progress_bar = false; SET allowed_directories = ['tables://'];"
            "SET enable_external_access = false; SET lock_configuration = true"
        )

    def __exit__(self, *_: object) -> None:
        """Close the database."""
        self.close()

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def ask(self, sql: str, *, limit: int | None = None) -> Answer:
        """Run one or more SQL statements; return what the last one returns.

        Args:
            sql: the statements.
            limit: most rows to compute.

        Raises:
            DataError: if the SQL is wrong, or asks for a table that has no files yet.
        """
        try:
            statements = self._connection.extract_statements(sql)
            for statement in statements[:-1]:
                self.wait(self._connection.execute, statement)
            text = _strip_end(statements[-1].query) if statements else "SELECT 1 LIMIT 0"
            relation = self.wait(self._connection.sql, text)
            if not statements or relation is None:
                return Answer([], iter(()))
            # Each column gets a name of its own; times with a zone become text, in that zone.
            names = [_name(name) for name in _unique(relation.columns)]
            types = ["VARCHAR" if "ZONE" in str(kind) else str(kind) for kind in relation.types]
            has_times = types != [str(kind) for kind in relation.types]
            if has_times or len({*relation.columns}) < len(names):
                cast = (f"CAST({n} AS {kind}) AS {n}" for n, kind in zip(names, types, strict=True))
                listed = f"SELECT {', '.join(cast)} FROM answer AS answer({', '.join(names)})"
                # Not `or`: whether a relation is true, Python learns by counting all of its rows.
                found = relation.query("answer", listed)
                relation = relation if found is None else found
            relation = relation if limit is None else relation.limit(limit)
            return Answer(list(relation.columns), self._fetch(relation), relation)
        except (duckdb.Error, ValueError) as error:
            raise self.explain(error) from error

    def wait(
        self, work: Callable[Given, Result], *args: Given.args, **kwargs: Given.kwargs
    ) -> Result:
        """Return what a function of DuckDB returns. Ctrl-C ends it, which DuckDB alone can miss."""
        with futures.ThreadPoolExecutor(1) as pool:
            future = pool.submit(work, *args, **kwargs)
            try:
                # Polars has a handler after which a wait without an end goes on.
                while not future.done():
                    futures.wait([future], timeout=0.1)
                return future.result()
            except KeyboardInterrupt:
                # Again and again: DuckDB forgets an interruption from before a query's start.
                while not future.done():
                    self._connection.interrupt()
                    futures.wait([future], timeout=0.1)
                raise

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return the rows of one statement by the names of their columns; `?` stand for values."""
        try:
            found = self._connection.execute(sql, list(values))
            names = [column[0] for column in found.description or []]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        except duckdb.Error as error:
            raise self.explain(error) from error

    def names(self) -> list[str]:
        """Return the views that can be asked, as a query writes them."""
        sql = (
            "SELECT schema_name, table_name FROM "
            "(FROM duckdb_tables() SELECT schema_name, table_name UNION ALL "
            "FROM duckdb_views() SELECT schema_name, view_name WHERE NOT internal)"
        )
        order = {name: index for index, name in enumerate([*VIEWS, *DERIVED, *METRIC_TABLES])}
        found = sorted(
            self._connection.execute(sql).fetchall(),
            key=lambda pair: (pair[0], order.get(pair[1], len(order)), pair[1]),
        )
        several = len(self.folders) > 1
        return [f"{_name(schema)}.{table}" if several else table for schema, table in found]

    def columns(self) -> set[str]:
        """Return the names of all columns."""
        sql = "SELECT DISTINCT column_name FROM duckdb_columns() WHERE NOT internal"
        return {name for (name,) in self._connection.execute(sql).fetchall()}

    def explain(self, error: Exception) -> DataError:
        """Return an error of DuckDB in words for people."""
        text = self._real_names(str(error).strip())
        if READ_ONLY in text:
            return DataError("Queries write no files.", fix="take the rows with --out FILE")
        # A view that could not be made, or that has no files yet.
        missing = _MISSING_TABLE.search(text)
        name = missing[1].lower() if missing else ""
        schema, file = next(iter(self.folders.items()))
        if name in self.damaged:
            rule = "the files of a table are whole and have the same columns"
            return DataError(
                f"The view {name} cannot be made: {self.damaged[name]}",
                file=file,
                rule=rule,
                fix=f"run again what writes it: {VIEWS[name].made_by}",
            )
        if name in DERIVED:  # for want of a table that it reads
            try:
                self._connection.sql(DERIVED[name].replace("{schema}", _name(schema)))
            except duckdb.Error as cause:
                return self.explain(cause)
        if name in VIEWS:
            patterns = " or ".join(pattern for pattern, _ in VIEWS[name].sources)
            message = f"There are no rows for {name} yet: no file fits {patterns}."
            return DataError(message, file=file, fix=f"run what writes it: {VIEWS[name].made_by}")
        # A name that no view has; all else in DuckDB's words.
        if missing:
            known = ", ".join(self.names())
            return DataError(
                f"There is no table {name}.", file=file, fix=f"these are there: {known}"
            )
        if "Traceback" in text:
            text = _REASON.findall(text)[-1]
        return DataError(f"DuckDB cannot answer this: {text}")

    def _make_views(self) -> None:
        """Make the views of all schemas; note those that cannot be made."""
        reader = TableReader({})
        self._connection.register_filesystem(reader)
        for schema, folder in self.folders.items():
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_name(schema)}")
            # Tables on disk.
            for view, definition in VIEWS.items():
                sources = []
                for pattern, columns in definition.sources:
                    files = sorted(folder.glob(pattern))
                    named = {
                        f"{schema}/{file.relative_to(folder).as_posix()}": file for file in files
                    }
                    reader.files |= named
                    if named:
                        sources.append((columns, [f"tables://{name}" for name in named]))
                if sources:
                    self._make(schema, view, select_of(definition, sources))
            # What follows from them, and from JSON files.
            for view, derived in DERIVED.items():
                self._make(schema, view, derived.replace("{schema}", _name(schema)))
            for table, types in METRIC_TABLES.items():
                target = f"{_name(schema)}.{table}"
                self._connection.execute(f"CREATE TABLE {target} ({', '.join(types)})")
                if rows := metric_rows(folder.parent, table):
                    unnested = ", ".join("unnest(?)" for _ in types)
                    values = [list(column) for column in zip(*rows, strict=True)]
                    self._connection.execute(f"INSERT INTO {target} SELECT {unnested}", values)

    def _make(self, schema: str, view: str, sql: str) -> None:
        try:
            self._connection.execute(f"CREATE VIEW {_name(schema)}.{view} AS {sql}")
        except duckdb.Error as error:
            text = self._real_names(str(error))
            if view in VIEWS:
                self.damaged[view] = (_REASON.findall(text) or [text])[-1].strip()

    def _fetch(self, relation: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a relation as they are computed; few are in memory at a time."""
        try:
            # Not `relation.iter_rows`, which computes all rows before the first.
            found = self.wait(self._connection.execute, relation.sql_query())
            while rows := self.wait(found.fetchmany, _BATCH_ROWS):
                yield from rows
        except duckdb.Error as error:
            raise self.explain(error) from error

    def _real_names(self, text: str) -> str:
        for schema, folder in self.folders.items():  # "tables://main/rounds/r1/train.parquet"
            text = text.replace(f"tables://{schema}/", f"{folder}/")
        return text


def query(data: str | Path, sql: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return columns and rows of the last of one or more SQL statements; see `Tables.ask`."""
    with Tables({MAIN: data}) as tables:
        answer = tables.ask(sql)
        return answer.columns, list(answer.rows)


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


def _unique(names: Sequence[str]) -> list[str]:
    """Return names with those that occur again numbered, as DuckDB does it: x, x_1."""
    found: list[str] = []
    for name in names:
        number = 1
        unique = name
        while unique in found:
            unique, number = f"{name}_{number}", number + 1
        found.append(unique)
    return found


def _strip_end(sql: str) -> str:
    """Return a statement without the semicolon and the comments at its end."""
    text = sql.encode()  # DuckDB counts in bytes
    end = len(text)
    for start, kind in reversed(duckdb.tokenize(sql)):
        if kind != duckdb.token_type.comment and text[start : start + 1] != b";":
            break
        end = start
    return text[:end].decode()


def _name(name: str) -> str:
    """Return the name of a schema as SQL writes it: main, "HEAD~1"."""
    # main, r1, but not HEAD~1
    return name if re.fullmatch(r"[a-z_]\w*", name) else '"' + name.replace('"', '""') + '"'
