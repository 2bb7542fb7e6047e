"""General skills by round: what each model still can of what the base model can."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import polars as pl

from mathse.core.layout import Layout
from mathse.core.tables import read_table
from mathse.evaluation.accuracy import wilson
from mathse.report.summary import WIDTH, Accuracy, accuracy_cell, is_current, sort_rounds
from mathse.report.text_tables import print_table


def render_canary(data: str | Path, out: TextIO, rounds: Sequence[str] | None = None) -> None:
    """Write a row for each skill, over these rounds; nothing where none was asked for."""
    layout = Layout(data=data)
    files = layout.find(layout.eval("*").canary)
    names = [name for name in sort_rounds(files, rounds or ()) if is_current(name, rounds)]
    tables = [read_table(files[name]) for name in names]
    rows = pl.concat(tables) if tables else pl.DataFrame()
    if rows.is_empty():
        return
    counts = rows.group_by("skill", "round").agg(pl.col("correct").sum(), pl.len())
    found = {
        (skill, name): Accuracy(hits, n, *wilson(hits, n))
        for skill, name, hits, n in counts.iter_rows()
    }
    lines = [
        [skill, *(accuracy_cell(found.get((skill, name)), show_n=False) for name in names)]
        for skill in sorted(rows["skill"].unique())
    ]
    out.write("\n")
    print_table(["general skills", *names], lines, out, width=WIDTH)
