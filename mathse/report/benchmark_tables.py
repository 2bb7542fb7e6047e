"""Each evaluated benchmark by name, with the groups of its headline, over all rounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import polars as pl

from mathse.core.layout import Layout
from mathse.core.tables import read_table
from mathse.evaluation.benchmark_rules import ALL, GROUPED, has_breakdown, in_headline, title_of
from mathse.report.summary import WIDTH, Accuracy, accuracy_cell, is_current, sort_rounds
from mathse.report.text_tables import print_table


def read_accuracy(data: str | Path) -> pl.DataFrame:
    """Read the accuracy tables of all rounds.

    Returns:
        round, split, source, by, group, n, correct, low, high; no rows where nothing was evaluated
        yet. Tables of an older form are passed over.
    """
    wanted = [*GROUPED, *Accuracy._fields]
    layout = Layout(data=data)
    tables = [read_table(file) for file in layout.find(layout.eval("*").accuracy).values()]
    whole = [table.select(wanted) for table in tables if set(wanted) <= set(table.columns)]
    return pl.concat(whole) if whole else pl.DataFrame(schema=dict.fromkeys(wanted, pl.String))


def render_benchmarks(data: str | Path, out: TextIO, rounds: Sequence[str] | None = None) -> None:
    """Write a row for each benchmark and each of its headline groups, over these rounds.

    Splits without a breakdown by source are left out: nothing is written if only built-in problems
    were evaluated.
    """
    accuracy = read_accuracy(data)
    current = [name for name in accuracy["round"].unique() if is_current(name, rounds)]
    names = sort_rounds(current, rounds or ())
    accuracy = accuracy.filter(pl.col("round").is_in(names))
    lines: list[list[str]] = []
    for (split,), of_split in sorted(accuracy.group_by("split"), key=lambda item: str(item[0])):
        sources = set(of_split["source"])
        for source in sorted(sources) if has_breakdown(sources) else ():
            rows = of_split.filter(source=source)
            lines.append(_line(f"{title_of(source)} ({split})", rows, (ALL, ALL), names))
            for by, group in sorted(set(rows.select("by", "group").iter_rows())):
                if in_headline(source, by, group):
                    lines.append(_line(f"  {group}", rows, (by, group), names))
    if lines:
        out.write("\n")
        print_table(["benchmark", "n", *names], lines, out, width=WIDTH)


def _line(title: str, rows: pl.DataFrame, group: tuple[str, str], rounds: list[str]) -> list[str]:
    found = rows.filter(by=group[0], group=group[1]).select("round", *Accuracy._fields)
    accuracies = {name: Accuracy(*row) for name, *row in found.iter_rows()}
    sizes = {accuracy.n for accuracy in accuracies.values()}
    cells = [accuracy_cell(accuracies.get(name), show_n=len(sizes) > 1) for name in rounds]
    return [title, str(min(sizes)) if len(sizes) == 1 else "", *cells]
