"""predict: a model answers the evaluation splits; the only part of an evaluation that needs one."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read_problems, write
from mathse.engines.loading import load_journaled
from mathse.engines.model_files import load_files
from mathse.trajectories import check_failures, sampling_params, solve


def predict(layout: Layout, round_name: str) -> None:
    """Write the answers of a round's model (base: of the base model) to the evaluation splits."""
    params = load_params(layout.params)
    section = params.eval
    is_base = params.previous_round(round_name) is None
    model = load_files(params.student) if is_base else layout.round(round_name).model
    problems = read_problems(layout, *section.splits)
    if section.limit is not None:
        problems = problems.filter(pl.int_range(pl.len()).over("split") < section.limit)
    label = f"predict {round_name}"
    rows = solve(
        load_journaled(layout, params, "student", model, label),
        problems,
        [(name, 0) for name in sorted(problems["problem_id"])],
        sampling=sampling_params(section, params.seed),
        round_name=round_name,
        origin="student",
    )
    check_failures(rows, max_share=params.errors_max_share, label=label)
    splits = problems.select("problem_id", "split")
    rows = rows.join(splits, on="problem_id", how="left", maintain_order="left")
    out = layout.eval(round_name).predictions
    write(rows, out, schemas.Prediction, sort_by=["split", "problem_id"])


if __name__ == "__main__":
    run(predict)
