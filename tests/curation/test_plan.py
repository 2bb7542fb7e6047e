from __future__ import annotations

from collections import Counter

import polars as pl
import pytest

from mathse.core.errors import ParamError
from mathse.curation.ledger import LEDGER
from mathse.curation.plan import plan_samples
from schemas import LEDGER_STATES

LEDGER_ROWS = pl.DataFrame(
    [
        {"round": "r1", "problem_id": f"{index:016x}", "state": state, "attempts": 0, "passes": 0}
        for index, state in enumerate(LEDGER_STATES)
    ],
    schema=LEDGER,
)
HARD, REMAINING = f"{LEDGER_STATES.index('hard'):016x}", f"{LEDGER_STATES.index('remaining'):016x}"


def test_hard_problems_get_more_and_only_open_ones_get_any():
    plan = plan_samples(LEDGER_ROWS, samples=2, hard_samples=4)
    assert Counter(plan["problem_id"]) == {REMAINING: 2, HARD: 4}
    assert plan.filter(pl.col("problem_id") == HARD)["sample_idx"].to_list() == [0, 1, 2, 3]
    assert plan.schema == {"problem_id": pl.String, "sample_idx": pl.Int64}
    assert plan.equals(plan_samples(LEDGER_ROWS.reverse(), samples=2, hard_samples=4))


def test_hard_problems_can_be_left_out():
    plan = plan_samples(LEDGER_ROWS, samples=1, hard_samples=0)
    assert plan.rows() == [(REMAINING, 0)]


def test_nothing_open_plans_nothing():
    plan = plan_samples(
        LEDGER_ROWS.filter(pl.col("state") == "accepted"), samples=1, hard_samples=1
    )
    assert plan.height == 0 and plan.columns == ["problem_id", "sample_idx"]


@pytest.mark.parametrize(("samples", "hard_samples"), [(0, 1), (1, -1)])
def test_counts_out_of_range_are_refused(samples, hard_samples):
    with pytest.raises(ParamError, match="samples"):
        plan_samples(LEDGER_ROWS, samples=samples, hard_samples=hard_samples)
