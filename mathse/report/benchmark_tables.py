"""Each evaluated benchmark by its name, with the groups that belong beside its total, over all rounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

import polars as pl

from mathse.core.tables import read_table
from mathse.evaluation.benchmark_rules import ALL, GROUPED, has_breakdown, in_headline, title_of
from mathse.report.summary import accuracy_cell, is_current, print_table, sort_rounds


def read_accuracy(data: str | Path) -> pl.DataFrame:
    """Read the accuracy tables of all rounds.

    Returns:
        round, split, source, by, group, n, correct; no rows where nothing was evaluated yet. Tables
        of an older form are passed over.
    """
    wanted = [*GROUPED, "n", "correct"]
    tables = [read_table(file) for file in sorted(Path(data).glob("eval/*/accuracy.parquet"))]
    whole = [table.select(wanted) for table in tables if set(wanted) <= set(table.columns)]
    return pl.concat(whole) if whole else pl.DataFrame(schema=dict.fromkeys(wanted, pl.String))


def lay_out_benchmarks(
    accuracy: pl.DataFrame, order: Sequence[str] = ()
) -> tuple[list[str], list[list[str]]]:
    """Return the benchmarks as text: a header, and a row of cells for each source and each of its headline groups.

    The rounds of `order` come in that order. Splits whose sources say no more than the split as a
    whole are left out.
    """
    rounds = sort_rounds(accuracy["round"].unique(), order)
    lines: list[list[str]] = []
    for (split,), own in sorted(accuracy.group_by("split"), key=lambda item: str(item[0])):
        sources = set(own["source"])
        for source in sorted(sources) if has_breakdown(sources) else ():
            rows = own.filter(pl.col("source") == source)
            groups = sorted({(by, group) for by, group in rows.select("by", "group").iter_rows()})
            told = [(by, group) for by, group in groups if in_headline(source, by, group)]
            lines.append(_line(f"{title_of(source)} ({split})", rows, (ALL, ALL), rounds))
            lines += [_line(f"  {group}", rows, (by, group), rounds) for by, group in told]
    return ["benchmark", "n", *rounds], lines


def render_benchmarks(data: str | Path, out: TextIO, rounds: Sequence[str] | None = None) -> None:
    """Write the benchmarks of these rounds, where there are any; the built-in problems alone make no table."""
    accuracy = read_accuracy(data)
    told = [name for name in accuracy["round"].unique() if is_current(name, rounds)]
    header, lines = lay_out_benchmarks(accuracy.filter(pl.col("round").is_in(told)), rounds or ())
    if lines:
        out.write("\n")
        print_table(header, lines, out)


def _line(title: str, rows: pl.DataFrame, group: tuple[str, str], rounds: list[str]) -> list[str]:
    own = rows.filter((pl.col("by") == group[0]) & (pl.col("group") == group[1]))
    counts = {
        name: (int(hits), int(n))
        for name, hits, n in own.select("round", "correct", "n").iter_rows()
    }
    sizes = sorted({n for _, n in counts.values()})
    cells = [accuracy_cell(counts.get(name), one_size=len(sizes) == 1) for name in rounds]
    return [title, str(sizes[0]) if len(sizes) == 1 else "", *cells]
