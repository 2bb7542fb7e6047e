"""control_teacher: the teacher's solutions of random problems, as many as the loop has rows."""

from __future__ import annotations

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.teacher_rows import solve_random

NAME = "control_teacher"


def control_teacher(layout: Layout) -> None:
    """Write the rows of the control that learns from the teacher without the loop."""
    params = load_params(layout.params)
    wanted = read(layout.round(params.last_round).train, schemas.TrainRow).height
    problems = read_problems(layout, "train")
    train, counts = solve_random(layout, params, NAME, problems, wanted=wanted)
    write(train, layout.round(NAME).train, schemas.TrainRow, sort_by=["row_id"])
    write_metrics(layout.metrics(NAME), {NAME: counts})


if __name__ == "__main__":
    run(control_teacher)
