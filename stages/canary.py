"""canary: a round's model shows general skills, so that one sees what it has forgotten."""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl

from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import write_metrics
from mathse.core.tables import write_table
from mathse.engines.loading import load_journaled
from mathse.engines.model_files import load_files
from mathse.engines.protocol import SamplingParams
from mathse.figures.canary import build_canary
from mathse.prompts.text import user_messages
from mathse.trajectories import check_failures, solve

_TEXTS = ("problem_id", "round", "skill", "question", "answer", "response", "error")
CANARY = {**dict.fromkeys(_TEXTS, pl.String), "correct": pl.Boolean}


def canary(layout: Layout, round_name: str) -> None:
    """Write canary.parquet: a row for each question, right if the answer is the same text."""
    params = load_params(layout.params)
    out = layout.eval(round_name).canary
    if params.canary.problems == 0:
        write_table(pl.DataFrame(schema=CANARY), out, sort_by=["skill"])
        write_metrics(layout.metrics("canary", round_name), {})
        return
    questions, images = build_canary(params.canary.problems, seed=params.seed)
    is_base = params.previous_round(round_name) is None
    model = load_files(params.student) if is_base else layout.round(round_name).model
    label = f"canary {round_name}"
    with tempfile.TemporaryDirectory() as folder:
        write_images(images, folder)
        rows = solve(
            load_journaled(layout, params, "student", model, label, images=Path(folder)),
            questions,
            [(name, 0) for name in questions["problem_id"]],
            sampling=SamplingParams(0.0, 1.0, params.canary.max_new_tokens, params.seed),
            round_name=round_name,
            origin="student",
            messages=lambda question, _, n_images: user_messages(question, n_images),
        )
    check_failures(rows, max_share=params.errors_max_share, label=label)
    answered = questions.join(rows, on="problem_id", maintain_order="left")
    right = pl.col("response").str.strip_chars() == pl.col("answer")
    answered = answered.with_columns(correct=right & pl.col("error").is_null())
    write_table(answered.select(*CANARY), out, sort_by=["skill", "problem_id"])
    shares = answered.group_by("skill").agg(pl.col("correct").mean()).sort("skill")
    write_metrics(layout.metrics("canary", round_name), dict(shares.iter_rows()))


if __name__ == "__main__":
    run(canary)
