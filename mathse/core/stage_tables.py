"""The tables of stages: read and written by the rules of their schema; metrics files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.tables import read_table, write_table


def read(path: Path, table: type[schemas.Table]) -> pl.DataFrame:
    """Read a table and check it by its contract."""
    return schemas.validate(read_table(path), table, file=str(path))


def write(
    rows: pl.DataFrame, path: Path, table: type[schemas.Table], *, sort_by: Sequence[str]
) -> pl.DataFrame:
    """Check a table by its contract and write it, sorted; return it as written."""
    optional = schemas.optional_types(table).items()
    types = schemas.column_types(table) | {k: v for k, v in optional if k in rows.columns}
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

    DVC shows each value as a column. It shows no lists: details are the one item of a list.
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
