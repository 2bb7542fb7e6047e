"""Write docs/data-dictionary.md: `python -m docs.dictionary`.

Columns, types, meanings and rules come from `schemas`, places from dvc.yaml.
`tests/schemas/test_dictionary.py` checks that the file is up to date. What a column holds inside
(the JSON objects `meta` and `sampling`) is not covered.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import yaml

import schemas

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "data-dictionary.md"
WIDTH = 120

FOLDERS = {
    "data/decontaminate": ("matches.parquet",),
    "data/problems": ("problems.parquet", "images", "quarantine.parquet"),
    "data/distill": ("trajectories.parquet", "verdicts.parquet"),
    "data/orm/data": ("rows.parquet", "trajectories.parquet"),
}
"""What lies in the outputs of dvc.yaml that are folders."""
TABLE_OF = {
    "problems": "Problem",
    "matches": "Match",
    "images": "Image",
    "quarantine": "Quarantine",
    "trajectories": "Trajectory",
    "reflections": "Trajectory",
    "verdicts": "Verdict",
    "reflection_verdicts": "Verdict",
    "train": "TrainRow",
    "ledger": "LedgerRow",
    "rows": "OrmRow",
    "predictions": "Prediction",
    "graded": "Graded",
}
"""Which contract the files of a name keep."""
KEYS = {
    "Match": "problem_id, other_id",
    "Problem": "problem_id",
    "Image": "image_id",
    "Trajectory": "trajectory_id",
    "Verdict": "trajectory_id",
    "TrainRow": "row_id",
    "OrmRow": "row_id",
    "LedgerRow": "round, problem_id",
    "Prediction": "problem_id, round",
    "Graded": "problem_id, round",
    "Quarantine": "none: a row may break several rules",
}
OTHERS = {
    "mistakes": "wrong paths to reflect on: parent_id (the path), problem_id, sample_idx, response, the ORM's feedback",
    "dropped": "accepted paths that did not become training rows, with the reason",
    "judgements": "what the ORM says of its test rows",
    "accuracy": "by round, split, source, by and group (`by` names what is grouped by; all: the source as a whole): "
    "n, correct, accuracy with its 95% interval (low, high), found (share of responses with an answer)",
    "transitions": "problems of a split by right or wrong in the round before and in this one: n and share",
}
"""Tables without a contract of their own: made and read by the pipeline alone."""
HEAD = """# Data dictionary

Every table that the pipeline writes: what its columns mean, what it is keyed by, which rules it
keeps, where it lies. This file is written by `python -m docs.dictionary` from `schemas` and
`dvc.yaml`; a test keeps it up to date.

All are Parquet, sorted, with fixed settings and no clock times: the same work gives the same bytes.
A content id is 16 hex digits of a hash of what it names. `<round>` is r0, r1, … (in `data/eval`
also base, and control after `make control`). `mathse sql` shows the tables of all rounds as views.

Each row leads back by ids: `TrainRow` → `Trajectory` → `Verdict` (same trajectory_id), parent
(parent_id) and `Problem` → `Image`.
"""


def places(root: Path = ROOT) -> list[tuple[str, str]]:
    """Return stage and path of each table that dvc.yaml writes, in its order.

    Raises:
        ValueError: if an output is not known here.
    """
    found = []
    for name, stage in yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))[
        "stages"
    ].items():
        for out in stage.get("do", stage).get("outs", []):
            path = out if isinstance(out, str) else next(iter(out))
            if path.endswith("/model"):
                continue
            inside = [f"{path}/{part}" for part in FOLDERS[path]] if path in FOLDERS else [path]
            for file in inside:
                if Path(file).stem not in TABLE_OF | OTHERS:
                    raise ValueError(
                        f"dvc.yaml: {name} writes {file}: add it to FOLDERS, TABLE_OF or OTHERS"
                    )
            found += [(name, file.replace("${key}", "<round>")) for file in inside]
    return found


def dictionary(root: Path = ROOT) -> str:
    """Return the whole text."""
    written = places(root)
    parts = [HEAD, *(section(model, written) for model in schemas.TABLES), others(written)]
    return "\n".join(parts)


def section(model: type[schemas.Table], written: list[tuple[str, str]]) -> str:
    """Return what is to be said of one table."""
    name = model.__name__
    lines = [
        f"## {name}",
        "",
        " ".join((model.__doc__ or "").split()),
        "",
        f"Key: {KEYS[name]}.",
        "",
    ]
    lines += [
        f"- {place}"
        for place in _by_path(written, {stem for stem, table in TABLE_OF.items() if table == name})
    ]
    lines += ["", "| column | type | may be null | meaning |", "|---|---|---|---|"]
    columns: Mapping[str, Any] = model.to_schema().columns
    for column, dtype in schemas.column_types(model).items():
        about = columns[column]
        nulls = "yes" if about.nullable else "no"
        lines.append(f"| {column} | {_type(dtype)} | {nulls} | {about.description or ''} |")
    told = [rule.name for rule in schemas.rules(model) if not rule.name.endswith(" is not null")]
    lines += ["", *_wrap("Rules: " + "; ".join(told) + "."), ""]
    return "\n".join(lines)


def others(written: list[tuple[str, str]]) -> str:
    """Return the tables without a contract."""
    lines = [
        "## Tables without a contract of their own",
        "",
        "| table | written by, to | what it holds |",
        "|---|---|---|",
    ]
    for stem, about in OTHERS.items():
        lines.append(f"| {stem} | {'; '.join(_by_path(written, {stem}))} | {about} |")
    return "\n".join([*lines, ""])


def _by_path(written: list[tuple[str, str]], stems: set[str]) -> Iterator[str]:
    for stage, file in written:
        if Path(file).stem in stems:
            yield f"{stage} → `{file}{'' if Path(file).suffix else '/*.parquet'}`"


def _type(dtype: pl.DataType) -> str:
    return f"list of {_type(dtype.inner)}" if isinstance(dtype, pl.List) else str(dtype)  # type: ignore[arg-type]


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    TARGET.write_text(dictionary(), encoding="utf-8")
