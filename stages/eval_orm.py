"""eval_orm: how well the ORM judges trajectories of problems that nothing was trained on."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.engines.blank_images import BlankableImages
from mathse.judge.blank_picture import measure_blank
from mathse.judge.load_judge import load_judge
from mathse.judge.orm_attacks import measure_attacks
from mathse.judge.orm_metrics import orm_metrics, orm_metrics_by
from mathse.judge.orm_warnings import warn_of_chance


def eval_orm(layout: Layout) -> None:
    """Judge the test part of the ORM's rows; write the judgements and the metrics."""
    params = load_params(layout.params)
    problems = read_problems(layout, "orm_test")
    test = read(layout.orm.rows, schemas.OrmRow).filter(pl.col("part") == "test")
    # The other trajectories among the rows are the teacher's.
    student = read(layout.orm.trajectories, schemas.Trajectory).filter(origin="student")
    judge = load_judge(layout, params, problems, "eval_orm", store=BlankableImages)
    own = pl.col("trajectory_id").is_in(student["trajectory_id"].to_list())
    origin = pl.when(own).then(pl.lit("student")).otherwise(pl.lit("teacher"))
    rows = test.select("row_id", "trajectory_id", "problem_id", "response", "steps", origin=origin)
    judgements = judge.judge(rows).drop("steps", "response", "origin")
    write(judgements, layout.orm.judgements, schemas.Judgement, sort_by=["row_id"])
    groups = problems.select("problem_id", pl.col("family").fill_null(pl.col("subject")))
    by_family = orm_metrics_by(test, judgements, groups, "family")
    metrics = {
        "orm": orm_metrics(test, judgements),
        "by_family": {row["family"]: row for row in by_family.to_dicts()},
        "student": orm_metrics(test.join(student, on="trajectory_id", how="semi"), judgements),
        "attacks": measure_attacks(judge, layout, test, judgements),
        "blank_picture": measure_blank(judge, layout, test, judgements),
    }
    warn_of_chance(metrics["orm"])
    write_metrics(layout.metrics("eval_orm"), metrics)


if __name__ == "__main__":
    run(eval_orm)
