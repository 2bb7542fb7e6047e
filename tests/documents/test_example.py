"""The picture of the loop shows a wrong trajectory that became a training row."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from recipes.documents.example import find_example
from tests.report.world import CORRECTION, MISTAKE, build


def test_the_mistake_and_its_reflection_are_found(tmp_path: Path) -> None:
    row = find_example(build(tmp_path))
    assert row["trajectory_id"] == MISTAKE["trajectory_id"]
    assert row["reflected"] == CORRECTION["steps"]
    assert row["orm_status"] == "wrong" and row["answer"]


def test_a_run_without_accepted_reflection_is_refused(tmp_path: Path) -> None:
    file = build(tmp_path) / "rounds/r1/reflection_verdicts.parquet"
    pl.read_parquet(file).with_columns(accepted=pl.lit(False)).write_parquet(file)
    with pytest.raises(LookupError, match="no wrong trajectory"):
        find_example(tmp_path)
