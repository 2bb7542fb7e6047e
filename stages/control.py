"""control: the rounds' fine-tuning steps, spent on r0's rows alone; no new data."""

from __future__ import annotations

from mathse.core.errors import ParamError
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.training.student import train_student


def control(layout: Layout) -> None:
    """Train r0's model on r0's training rows for as many steps as all rounds together."""
    settings = load_params(layout.params)
    if settings.finetune.steps is None:
        raise ParamError("finetune.steps is null: the control needs a number of steps to match")
    steps = settings.finetune.steps * len(settings.rounds)
    first = layout.round("r0")
    train_student(layout, settings, first.train, str(first.model), "control", steps)


if __name__ == "__main__":
    run(control)
