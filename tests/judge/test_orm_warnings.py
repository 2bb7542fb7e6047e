"""A bad ORM is named where it is measured and where it judges."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from mathse.evaluation.accuracy import share_with_interval
from mathse.judge.orm_warnings import warn_of_chance, warn_of_refusal


def metrics(right: int, wrong: int, n: int = 100) -> dict[str, Any]:
    """Return the metrics of an ORM that passed so many of n right and of n wrong ones."""
    names = ("positive_accuracy", "wrong_passed")
    return {name: share_with_interval(k, n) for name, k in zip(names, (right, wrong), strict=True)}


@pytest.mark.parametrize(("right", "wrong"), [(50, 50), (55, 45), (0, 0), (100, 100), (20, 60)])
def test_an_orm_that_guesses_is_named(
    right: int, wrong: int, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_chance(metrics(right, wrong))
    said = capsys.readouterr().err
    assert "no better than chance" in said and f"{right}% of the 100 right" in said


def test_an_orm_that_tells_them_apart_is_not_named(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_chance(metrics(60, 30))
    warn_of_chance(metrics(0, 0, n=0))
    assert capsys.readouterr().err == ""


def verdicts(correct: int, wrong: int, skipped: int = 0) -> pl.DataFrame:
    status = ["correct"] * correct + ["wrong"] * wrong + ["skipped"] * skipped
    return pl.DataFrame({"orm_status": status, "answer_state": ["match"] * len(status)})


def test_an_orm_that_refuses_nearly_all_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    warn_of_refusal(verdicts(1, 199), "r2")
    said = capsys.readouterr().err
    assert "199 of 200 trajectories of r2 wrong, 199 of which end in the gold answer" in said


@pytest.mark.parametrize(("correct", "wrong", "skipped"), [(3, 197, 0), (0, 49, 500), (0, 0, 9)])
def test_few_trajectories_or_some_passed_are_no_reason(
    correct: int, wrong: int, skipped: int, capsys: pytest.CaptureFixture[str]
) -> None:
    warn_of_refusal(verdicts(correct, wrong, skipped), "r2")
    assert capsys.readouterr().err == ""
