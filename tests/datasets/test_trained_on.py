"""What is trained on decides what is trained again: a new benchmark does not."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mathse.datasets.trained_on import write_trained_on

ROWS = pl.DataFrame(
    {
        "problem_id": ["a", "b", "c", "d"],
        "split": ["train", "orm", "orm_test", "eval"],
        "answer": ["1", "2", "3", "4"],
        "image_ids": [["p"], ["q"], [], ["p", "q"]],
    }
)


def written(folder: Path, rows: pl.DataFrame) -> bytes:
    write_trained_on(rows, folder / "trained_on.json")
    return (folder / "trained_on.json").read_bytes()


def test_evaluation_problems_and_the_order_change_nothing(tmp_path: Path) -> None:
    first = written(tmp_path, ROWS)
    benchmark = ROWS.tail(1).with_columns(problem_id=pl.lit("e"), split=pl.lit("benchmark"))
    assert written(tmp_path, pl.concat([ROWS, benchmark]).reverse()) == first
    assert written(tmp_path, ROWS.filter(pl.col("split") != "eval")) == first


@pytest.mark.parametrize("name", ["a", "b", "c"])
@pytest.mark.parametrize("change", [{"answer": pl.lit("9")}, {"image_ids": pl.lit(["new"])}])
def test_each_value_of_a_trained_problem_counts(
    tmp_path: Path, name: str, change: dict[str, pl.Expr]
) -> None:
    ((column, value),) = change.items()
    changed = pl.when(problem_id=name).then(value).otherwise(column).alias(column)
    assert written(tmp_path, ROWS.with_columns(changed)) != written(tmp_path, ROWS)


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_problem_that_comes_or_goes_or_moves_counts(tmp_path: Path, name: str) -> None:
    first = written(tmp_path, ROWS)
    assert written(tmp_path, ROWS.filter(pl.col("problem_id") != name)) != first
    moved = pl.when(problem_id=name).then(pl.lit("eval")).otherwise("split").alias("split")
    assert written(tmp_path, ROWS.with_columns(moved)) != first
