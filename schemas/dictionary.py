"""Write docs/data-dictionary.md: `python -m schemas.dictionary`.

Columns, types, meanings and rules come from the models, files from dvc.yaml.
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

FOLDERS = {
    "data/decontaminate": ("matches.parquet",),
    "data/problems": ("problems.parquet", "images", "quarantine.parquet"),
    "data/distill": ("trajectories.parquet", "verdicts.parquet"),
    "data/orm/data": ("rows.parquet", "trajectories.parquet"),
    "data/rounds/r0/orm": ("rows.parquet",),
    "data/rounds/${key}/orm": ("rows.parquet",),
}
"""The tables in those outputs of dvc.yaml that are folders."""
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
    "audit": "Audit",
    "mistakes": "Mistake",
    "dropped": "Dropped",
    "judgements": "Judgement",
    "accuracy": "Accuracy",
    "transitions": "Transition",
    "canary": "CanaryAnswer",
}
"""Which contract the files of a name keep."""
OTHERS = {
    "gate": "JSON: why no round is built on this one, or null",
    "trained_on": "JSON: hash of the problems that something is trained on",
}
"""What files that are no tables hold."""
HEAD = """# Data dictionary

Every table that the pipeline writes: what its columns mean, what it is keyed by, which rules it
keeps, where it lies. This file is written by `python -m schemas.dictionary` from `schemas` and
`dvc.yaml`; a test keeps it up to date.

All are Parquet, sorted, with fixed settings and no clock times: the same work gives the same bytes.
Only the loss curves `data/curves/*.tsv` and `orm_curve.tsv` (step, loss, learning_rate) are text.
A content id is 16 hex digits of a hash of what it names. `<round>` is r0, r1, … (in `data/eval`
also base; `<control>` after `make control`). `mathse sql` shows the tables of all rounds as views.

Each row leads back by ids: `TrainRow` → `Trajectory` → `Verdict` (same trajectory_id), parent
(parent_id) and `Problem` → `Image`.
"""


def written_tables(root: Path = ROOT) -> list[tuple[str, str]]:
    """Return stage and path of each table that dvc.yaml writes, in its order.

    Raises:
        ValueError: if an output is not known here.
    """
    found = []
    stages = yaml.safe_load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    for name, stage in stages.items():
        for out in stage.get("do", stage).get("outs", []):
            path = out if isinstance(out, str) else next(iter(out))
            if path.endswith(("/model", ".tsv")) or not path.startswith("data/"):
                continue
            files = [f"{path}/{part}" for part in FOLDERS[path]] if path in FOLDERS else [path]
            for file in files:
                if Path(file).stem not in TABLE_OF | OTHERS:
                    raise ValueError(
                        f"dvc.yaml: {name} writes {file}: add it to FOLDERS, TABLE_OF or OTHERS"
                    )
            found += [
                (name, file.replace("${key}", "<round>").replace("${item}", "<control>"))
                for file in files
            ]
    return found


def dictionary(root: Path = ROOT) -> str:
    """Return the whole text."""
    written = written_tables(root)
    sections = [_section(model, written) for model in schemas.TABLES]
    return "\n".join([HEAD, *sections, _others(written)])


def _section(model: type[schemas.Table], written: list[tuple[str, str]]) -> str:
    name = model.__name__
    about = " ".join((model.__doc__ or "").split())
    files = _files(written, {stem for stem, table in TABLE_OF.items() if table == name})
    columns: Mapping[str, Any] = model.to_schema().columns
    rows = [
        f"| {column} | {_type(dtype)} | {'yes' if columns[column].nullable else 'no'} "
        f"| {columns[column].description or ''} |"
        for column, dtype in [
            *schemas.column_types(model).items(),
            *schemas.optional_types(model).items(),
        ]
    ]
    rules = [rule.name for rule in schemas.rules(model) if not rule.name.endswith(" is not null")]
    # "round and problem_id occur once"
    keys = [name.removesuffix(" occur once") for name in rules if name.endswith(" occur once")]
    key = keys[0].replace(" and ", ", ") if keys else "none: a row may break several rules"
    listed = textwrap.fill(f"Rules: {'; '.join(rules)}.", 120, break_on_hyphens=False)
    return "\n".join(
        [
            *(f"## {name}", "", about, "", f"Key: {key}.", ""),
            *(f"- {file}" for file in files),
            *("", "| column | type | may be null | meaning |", "|---|---|---|---|", *rows, ""),
            listed,
            "",
        ]
    )


def _others(written: list[tuple[str, str]]) -> str:
    lines = ["## Other files", ""]
    lines += ["| file | written by, to | what it holds |", "|---|---|---|"]
    for stem, about in OTHERS.items():
        lines.append(f"| {stem} | {'; '.join(_files(written, {stem}))} | {about} |")
    return "\n".join([*lines, ""])


def _files(written: list[tuple[str, str]], stems: set[str]) -> Iterator[str]:
    for stage, file in written:
        if Path(file).stem in stems:
            yield f"{stage} → `{file}{'' if Path(file).suffix else '/*.parquet'}`"


def _type(dtype: pl.DataType) -> str:
    return f"list of {dtype.inner}" if isinstance(dtype, pl.List) else str(dtype)


if __name__ == "__main__":
    TARGET.write_text(dictionary(), encoding="utf-8")
