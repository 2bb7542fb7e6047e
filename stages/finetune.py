"""finetune: the student learns from the round's training rows."""

from __future__ import annotations

from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.training.student import train_student


def finetune(layout: Layout, round_name: str) -> None:
    """Train the student of a round, from the model of the round before or from the base."""
    params = load_params(layout.params)
    section = params.finetune
    first = round_name == "r0"
    previous = params.previous_round(round_name)
    if first or section.init == "base" or previous is None:
        init = params.student.base
    else:
        init = str(layout.round(previous).model)
    steps = section.first_steps or section.steps if first else section.steps
    train_student(layout, params, layout.round(round_name).train, init, round_name, steps)


if __name__ == "__main__":
    run(finetune)
