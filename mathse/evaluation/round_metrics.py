"""The metrics of one evaluated model: a few for DVC's table, and all in full."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import polars as pl

from mathse.core.failures import count_failures
from mathse.evaluation.accuracy import accuracy_table
from mathse.evaluation.benchmark_rules import ALL, has_breakdown, in_headline
from mathse.evaluation.paired import compare


def round_metrics(
    answers: pl.DataFrame,
    graded: pl.DataFrame,
    previous: pl.DataFrame | None,
    benchmarks: pl.DataFrame,
    problems: pl.DataFrame,
    *,
    seed: int,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return accuracy and change on each split, and all metrics with breakdowns.

    Args:
        answers: `Prediction` rows of the model; failed requests are counted, by kind.
        graded: `Graded` rows, one for each of them.
        previous: those of the round before, if there is one.
        benchmarks: the table of `benchmark_rules.benchmark_table`.
        problems: the `Problem` rows that they answer.
        seed: of the bootstrap.
    """
    shown, details = {}, {}
    for row in accuracy_table(graded).iter_rows(named=True):
        split = row["split"]
        shown[split] = {"accuracy": row["accuracy"]}
        failed = count_failures(answers.filter(split=split))
        details[split] = _metrics(row) | {"failed": failed}
        sources = _by_source(benchmarks.filter(split=split))
        # The change since the round before, of the split and of each source.
        if previous is not None:
            before, after = previous.filter(split=split), graded.filter(split=split)
            details[f"{split}_gain"] = asdict(compare(before, after, seed=seed))
            shown[split]["change"] = details[f"{split}_gain"]["difference"]
            for source, metrics in sources.items():
                own = problems.filter(source=source).select("problem_id")
                pair = [rows.join(own, on="problem_id", how="semi") for rows in (before, after)]
                metrics["gain"] = asdict(compare(*pair, seed=seed))
        if sources:
            details[split]["sources"] = sources
    return shown, details


def _metrics(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("accuracy", "low", "high", "n", "found")}


def _by_source(table: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the metrics of each source and its headline groups; none of a source without any."""
    if not has_breakdown(set(table["source"])):
        return {}
    found: dict[str, dict[str, Any]] = {source: {} for source in sorted(table["source"].unique())}
    for row in table.iter_rows(named=True):
        if row["by"] == ALL:
            found[row["source"]].update(_metrics(row))
        elif in_headline(row["source"], row["by"], row["group"]):
            found[row["source"]].setdefault(row["by"], {})[row["group"]] = _metrics(row)
    return found
