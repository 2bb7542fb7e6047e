"""predict: a model answers the evaluation splits; the only part of an evaluation that needs a model."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.trajectories import refuse_failures
from stages.common import read_problems, run, write
from stages.models import load_engine, sample_paths


def predict(layout: Layout, round_name: str) -> None:
    """Write the answers of a round's model (base: of the base model) to the evaluation splits."""
    settings = load_params(layout.params)
    section = settings.eval
    first = settings.previous_round(round_name) is None
    model = settings.student.base if first else layout.round(round_name).model
    pool = read_problems(layout, *section.splits)
    if section.limit is not None:
        pool = pool.filter(pl.int_range(pl.len()).over("split") < section.limit)
    plan = [(name, 0) for name in sorted(pool["problem_id"])]
    engine = load_engine(layout, model, settings.student)
    paths = sample_paths(
        layout,
        engine,
        pool,
        plan,
        section,
        seed=settings.seed,
        round_name=round_name,
        chunk_size=section.chunk_size,
        label=f"predict {round_name}",
    )
    refuse_failures(paths, "The student")
    rows = paths.join(
        pool.select("problem_id", "split"), on="problem_id", how="left", maintain_order="left"
    )
    write(
        rows,
        layout.eval(round_name).predictions,
        schemas.Prediction,
        sort_by=["split", "problem_id"],
    )


if __name__ == "__main__":
    run(predict)
