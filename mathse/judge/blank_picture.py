"""Does an ORM look at the picture? It judges the test rows again and sees a white one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl

from mathse.core.layout import Layout
from mathse.engines.blank_images import blank_problems
from mathse.engines.roles import use_journal
from mathse.judge.judging import Judge
from mathse.judge.orm_metrics import orm_metrics

_SHOWN = ("overall_accuracy", "positive_accuracy", "wrong_passed", "roc_auc")


def measure_blank(
    judge: Judge, layout: Layout, rows: pl.DataFrame, judgements: pl.DataFrame
) -> dict[str, Any]:
    """Judge the test rows with white pictures of the same size, with journals of their own.

    In the stepwise form the judge also writes its own solutions without the pictures.

    Args:
        judge: the ORM, with the problems of the rows; its engines have `BlankableImages`.
        layout: where the journals are. The judge's engines keep to them afterwards.
        rows: `OrmRow` rows of the test part.
        judgements: what the judge says with the pictures.

    Returns:
        n (rows whose problem has a picture), overall_accuracy, positive_accuracy, wrong_passed and
        roc_auc as in `orm_metrics`, and with_picture: the same of the same rows with the pictures.
        If the two are alike, the ORM does not look.
    """
    judged = rows.select("problem_id").unique()
    problems = judge.problems.filter(pl.col("image_ids").list.len() > 0)
    problems = problems.join(judged, on="problem_id", how="semi")
    seen = rows.join(problems, on="problem_id", how="semi").sort("row_id")
    blank = replace(judge, problems=blank_problems(problems))
    use_journal(blank.engine, layout, "eval_orm blank picture")
    if blank.solver is not None:
        use_journal(blank.solver, layout, "judge solutions blank picture")
    asked = seen.select("trajectory_id", "problem_id", "response", "steps")
    blank_metrics = orm_metrics(seen, blank.judge(asked))
    metrics = orm_metrics(seen, judgements)
    return {
        "n": seen.height,
        **{name: blank_metrics[name] for name in _SHOWN},
        "with_picture": {name: metrics[name] for name in _SHOWN},
    }
