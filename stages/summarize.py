"""summarize: write the tables that `dvc plots show` draws."""

from __future__ import annotations

from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.report.plot_tables import accuracy_by_round, loss_by_step


def summarize(layout: Layout) -> None:
    """Write accuracy by round and loss by step, of the rounds and controls of `params.yaml`."""
    params = load_params(layout.params)
    names = [*params.rounds, *params.controls]
    accuracy_by_round(layout.evaluations, names).write_csv(layout.accuracy_table)
    loss_by_step(layout.curves, names).write_csv(layout.loss_table)


if __name__ == "__main__":
    run(summarize)
