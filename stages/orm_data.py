"""orm_data: trajectories of the r0 student, annotated: what the ORM learns from."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.failures import check_failures, count_failures
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.curation.contamination import contaminated_problems
from mathse.engines.loading import load_journaled
from mathse.engines.roles import usage_metrics
from mathse.judge.orm_annotation import OrmAnnotation
from mathse.judge.orm_rows import build_rows, count_rows
from mathse.trajectories import sampling_params, solve


def orm_data(layout: Layout) -> None:
    """Write the r0 student's trajectories and the ORM's rows."""
    params = load_params(layout.params)
    section = params.orm_data
    # Problems of the ORM's own splits, without those that are evaluated too.
    leaks = contaminated_problems(read(layout.matches, schemas.Match), "orm")
    problems = read_problems(layout, "orm", "orm_test").filter(~pl.col("problem_id").is_in(leaks))
    names = sorted(problems["problem_id"])
    trajectories = solve(
        load_journaled(layout, params, "student", layout.round("r0").model, "orm_data"),
        problems,
        [(name, sample) for name in names for sample in range(section.samples)],
        sampling=sampling_params(section, params.seed),
        round_name="r0",
        origin="student",
    )
    check_failures(trajectories, max_share=params.errors_max_share, label="orm_data")
    # Each trajectory is annotated; each part then takes as many wrong as correct ones.
    annotation = OrmAnnotation(layout, params, problems)
    rows, dropped = build_rows(
        annotation(trajectories),
        problems,
        test_problems=set(problems.filter(split="orm_test")["problem_id"]),
        max_train=section.max_train,
        max_test=section.max_test,
        max_per_problem=section.max_per_problem,
        need_feedback=params.train_orm.form != "binary",
    )
    order = ["problem_id", "sample_idx"]
    write(trajectories, layout.orm.trajectories, schemas.Trajectory, sort_by=order)
    write(rows, layout.orm.rows, schemas.OrmRow, sort_by=["row_id"])
    counts = {"contaminated": len(leaks), "trajectories": trajectories.height}
    failed = {"failed": count_failures(trajectories)}
    counted = count_rows(rows, pl.concat([dropped, annotation.drops.table()]))
    shown = {**counts, **failed, **counted, **usage_metrics(annotation.engines)}
    write_metrics(layout.metrics("orm_data"), {"orm_data": shown})


if __name__ == "__main__":
    run(orm_data)
