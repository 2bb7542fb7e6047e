"""Merge a round: accepted trajectories and reflections join the training rows and the ledger."""

from __future__ import annotations

import polars as pl

from mathse.core.params import Params
from mathse.curation.balance import Balance
from mathse.curation.ledger import assert_ledger, next_ledger
from mathse.curation.training_rows import merge_rows, without_unusable


def balance_of(params: Params) -> Balance:
    """Return the balance of training rows that the parameters ask for."""
    return Balance(**params.merge.model_dump(exclude={"max_per_problem"}))


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

    Args:
        train: training rows of the round before.
        ledger: of the round before.
        trajectories: the student's, of this round.
        verdicts: of these.
        reflections: of this round.
        reflection_verdicts: of these.
        round_name: the round.
        params: all parameters.

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
        max_per_problem=params.merge.max_per_problem,
        balance=balance_of(params),
    )
    counted = [without_unusable(rows, dropped) for rows in (verdicts, reflection_verdicts)]
    after = next_ledger(ledger, counted[0], counted[1], round_name=round_name)
    names = ledger["problem_id"].to_list()
    assert_ledger(after, problem_ids=names, previous=ledger, train=merged)
    return merged, after, dropped
