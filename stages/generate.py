"""generate: the student of the round before solves D_remain, several paths for each problem."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.curation.plan import plan_samples
from mathse.trajectories import refuse_failures
from schemas import checks
from stages.common import empty, read, read_problems, run, switched_on, write
from stages.models import Plan, load_engine, sample_paths


def generate(layout: Layout, round_name: str) -> None:
    """Write the round's trajectories."""
    settings = load_params(layout.params)
    previous = layout.round(settings.previous_round(round_name) or "r0")
    out = layout.round(round_name).trajectories
    pool = read_problems(layout, "train")
    before = read(previous.ledger, schemas.LedgerRow)
    checks.known_problem_ids(before, pool, file=str(previous.ledger))
    if not switched_on(settings, round_name, "generate"):
        write(
            empty(schemas.Trajectory), out, schemas.Trajectory, sort_by=["problem_id", "sample_idx"]
        )
        return
    section = settings.generate
    planned = plan_samples(before, samples=section.samples, hard_samples=section.hard_samples)
    if section.max_problems is not None:
        names = planned["problem_id"].unique().to_list()
        chosen = sorted(names, key=lambda name: content_id(round_name, name))[
            : section.max_problems
        ]
        planned = planned.filter(pl.col("problem_id").is_in(chosen))
    plan: Plan = list(planned.select("problem_id", "sample_idx").iter_rows())
    engine = load_engine(layout, previous.model, settings.student)
    paths = sample_paths(
        layout,
        engine,
        pool,
        plan,
        section,
        seed=settings.seed,
        round_name=round_name,
        chunk_size=section.chunk_size,
        label=f"generate {round_name}",
    )
    refuse_failures(paths, "The student")
    write(paths, out, schemas.Trajectory, sort_by=["problem_id", "sample_idx"])


if __name__ == "__main__":
    run(generate)
