"""predict: a model answers the evaluation splits, and shows what it can still do besides.

The only part of an evaluation that needs the model.
"""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.params import Params, load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read_problems, write, write_metrics
from mathse.core.tables import write_table
from mathse.engines.journaled import JournaledEngine
from mathse.engines.loading import load_journaled
from mathse.engines.model_files import load_files
from mathse.engines.protocol import SamplingParams
from mathse.engines.roles import use_journal
from mathse.figures.canary import build_canary
from mathse.prompts.text import user_messages
from mathse.trajectories import check_failures, sampling_params, solve

_TEXTS = ("problem_id", "round", "skill", "question", "answer", "response", "error")
CANARY = {**dict.fromkeys(_TEXTS, pl.String), "correct": pl.Boolean}


def predict(layout: Layout, round_name: str) -> None:
    """Write the answers of a round's model (base: of the base model) to evaluation and canary."""
    params = load_params(layout.params)
    is_base = params.previous_round(round_name) is None
    model = load_files(params.student) if is_base else layout.round(round_name).model
    questions, images = build_canary(params.canary.problems, seed=params.seed)
    label = f"predict {round_name}"
    # In the project's folder, where the workers on other machines see it.
    folder = layout.journal(f"canary {round_name}") / "images"
    write_images(images, folder)
    student = load_journaled(layout, params, "student", model, label, images=(folder,))
    _answer_splits(layout, params, student, round_name)
    use_journal(student, layout, f"canary {round_name}")
    _show_skills(layout, params, student, round_name, questions)


def _answer_splits(
    layout: Layout, params: Params, student: JournaledEngine, round_name: str
) -> None:
    """Write predictions.parquet."""
    section = params.eval
    problems = read_problems(layout, *section.splits)
    if section.limit is not None:
        problems = problems.filter(pl.int_range(pl.len()).over("split") < section.limit)
    rows = solve(
        student,
        problems,
        [(name, 0) for name in sorted(problems["problem_id"])],
        sampling=sampling_params(section, params.seed),
        round_name=round_name,
        origin="student",
    )
    check_failures(rows, max_share=params.errors_max_share, label=student.label)
    splits = problems.select("problem_id", "split")
    rows = rows.join(splits, on="problem_id", how="left", maintain_order="left")
    out = layout.eval(round_name).predictions
    write(rows, out, schemas.Prediction, sort_by=["split", "problem_id"])


def _show_skills(
    layout: Layout,
    params: Params,
    student: JournaledEngine,
    round_name: str,
    questions: pl.DataFrame,
) -> None:
    """Write canary.parquet: a row for each question, right if the answer is the same text."""
    rows = solve(
        student,
        questions,
        [(name, 0) for name in questions["problem_id"]],
        sampling=SamplingParams(0.0, 1.0, params.canary.max_new_tokens, params.seed),
        round_name=round_name,
        origin="student",
        messages=lambda question, _, n_images: user_messages(question, n_images),
    )
    check_failures(rows, max_share=params.errors_max_share, label=student.label)
    answered = questions.join(rows, on="problem_id", maintain_order="left")
    right = pl.col("response").str.strip_chars() == pl.col("answer")
    answered = answered.with_columns(correct=right & pl.col("error").is_null())
    out = layout.eval(round_name).canary
    write_table(answered.select(*CANARY), out, sort_by=["skill", "problem_id"])
    shares = answered.group_by("skill").agg(pl.col("correct").mean()).sort("skill")
    write_metrics(layout.metrics("canary", round_name), dict(shares.iter_rows()))


if __name__ == "__main__":
    run(predict)
