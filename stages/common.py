"""What every stage does alike: read and write validated tables, end with a clear message."""

from __future__ import annotations

import argparse
import inspect
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

import schemas
from mathse.core.errors import MathseError
from mathse.core.layout import Layout
from mathse.core.processes import end_with_dvc, single_run
from mathse.core.tables import read_table, write_table
from mathse.core.text import printable


def run(stage: Callable[..., None]) -> None:
    """Run a stage's function as a command; expected errors are printed without a traceback.

    Args:
        stage: takes the layout and, if it belongs to a round, the round's name.
    """
    module = inspect.getmodule(stage)
    name = Path(sys.argv[0]).stem
    command, of_round = f"python -m stages.{name}", len(inspect.signature(stage).parameters) > 1
    example = f"example: {command}{' r1' if of_round else ''}   (in the project's folder)"
    parser = argparse.ArgumentParser(command, description=module.__doc__, epilog=example)
    if of_round:
        parser.add_argument("round", help="a round of params.yaml, such as r1; or r0")
    words = vars(parser.parse_args()).values()
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("mathse").setLevel(logging.INFO)
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    end_with_dvc()
    layout = Layout()
    try:
        with single_run(layout.lock(name, *words), " ".join([name, *words])):
            stage(layout, *words)
    except (MathseError, schemas.ContractError) as error:
        print(f"\n{name}: {printable(str(error))}", file=sys.stderr)
        sys.exit(1)


def read(path: Path, table: type[schemas.Table]) -> pl.DataFrame:
    """Read a table and hold it to its contract."""
    return schemas.validate(read_table(path), table, file=str(path))


def write(
    rows: pl.DataFrame, path: Path, table: type[schemas.Table], *, sort_by: Sequence[str]
) -> pl.DataFrame:
    """Hold a table to its contract and write it, sorted; returns it as written."""
    types = schemas.column_types(table)
    shaped = rows.select(pl.col(name).cast(dtype) for name, dtype in types.items()).sort(*sort_by)
    schemas.validate(shaped, table, file=str(path))
    write_table(shaped, path, sort_by=sort_by)
    return shaped


def empty(table: type[schemas.Table]) -> pl.DataFrame:
    """Return a table without rows."""
    return pl.DataFrame(schema=schemas.column_types(table))


def write_metrics(
    path: Path, values: Mapping[str, Any], details: Mapping[str, Any] | None = None
) -> None:
    """Write a metrics file; floats are rounded to six places, unless that makes them 0.

    Args:
        path: of the file.
        values: numbers, by name; DVC shows each as a column.
        details: more of them, written as the one item of a list: DVC shows no lists.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): plain(inner) for key, inner in value.items()}
        return round(value, 6) or value if isinstance(value, float) else value

    path.parent.mkdir(parents=True, exist_ok=True)
    content = plain(values) | ({} if details is None else {"details": [plain(details)]})
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read_problems(layout: Layout, *splits: str) -> pl.DataFrame:
    """Read the problems of some splits (none: of all)."""
    problems = read(layout.problems, schemas.Problem)
    return problems.filter(pl.col("split").is_in(list(splits))) if splits else problems


def by_id(problems: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return problem rows by their id."""
    return {row["problem_id"]: row for row in problems.iter_rows(named=True)}
