"""control: the rounds' fine-tuning steps, spent on r0's rows alone; gains beyond it come from the data."""

from __future__ import annotations

from pathlib import Path

from mathse.core.errors import ParamError
from mathse.core.params import load_params
from stages.common import run
from stages.finetune import train_student


def control(
    params: Path, problems: Path, train: Path, model: Path, out: Path, curve: Path, metrics: Path
) -> None:
    """Train r0's MODEL on r0's TRAIN rows for as many steps as all rounds together, and write it to OUT."""
    settings = load_params(params)
    if settings.finetune.steps is None:
        raise ParamError("finetune.steps is null: the control needs a number of steps to match")
    steps = settings.finetune.steps * len(settings.rounds)
    train_student(settings, problems, train, str(model), "control", steps, out, curve, metrics)


if __name__ == "__main__":
    run(control)
