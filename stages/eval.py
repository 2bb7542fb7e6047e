"""eval: judge stored answers and compare with the round before. Needs no model: a new answer check re-scores."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import polars as pl
import typer

import schemas
from mathse.core.params import load_params
from mathse.core.tables import write_table
from mathse.evaluation.accuracy import accuracy_table, grade
from mathse.evaluation.paired import compare, transitions
from stages.checking import check_answers
from stages.common import read, read_problems, run, write, write_metrics


def evaluate(
    params: Path,
    problems: Path,
    predictions: Path,
    round_name: str,
    out: Path,
    metrics: Path,
    before: Annotated[Path | None, typer.Option(help="graded answers of the round before")] = None,
) -> None:
    """Write graded.parquet, accuracy.parquet and (with BEFORE) transitions.parquet into OUT."""
    settings = load_params(params)
    pool = read_problems(problems, *settings.eval.splits)
    answers = read(predictions, schemas.Prediction)
    graded = write(grade(answers, check_answers(answers, pool)), out / "graded.parquet", schemas.Graded,
                   sort_by=["split", "problem_id"])  # fmt: skip
    named = graded.join(pool.select("problem_id", "subject", "level", "family"), on="problem_id", how="left")
    tables = [
        accuracy_table(named, by=["round", "split", column]).select(
            "round", "split", pl.lit(column).alias("by"), pl.col(column).cast(pl.String).alias("group"),
            "n", "correct", "accuracy", "low", "high", "found")
        for column in ("subject", "level", "family")
    ]  # fmt: skip
    write_table(pl.concat(tables), out / "accuracy.parquet", sort_by=["split", "by", "group"])
    values: dict[str, object] = {}
    for row in accuracy_table(graded).iter_rows(named=True):
        values[row["split"]] = {name: row[name] for name in ("accuracy", "low", "high", "n", "found")}
    if before is not None:
        earlier = read(before, schemas.Graded)
        moves = []
        for split in settings.eval.splits:
            pair = [rows.filter(pl.col("split") == split) for rows in (earlier, graded)]
            if not pair[1].height:
                continue
            values[f"{split}_gain"] = compare(pair[0], pair[1], seed=settings.seed).as_dict()
            moves.append(transitions(pair[0], pair[1]).with_columns(split=pl.lit(split)))
        if moves:
            write_table(pl.concat(moves), out / "transitions.parquet", sort_by=["split", *moves[0].columns[:2]])
    write_metrics(metrics, {round_name: values})


if __name__ == "__main__":
    run(evaluate)
