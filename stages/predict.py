"""predict: a model answers the evaluation splits; the only part of an evaluation that needs a model."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import schemas
from mathse.core.params import load_params
from mathse.trajectories import refuse_failures
from stages.common import read_problems, run, write
from stages.models import load_engine, sample_paths


def predict(params: Path, problems: Path, model: str, round_name: str, out: Path) -> None:
    """Write MODEL's answers to the evaluation splits to OUT."""
    settings = load_params(params)
    section = settings.eval
    pool = read_problems(problems, *section.splits)
    if section.limit is not None:
        pool = pool.filter(pl.int_range(pl.len()).over("split") < section.limit)
    plan = [(name, 0) for name in sorted(pool["problem_id"])]
    engine = load_engine(model, settings.student, problems)
    paths = sample_paths(
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
    write(rows, out, schemas.Prediction, sort_by=["split", "problem_id"])


if __name__ == "__main__":
    run(predict)
