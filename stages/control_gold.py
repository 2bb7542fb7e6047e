"""control_gold: r0's rows and the teacher's solutions of the ORM's problems: its gold, spent here.

The ORM learns from verdicts on these problems, which take their gold answers. This control gives
the same problems to the student instead.
"""

from __future__ import annotations

from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read_problems
from mathse.teacher_rows import add_solved


def control_gold(layout: Layout) -> None:
    """Write the rows of the control that learns from the ORM's problems."""
    add_solved(layout, load_params(layout.params), "control_gold", read_problems(layout, "orm"))


if __name__ == "__main__":
    run(control_gold)
