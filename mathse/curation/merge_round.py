"""Merge a round: accepted trajectories and reflections join the training rows and the ledger."""

from __future__ import annotations

import polars as pl

from mathse.core.params import Params
from mathse.curation.ledger import assert_ledger, next_ledger
from mathse.curation.training_rows import merge_rows, without_unusable


def merge_round(
    train: pl.DataFrame,
    ledger: pl.DataFrame,
    trajectories: pl.DataFrame,
    verdicts: pl.DataFrame,
    reflections: pl.DataFrame,
    reflection_verdicts: pl.DataFrame,
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
    counted = [without_unusable(rows, dropped) for rows in (verdicts, reflection_verdicts)]
    after = next_ledger(ledger, *counted, round_name=round_name)
    assert_ledger(after, previous=ledger, train=merged)
    return merged, after, dropped
