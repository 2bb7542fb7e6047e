"""summarize: write what `dvc plots show` draws, and what `dvc exp show` has in its columns."""

from __future__ import annotations

from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import write_metrics
from mathse.report.plot_tables import accuracy_by_round, loss_by_step, result_metrics


def summarize(layout: Layout) -> None:
    """Write accuracy by round, loss by step, and the result of the last round."""
    params = load_params(layout.params)
    names = [*params.rounds, *params.controls]
    accuracy = accuracy_by_round(layout.evaluations, names)
    accuracy.write_csv(layout.accuracy_table)
    write_metrics(layout.result, result_metrics(accuracy, list(params.rounds)))
    loss_by_step(layout.curves, names).write_csv(layout.loss_table)


if __name__ == "__main__":
    run(summarize)
