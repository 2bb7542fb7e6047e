"""The tables of a run as the report reads them: what is not there yet has no rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import polars as pl
import yaml

import schemas
from mathse.core.errors import DataError
from mathse.core.layout import Layout
from mathse.report.summary import BASE, FIRST_ROUND, previous_models, sort_rounds

# The origin of evaluation answers, and of the trajectories that the ORM is tested on.
EVALUATION, ORM_TEST = "evaluation", "ORM test"
_SCANNED = re.compile(r"Parquet SCAN \[(.+)\]")  # Parquet SCAN [data/problems.parquet]
_FIX = "run the stage that writes it: `dvc repro`"


class RunTables:
    """The tables of one run.

    Attributes:
        label: the revision; empty where there is one run alone.
        params: what `params.yaml` has.
        loop: r0 and the rounds of `params.yaml`, in order.
        controls: the controls of `params.yaml`.
        models: base, the rounds and the controls that were evaluated, in order.
        left_out: models that were evaluated before, but are not in `params.yaml`: their answers or
            their metrics are there.
    """

    def __init__(self, layout: Layout, label: str = "") -> None:
        self.layout, self.label = layout, label
        # Not by `load_params`: a revision may lack a parameter of today.
        self.params = yaml.safe_load(layout.params.read_text(encoding="utf-8"))
        self.controls: list[str] = self.params.get("controls") or []
        self.loop = [FIRST_ROUND, *(self.params.get("rounds") or {})]
        self._previous = previous_models(self.params)
        known = [BASE, *self.loop, *self.controls]
        evaluated = [name for name in known if layout.eval(name).graded.is_file()]
        self.models = sort_rounds(evaluated, self.loop)
        pattern = layout.eval("*").graded
        found = set(layout.find(pattern))
        found |= {file.stem for file in layout.metrics("eval", "*").parent.glob("*.json")}
        self.left_out = sort_rounds(found - {*known})
        if not self.models:
            pattern = pattern.relative_to(layout.folder)
            message = f"No round was evaluated yet: no file fits {pattern}."
            raise DataError(message, file=layout.evaluations, fix="run `make repro`")

    def named(self, model: str) -> str:
        """Return the name of a model in the page: "r1", or "HEAD~1:r1" where there are two runs."""
        return f"{self.label}:{model}" if self.label else model

    def previous(self, model: str) -> str | None:
        """Return the model that one is compared with: that of the round before, if evaluated."""
        previous = self._previous.get(model)
        return previous if previous in self.models else None

    @cached_property
    def problems(self) -> pl.DataFrame:
        """Return the `Problem` rows."""
        return collect(scan([self.layout.problems], schemas.Problem))

    @cached_property
    def trajectories(self) -> pl.LazyFrame:
        """Return the `Trajectory` rows of the teacher, the student and the reflections."""
        rounds = [self.layout.round(name) for name in self.loop[1:]]
        files = [self.layout.distill.trajectories, *(files.trajectories for files in rounds)]
        return scan([*files, *(files.reflections for files in rounds)], schemas.Trajectory)

    @cached_property
    def verdicts(self) -> pl.DataFrame:
        """Return the `Verdict` rows of the rounds, with the origin of their trajectories."""
        rounds = [self.layout.round(name) for name in self.loop[1:]]
        origins = {
            "student": [files.verdicts for files in rounds],
            "reflection": [files.reflection_verdicts for files in rounds],
            "teacher": [self.layout.distill.verdicts],
        }
        tables = [
            scan(files, schemas.Verdict).with_columns(origin=pl.lit(origin))
            for origin, files in origins.items()
        ]
        return collect(pl.concat(tables))

    @cached_property
    def ledgers(self) -> dict[str, pl.DataFrame]:
        """Return the `LedgerRow` rows of each round."""
        files = {name: self.layout.round(name).ledger for name in self.loop}
        found = {name: collect(scan([file], schemas.LedgerRow)) for name, file in files.items()}
        return {name: rows for name, rows in found.items() if rows.height}

    @cached_property
    def train(self) -> pl.DataFrame:
        """Return trajectory_id, round and origin of each training row, by the round that added it.

        Limits on rows of a problem may drop a row again: it is listed nevertheless.
        """
        files = [self.layout.round(name).train for name in self.loop]
        rows = scan(files, schemas.TrainRow).select("trajectory_id", "round", "origin")
        return collect(rows.unique("trajectory_id", maintain_order=True))

    @cached_property
    def dropped(self) -> pl.DataFrame:
        """Return trajectory_id, reason and round of accepted trajectories without a row."""
        empty = pl.LazyFrame(
            schema=schemas.column_types(schemas.Verdict, "trajectory_id", "reason")
        )
        tables = [
            (_open(file) if file.is_file() else empty).with_columns(round=pl.lit(name))
            for name in self.loop[1:]
            if (file := self.layout.round(name).dropped)
        ]
        return collect(pl.concat(tables)) if tables else empty.collect()

    @cached_property
    def graded(self) -> pl.DataFrame:
        """Return the `Graded` rows of all models; cluster is null in tables of older runs."""
        files = [self.layout.eval(name).graded for name in self.models]
        return collect(scan(files, schemas.Graded, may_lack=("cluster",)))

    @cached_property
    def predictions(self) -> pl.LazyFrame:
        """Return the `Prediction` rows of all models."""
        files = [self.layout.eval(name).predictions for name in self.models]
        return scan(files, schemas.Prediction)

    @cached_property
    def accuracy(self) -> pl.DataFrame:
        """Return round, split, source, by, group, n, correct, accuracy, low, high of all models."""
        files = [self.layout.eval(name).accuracy for name in self.models]
        found = [_open(file) for file in files if file.is_file()]
        return collect(pl.concat(found)) if found else pl.DataFrame()

    @cached_property
    def canary(self) -> dict[str, pl.DataFrame]:
        """Return problem_id, round, skill and correct of the general skills, by model."""
        files = {name: self.layout.eval(name).canary for name in self.models}
        names = ("problem_id", "round", "skill", "correct")
        return {
            name: collect(_open(file).select(names))
            for name, file in files.items()
            if file.is_file()
        }

    @cached_property
    def orm_rows(self) -> pl.DataFrame:
        """Return the `OrmRow` rows that the ORM is tested on."""
        return collect(scan([self.layout.orm.rows], schemas.OrmRow).filter(part="test"))

    @cached_property
    def judgements(self) -> pl.DataFrame:
        """Return the ORM's judgements of these rows."""
        names = ("trajectory_id", "orm_status", "p_correct", "error_step", "error_analysis")
        file = self.layout.orm.judgements
        types = schemas.column_types(schemas.Verdict, *names)
        return collect(_open(file).select(names)) if file.is_file() else _empty(types)

    @cached_property
    def curves(self) -> dict[str, pl.DataFrame]:
        """Return step and loss of each training."""
        names = [*self.loop, *self.controls, "orm"]
        files = {name: self.layout.curve(name) for name in names}
        return {
            name: pl.read_csv(file, separator="\t", columns=["step", "loss"])
            for name, file in files.items()
            if file.is_file()
        }


def scan(
    files: Iterable[Path], table: type[schemas.Table], *, may_lack: Sequence[str] = ()
) -> pl.LazyFrame:
    """Return the rows of those files that are there, with the columns that the table must have.

    Columns of `may_lack` are null where a file does not have them.

    Raises:
        DataError: if a file is damaged or lacks another column.
    """
    types = schemas.column_types(table)
    tables = []
    for file in files:
        if file.is_file():
            rows = _open(file)
            lacking = [name for name in types if name not in rows.collect_schema()]
            if faults := [name for name in lacking if name not in may_lack]:
                message = f"A table of the report lacks the column {', '.join(faults)}."
                raise DataError(message, file=file, fix=_FIX)
            nulls = {name: pl.lit(None, dtype=types[name]) for name in lacking}
            tables.append(rows.with_columns(**nulls).select(*types))
    return pl.concat(tables) if tables else _empty(types).lazy()


def collect(rows: pl.LazyFrame) -> pl.DataFrame:
    """Read the rows.

    Raises:
        DataError: if a file is damaged or lacks a column.
    """
    try:
        return rows.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(error, _damaged(rows)) from error


def _open(file: Path) -> pl.LazyFrame:
    """Return the rows of a file; DataError with its path if it is no whole Parquet file."""
    rows = pl.scan_parquet(file, glob=False)
    try:
        rows.collect_schema()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _unreadable(error, str(file)) from error
    return rows


def _damaged(rows: pl.LazyFrame) -> str | None:
    """Return the files of these rows that cannot be read; polars names none."""
    try:
        files = dict.fromkeys(_SCANNED.findall(rows.explain(optimized=False)))
    except pl.exceptions.PolarsError:  # the rows lack a column that is asked for
        return None
    found = []
    for file in files:
        try:
            pl.read_parquet(file, glob=False)
        except (pl.exceptions.PolarsError, OSError):
            found.append(file)
    return ", ".join(found) or None


def _unreadable(error: Exception, file: str | None) -> DataError:
    message = f"A table of the report cannot be read: {str(error).splitlines()[0]}"
    return DataError(message, file=file, fix=_FIX)


def _empty(types: pl.Schema) -> pl.DataFrame:
    return pl.DataFrame(schema=types)
