"""control_teacher: r0's rows, and as many of the teacher's on random problems as the loop added.

As in the loop, the problems that r0 learned from are left out.
"""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems
from mathse.teacher_rows import add_solved


def control_teacher(layout: Layout) -> None:
    """Write the rows of the control that learns from the teacher without the loop."""
    params = load_params(layout.params)
    first, last = (
        read(layout.round(name).train, schemas.TrainRow)["problem_id"]
        for name in ("r0", params.last_round)
    )
    problems = read_problems(layout, "train").filter(~pl.col("problem_id").is_in({*first}))
    wanted = len(last) - len(first)
    add_solved(layout, params, "control_teacher", problems, wanted=wanted)


if __name__ == "__main__":
    run(control_teacher)
