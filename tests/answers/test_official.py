"""Agreement with official verdicts on a sample; the full run is `python -m bench.answers`."""

from __future__ import annotations

import polars as pl

from mathse.answers import check_rows
from tests.answers.shared_data import VERDICTS, needs_verdicts


@needs_verdicts
def test_agreement_on_a_sample_of_clean_rows() -> None:
    rows = pl.read_parquet(VERDICTS).filter("clean").sample(4000, seed=11)
    checked = check_rows(rows, workers=2)
    passed = checked["state"] == "match"
    right = checked["official_correct"]
    assert checked["problem_id"].to_list() == rows["problem_id"].to_list()
    assert (passed == right).mean() >= 0.985
    assert passed.filter(~right).mean() <= 0.008
    assert passed.filter(right).mean() >= 0.95
    assert (checked["state"] == "timeout").sum() == 0


@needs_verdicts
def test_the_order_of_rows_does_not_change_verdicts() -> None:
    rows = pl.read_parquet(VERDICTS).sample(400, seed=5).with_row_index("at")
    forward = check_rows(rows, workers=2)
    backward = check_rows(rows.reverse(), workers=1).sort("at")
    assert forward.select("at", "state", "found", "reason").equals(
        backward.select("at", "state", "found", "reason")
    )
