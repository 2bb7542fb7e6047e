"""control_same: r0's rows and the teacher's solutions of the problems that the loop solved."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.teacher_rows import solve_random

NAME = "control_same"


def control_same(layout: Layout) -> None:
    """Write the rows of the control that has the loop's problems, solved by the teacher."""
    params = load_params(layout.params)
    first = read(layout.round("r0").train, schemas.TrainRow)
    last = read(layout.round(["r0", *params.rounds][-1]).train, schemas.TrainRow)
    solved_by_loop = {*last["problem_id"]} - {*first["problem_id"]}
    problems = read_problems(layout, "train").filter(
        pl.col("problem_id").is_in(sorted(solved_by_loop))
    )
    solved, counts = solve_random(layout, params, NAME, problems, wanted=None)
    train = pl.concat([first, solved])
    write(train, layout.round(NAME).train, schemas.TrainRow, sort_by=["row_id"])
    write_metrics(layout.metrics(NAME), {NAME: {**counts, "rows": train.height}})


if __name__ == "__main__":
    run(control_same)
