"""What `dvc plots show` draws: accuracy by round with its interval, and loss by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from mathse.core.layout import EvalLayout
from mathse.core.tables import read_table
from mathse.evaluation.accuracy import accuracy_table
from mathse.report.summary import is_current, sort_rounds


def accuracy_by_round(evaluations: Path, rounds: Sequence[str]) -> pl.DataFrame:
    """Return round, split, n, accuracy, low, high of each evaluated model, in percent.

    Args:
        evaluations: a folder for each model, with its graded answers.
        rounds: the rounds and controls of `params.yaml`, in order; others are left out.
    """
    found = {folder.name: EvalLayout(folder).graded for folder in evaluations.iterdir()}
    files = {name: file for name, file in found.items() if file.is_file()}
    names = [name for name in sort_rounds(files, rounds) if is_current(name, rounds)]
    tables = [accuracy_table(read_table(files[name])) for name in names]
    percent = [(pl.col(name) * 100).round(2) for name in ("accuracy", "low", "high")]
    return pl.concat(tables).select("round", "split", "n", *percent)


def result_metrics(accuracy: pl.DataFrame, rounds: Sequence[str]) -> dict[str, float]:
    """Return the last round's accuracy on each split in percent, and the points it gained since r0.

    Args:
        accuracy: the table of `accuracy_by_round`.
        rounds: the rounds of `params.yaml`, in order.
    """
    percent = {
        (name, split): value
        for name, split, value in accuracy.select("round", "split", "accuracy").iter_rows()
    }
    names = [name for name in ("r0", *rounds) if name in set(accuracy["round"])]
    found: dict[str, float] = {}
    for split in sorted(set(accuracy["split"])):
        last, first = percent[names[-1], split], percent[names[0], split]
        found |= {split: last, f"{split}_gain": round(last - first, 2)}
    return found


def loss_by_step(curves: Path, rounds: Sequence[str]) -> pl.DataFrame:
    """Return round, step, loss of each training run; "orm" is the ORM's."""
    files = {file.stem: file for file in curves.glob("*.tsv")}
    tables = [
        pl.read_csv(files[name], separator="\t").select(pl.lit(name).alias("round"), "step", "loss")
        for name in sort_rounds(files, rounds)
        if name == "orm" or is_current(name, rounds)
    ]
    return pl.concat(tables)
