"""finetune: the student learns from the round's training rows."""

from __future__ import annotations

from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.engines.model_files import load_files
from mathse.training.student import train_student


def finetune(layout: Layout, round_name: str) -> None:
    """Train the student of a round, from the model of the round before or from the base.

    A control starts from r0 and takes as many steps as the rounds that lead to the last one.
    """
    params = load_params(layout.params)
    first, is_control = round_name == "r0", round_name in params.controls
    previous = params.previous_round(round_name)
    if first or previous is None or (params.evolve.init == "base" and not is_control):
        init = load_files(params.student)
    else:
        init = str(layout.round(previous).model)
    steps = params.finetune.steps if first else params.evolve.steps
    if is_control and steps is not None:  # the params are refused otherwise
        steps *= len(params.chain(params.last_round)) - 1
    train_student(layout, params, layout.round(round_name).train, init, round_name, steps)


if __name__ == "__main__":
    run(finetune)
