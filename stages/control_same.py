"""control_same: r0's rows and the teacher's solutions of the problems that the loop solved."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems
from mathse.teacher_rows import add_solved


def control_same(layout: Layout) -> None:
    """Write the rows of the control that has the loop's problems, solved by the teacher."""
    params = load_params(layout.params)
    first, last = (
        read(layout.round(name).train, schemas.TrainRow)["problem_id"]
        for name in ("r0", params.last_round)
    )
    solved = sorted({*last} - {*first})
    problems = read_problems(layout, "train").filter(pl.col("problem_id").is_in(solved))
    add_solved(layout, params, "control_same", problems)


if __name__ == "__main__":
    run(control_same)
