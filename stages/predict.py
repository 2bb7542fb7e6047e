"""predict: a model answers the evaluation splits, and shows what it can still do besides.

The only part of an evaluation that needs the model.
"""

from __future__ import annotations

import schemas
from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read_problems, write, write_metrics
from mathse.engines.loading import load_journaled
from mathse.engines.model_files import load_files
from mathse.engines.roles import use_journal
from mathse.evaluation.answer_splits import answer_splits
from mathse.evaluation.canary import ask_canary, canary_metrics
from mathse.figures.canary import build_canary


def predict(layout: Layout, round_name: str) -> None:
    """Write the answers of a round's model (base: of the base model) to evaluation and canary."""
    params = load_params(layout.params)
    is_base = params.previous_round(round_name) is None
    model = load_files(params.student) if is_base else layout.round(round_name).model
    questions, images = build_canary(params.canary.problems, seed=params.seed)
    canary = f"canary {round_name}"
    # In the project's folder, where the workers on other machines see it.
    folder = layout.journal(canary) / "images"
    write_images(images, folder)
    label = f"predict {round_name}"
    student = load_journaled(layout, params, "student", model, label, images=(folder,))
    problems, files = read_problems(layout, *params.eval.splits), layout.eval(round_name)
    answers = answer_splits(student, problems, params, round_name)
    write(answers, files.predictions, schemas.Prediction, sort_by=["split", "problem_id"])
    use_journal(student, layout, canary)
    answered = ask_canary(student, questions, params, round_name)
    write(answered, files.canary, schemas.CanaryAnswer, sort_by=["skill", "problem_id"])
    write_metrics(layout.metrics("canary", round_name), canary_metrics(answered))


if __name__ == "__main__":
    run(predict)
