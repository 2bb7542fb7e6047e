"""The ledger: what became of each problem in each round."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from schemas.enums import LEDGER_STATES
from schemas.table import Table, at_least, is_content_id, is_short_name, one_of, rule, unique


class LedgerRow(Table):
    """The state of one problem after one round."""

    round: pl.String = pa.Field(description="round after which this holds")
    problem_id: pl.String = pa.Field(description="a training problem; in `Problem`")
    state: pl.String = pa.Field(
        description="distilled, accepted, reflected, hard, remaining, quarantined or contaminated"
    )
    attempts: pl.Int64 = pa.Field(
        description="the student's own judged paths so far, over all rounds"
    )
    passes: pl.Int64 = pa.Field(description="how many of these were accepted")

    round_name = is_short_name("round")
    problem_id_form = is_content_id("problem_id")
    one_state = unique("round", "problem_id")
    state_known = one_of("state", LEDGER_STATES)
    attempts_range = at_least("attempts", 0)
    passes_range = at_least("passes", 0)
    passes_fit = rule(
        "passes are at most attempts", "passes", pl.col("passes") <= pl.col("attempts")
    )
