"""The ledger: what became of each problem in each round."""

from __future__ import annotations

import polars as pl

from schemas.enums import LEDGER_STATES
from schemas.table import Table, content_id, field, one_of, rule, short_name, unique


class LedgerRow(Table):
    """The state of one problem after one round."""

    round: pl.String = short_name("round after which this is the state")
    problem_id: pl.String = content_id("a training problem; in `Problem`")
    state: pl.String = one_of(LEDGER_STATES, "{}")
    attempts: pl.Int64 = field("the student's judged trajectories so far, over all rounds", ge=0)
    passes: pl.Int64 = field("how many of these were accepted", ge=0)

    one_state = unique("round", "problem_id")
    passes_fit = rule(
        "passes are at most attempts", "passes", pl.col("passes") <= pl.col("attempts")
    )
