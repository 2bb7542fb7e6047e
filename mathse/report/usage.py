"""What the models in the teacher's roles took, by stage: from the metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TextIO

from mathse.report.summary import WIDTH
from mathse.report.text_tables import cell, print_table

USAGE_COLUMNS = (
    *("requests", "failed", "prompt_tokens", "cached_tokens", "response_tokens", "cost"),
)


def read_usage(metrics: str | Path) -> list[list[object]]:
    """Return stage, role and `USAGE_COLUMNS` of each stage and role that asked a model."""
    rows: list[list[object]] = []
    for file in sorted(Path(metrics).rglob("*.json")):
        stage = " ".join(file.relative_to(metrics).with_suffix("").parts)
        for counts in json.loads(file.read_text(encoding="utf-8")).values():
            usage = counts.get("usage", {}) if isinstance(counts, dict) else {}
            for role, used in usage.items():
                rows.append([stage, role, *(used.get(name) for name in USAGE_COLUMNS)])
    return rows


def render_usage(metrics: str | Path, out: TextIO) -> None:
    """Write a row for each stage and role that asked a model; nothing where none did."""
    if rows := read_usage(metrics):
        out.write("\n")
        names = [name.replace("_", " ") for name in USAGE_COLUMNS]
        cells = [[f"{stage} {role}", *map(cell, used)] for stage, role, *used in rows]
        print_table(["stage, role", *names], cells, out, width=WIDTH)
