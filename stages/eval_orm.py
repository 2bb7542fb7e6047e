"""eval_orm: how well the ORM judges paths of problems that nothing was trained on."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.tables import write_table
from mathse.judge.orm_metrics import orm_metrics, orm_metrics_by
from mathse.judge.verdicts import distinct_trajectories, join_judgements
from stages.common import read, read_problems, run, write_metrics
from stages.judging import judge_distinct
from stages.models import load_engine


def eval_orm(layout: Layout) -> None:
    """Judge the test part of the ORM's rows; write the judgements and the figures."""
    settings = load_params(layout.params)
    pool = read_problems(layout, "orm_test")
    test = read(layout.orm.rows, schemas.OrmRow).filter(pl.col("part") == "test")
    engine = load_engine(layout, layout.orm.model, settings.orm)
    judged = judge_distinct(
        layout, distinct_trajectories(test), pool, settings, engine, label="eval_orm"
    )
    truth = test.select("row_id", "trajectory_id", "problem_id", "response", "steps")
    judgements = join_judgements(truth, judged).drop("steps", "response")
    write_table(judgements, layout.orm.judgements, sort_by=["row_id"])
    groups = pool.select("problem_id", pl.col("family").fill_null(pl.col("subject")))
    by_family = {
        row["family"]: row for row in orm_metrics_by(test, judgements, groups, "family").to_dicts()
    }
    write_metrics(
        layout.metrics("eval_orm"), {"orm": orm_metrics(test, judgements), "by_family": by_family}
    )


if __name__ == "__main__":
    run(eval_orm)
