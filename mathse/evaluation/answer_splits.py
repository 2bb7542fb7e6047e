"""Have a model solve the evaluation problems."""

from __future__ import annotations

import polars as pl

from mathse.core.failures import check_failures
from mathse.core.params import Params
from mathse.engines.journaled import JournaledEngine
from mathse.trajectories import sampling_params, solve
from schemas import Prediction, column_types

PREDICTION = column_types(Prediction)


def answer_splits(
    student: JournaledEngine, problems: pl.DataFrame, params: Params, round_name: str
) -> pl.DataFrame:
    """Write one solution of each problem, or of the first `eval.limit` of each split.

    Args:
        student: who solves.
        problems: `Problem` rows of the evaluation splits.
        params: all parameters.
        round_name: the round whose model this is, or base.

    Returns:
        `Prediction` rows.

    Raises:
        DataError: if too many requests fail.
    """
    section = params.eval
    if section.limit is not None:
        problems = problems.filter(pl.int_range(pl.len()).over("split") < section.limit)
    rows = solve(
        student,
        problems,
        [(name, 0) for name in sorted(problems["problem_id"])],
        sampling=sampling_params(section, params.seed),
        round_name=round_name,
        origin="student",
    )
    check_failures(rows, max_share=params.errors_max_share, label=student.label)
    splits = problems.select("problem_id", "split")
    rows = rows.join(splits, on="problem_id", how="left", maintain_order="left")
    return rows.select(PREDICTION.names())
