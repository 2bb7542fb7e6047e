"""Merge a round: accepted trajectories and reflections join the training rows and the ledger."""

from __future__ import annotations

import sys

import polars as pl

from mathse.core.params import Params
from mathse.curation.candidates import with_candidates
from mathse.curation.ledger import assert_ledger, next_ledger
from mathse.curation.training_rows import merge_rows, without_unusable


def merge_round(
    train: pl.DataFrame,
    ledger: pl.DataFrame,
    trajectories: pl.DataFrame,
    verdicts: pl.DataFrame,
    reflections: pl.DataFrame,
    reflection_verdicts: pl.DataFrame,
    mistakes: pl.DataFrame,
    *,
    round_name: str,
    params: Params,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the round's training rows, its ledger, and the rows that were dropped.

    `train` and `ledger` are of the round before, the other tables of this round.

    Raises:
        DataError: if the ledger does not cover every problem once.
    """
    merged, dropped = merge_rows(
        train,
        trajectories,
        verdicts,
        reflections,
        reflection_verdicts,
        round_name=round_name,
        limits=params.merge,
    )
    # A problem is solved only by a solution that can be a training row.
    counted = [without_unusable(rows, dropped) for rows in (verdicts, reflection_verdicts)]
    after = next_ledger(ledger, *counted, round_name=round_name)
    assert_ledger(after, previous=ledger, train=merged)
    # Columns for further lessons: drafts to correct, and candidates to choose from.
    if params.merge.reflection_rows:
        merged = with_drafts(merged, train, reflections, mistakes)
    if params.merge.select_rows:
        merged = with_candidates(
            merged,
            train,
            trajectories,
            verdicts,
            round_name=round_name,
            gold_counts=params.score.accept != "orm",
            most=params.merge.select_rows,
        )
    return merged, after, dropped


def with_drafts(
    merged: pl.DataFrame, train: pl.DataFrame, reflections: pl.DataFrame, mistakes: pl.DataFrame
) -> pl.DataFrame:
    """Add draft and feedback to rows that come from reflections; null for all others.

    Args:
        merged: `TrainRow` rows of this round.
        train: of the round before, with the drafts of its own.
        reflections: of this round.
        mistakes: what they correct.
    """
    feedback = ["draft", "error_step", "error_analysis"]
    of_parent = mistakes.unique("parent_id").rename({"response": "draft"})
    parts = [
        reflections.join(of_parent, on="parent_id").select("trajectory_id", *feedback),
        *([train.select("trajectory_id", *feedback)] if "draft" in train.columns else []),
    ]
    return merged.join(pl.concat(parts), on="trajectory_id", how="left", maintain_order="left")


def warn_of_repetition(new: pl.DataFrame, round_name: str, previous: str) -> None:
    """Print a warning if a round has no new row: its training costs time and teaches nothing new.

    Args:
        new: the `TrainRow` rows that the round adds.
        round_name: of the round.
        previous: the round before, whose rows it then has.
    """
    if new.is_empty():
        text = f"{round_name} adds no training row: its fine-tuning repeats {previous}'s"
        print(f"WARNING: {text}", file=sys.stderr)
