"""eval: judge stored answers and compare with the round before. Needs no model: a new answer check re-scores."""

from __future__ import annotations

from typing import Any

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.tables import write_table
from mathse.evaluation.accuracy import accuracy_table, grade
from mathse.evaluation.benchmark_rules import (
    ALL,
    benchmark_table,
    has_breakdown,
    in_headline,
    scoring_rules,
)
from mathse.evaluation.paired import compare, transitions
from stages.checking import check_answers
from stages.common import read, read_problems, run, write, write_metrics

FIGURES = ("accuracy", "low", "high", "n", "found")


def evaluate(layout: Layout, round_name: str) -> None:
    """Write graded.parquet, accuracy.parquet and, where a round comes before, transitions.parquet."""
    settings = load_params(layout.params)
    files, before = layout.eval(round_name), settings.previous_round(round_name)
    pool = read_problems(layout, *settings.eval.splits)
    answers = read(files.predictions, schemas.Prediction)
    graded = write(
        grade(answers, check_answers(answers, scoring_rules(pool))),
        files.graded,
        schemas.Graded,
        sort_by=["split", "problem_id"],
    )
    table = benchmark_table(graded, pool)
    write_table(table, files.accuracy, sort_by=["split", "source", "by", "group"])
    values = {row["split"]: figures(row) for row in accuracy_table(graded).iter_rows(named=True)}
    earlier = None if before is None else read(layout.eval(before).graded, schemas.Graded)
    moves = []
    for split in settings.eval.splits:
        now = graded.filter(pl.col("split") == split)
        if not now.height:
            continue
        was = None if earlier is None else earlier.filter(pl.col("split") == split)
        told = by_source(table.filter(pl.col("split") == split))
        for source in told if was is not None else ():
            own = pool.filter(pl.col("source") == source)
            pair = [
                rows.join(own, on="problem_id", how="semi")
                for rows in (was, now)
                if rows is not None
            ]
            told[source]["gain"] = compare(*pair, seed=settings.seed).as_dict()
        if told:
            values[split]["sources"] = told
        if was is not None:
            values[f"{split}_gain"] = compare(was, now, seed=settings.seed).as_dict()
            moves.append(transitions(was, now).with_columns(split=pl.lit(split)))
    if moves:
        write_table(pl.concat(moves), files.transitions, sort_by=["split", *moves[0].columns[:2]])
    write_metrics(layout.metrics("eval", round_name), {round_name: values})


def figures(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a metrics file tells of a row of an accuracy table."""
    return {name: row[name] for name in FIGURES}


def by_source(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the figures of each source of a split and of its headline groups, where they say more than the split."""
    if not has_breakdown(set(table["source"])):
        return {}
    told: dict[str, dict[str, Any]] = {source: {} for source in sorted(table["source"].unique())}
    for row in table.iter_rows(named=True):
        if row["by"] == ALL:
            told[row["source"]].update(figures(row))
        elif in_headline(row["source"], row["by"], row["group"]):
            told[row["source"]].setdefault(row["by"], {})[row["group"]] = figures(row)
    return told


if __name__ == "__main__":
    run(evaluate)
