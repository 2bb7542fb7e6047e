"""Ask a model the questions of the canary, and count what it still can."""

from __future__ import annotations

import polars as pl

from mathse.core.failures import check_failures
from mathse.core.params import Params
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import SamplingParams
from mathse.prompts.text import user_messages
from mathse.trajectories import solve
from schemas import CanaryAnswer, column_types

CANARY = column_types(CanaryAnswer)


def ask_canary(
    student: JournaledEngine, questions: pl.DataFrame, params: Params, round_name: str
) -> pl.DataFrame:
    """Answer each question greedily; an answer is right if it is the same text.

    Args:
        student: who answers.
        questions: those of `mathse.figures.canary.build_canary`.
        params: all parameters.
        round_name: the round whose model this is, or base.

    Returns:
        `CanaryAnswer` rows in the order of the questions.

    Raises:
        DataError: if too many requests fail.
    """
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
    return answered.select(CANARY.names())


def canary_metrics(answered: pl.DataFrame) -> dict[str, float]:
    """Return the share of right answers (`CanaryAnswer` rows) of each skill."""
    shares = answered.group_by("skill").agg(pl.col("correct").mean()).sort("skill")
    return dict(shares.iter_rows())
