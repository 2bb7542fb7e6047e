"""control_gold: r0's rows and the teacher's solutions of the ORM's problems: its gold, spent here.

The ORM learns from verdicts on these problems, which take their gold answers. This control gives
the same problems to the student instead.
"""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.teacher_rows import solve_random

NAME = "control_gold"


def control_gold(layout: Layout) -> None:
    """Write the rows of the control that learns from the ORM's problems."""
    params = load_params(layout.params)
    first = read(layout.round("r0").train, schemas.TrainRow)
    problems = read_problems(layout, "orm")
    solved, counts = solve_random(layout, params, NAME, problems, wanted=None)
    train = pl.concat([first, solved])
    write(train, layout.round(NAME).train, schemas.TrainRow, sort_by=["row_id"])
    write_metrics(layout.metrics(NAME), {NAME: {**counts, "rows": train.height}})


if __name__ == "__main__":
    run(control_gold)
