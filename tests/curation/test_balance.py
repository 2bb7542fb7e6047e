from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from mathse.core.params import Merge
from mathse.curation.balance import over_budget
from mathse.curation.dedup import jaccard_duplicates
from mathse.curation.drops import count_dropped
from mathse.curation.ledger import assert_ledger, initial_ledger, next_ledger
from mathse.curation.training_rows import count_buckets, merge_rows, without_unusable
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    problem_id,
    trajectories,
    trajectory,
    verdict,
    verdicts,
)

OTHER = " So it is clear."
THIRD = " Thus we are done."


def merge(
    solutions: list[tuple[dict[str, Any], bool]], *, most: int = 3, **limits: Any
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    judged = verdicts(*(verdict(solution, good) for solution, good in solutions))
    rows = trajectories(*(solution for solution, _ in solutions))
    train, dropped = merge_rows(
        None, rows, judged, round_name="r1", limits=Merge(max_per_problem=most, **limits)
    )
    return train, dropped, judged


def solved(number: int, right: int, wrong: int) -> list[tuple[dict[str, Any], bool]]:
    """Return solutions of a problem: so many different right ones, so many wrong ones."""
    texts = [(RIGHT + end, True) for end in ("", OTHER, THIRD)[:right]]
    texts += [(f"{WRONG} {index}", False) for index in range(wrong)]
    return [(trajectory(number, text, index), good) for index, (text, good) in enumerate(texts)]


def kept(train: pl.DataFrame) -> dict[str, int]:
    return dict(train.group_by("problem_id").len().iter_rows())


def test_problems_that_are_always_solved_give_fewer_rows_and_hard_ones_more() -> None:
    solutions = [*solved(0, 3, 0), *solved(1, 3, 3), *solved(2, 3, 12)]
    train, dropped, judged = merge(solutions, most=2, easy_max=1, hard_max=3)
    assert kept(train) == {problem_id(0): 1, problem_id(1): 2, problem_id(2): 3}
    assert {reason: count for reason, count in count_dropped(dropped).items() if count} == {
        "over_cap": 2,
        "easy": 1,
    }
    assert count_buckets(train, judged, Merge(max_per_problem=1)) == {
        "easy": 1,
        "middle": 2,
        "hard": 3,
    }


def test_hard_problems_get_their_share_and_every_solved_problem_keeps_a_row() -> None:
    solutions = [*solved(0, 3, 0), *solved(1, 3, 3), *solved(2, 2, 12)]
    train, dropped, _ = merge(solutions, hard_share=0.4)
    assert kept(train) == {problem_id(0): 1, problem_id(1): 2, problem_id(2): 2}
    assert set(dropped["reason"]) == {"over_budget"}
    most, _, _ = merge(solutions, hard_share=0.9)
    assert kept(most) == {problem_id(0): 1, problem_id(1): 1, problem_id(2): 2}


def test_without_hard_problems_the_budget_takes_nothing() -> None:
    train, dropped, _ = merge(solved(0, 3, 0), hard_share=0.9)
    assert train.height == 3 and dropped.is_empty()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [({"min_chars": len(RIGHT) + 1}, "too_short"), ({"max_chars": len(RIGHT) - 1}, "too_long")],
)
def test_a_path_of_the_wrong_length_is_left_out_and_solves_nothing(
    limits: dict[str, int], reason: str
) -> None:
    train, dropped, judged = merge(solved(0, 1, 0), **limits)
    assert train.is_empty() and dropped["reason"].to_list() == [reason]
    before = initial_ledger([problem_id(0)], [])
    ledger = next_ledger(before, without_unusable(judged, dropped), round_name="r1")
    assert ledger["state"].to_list() == ["hard"] and ledger["passes"].to_list() == [0]
    assert_ledger(ledger, previous=before, train=train)


def test_the_defaults_limit_nothing() -> None:
    train, dropped, _ = merge([*solved(0, 3, 0), *solved(1, 3, 9)])
    assert train.height == 6 and dropped.is_empty()


def test_solutions_with_nearly_the_same_words_are_kept_once() -> None:
    long = (
        "First we read the bar and see that it shows 3. Then we add 3+4=7. "
        "The answer to this problem is 7."
    )
    solutions = [
        long,
        long.replace("Then", "Now"),
        long.replace("3+4=7", "4+3=7"),
        long.replace("3", "2"),
        RIGHT,
    ]
    rows = [(trajectory(0, text, index), True) for index, text in enumerate(solutions)]
    train, dropped, _ = merge(rows, most=9, jaccard_min=0.7)
    assert dropped["reason"].to_list() == ["near_identical"] * 2
    assert {long.replace("3", "2"), RIGHT} < set(train["response"])
    assert merge(rows, most=9)[1].is_empty()


def test_earlier_rows_are_never_near_duplicates() -> None:
    rows = pl.DataFrame(
        {
            "trajectory_id": ["a", "b", "c"],
            "problem_id": ["p"] * 3,
            "response": ["x y z"] * 3,
            "old": [True, True, False],
        }
    )
    assert jaccard_duplicates(rows, 0.9) == {"c"}


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"min_chars": 9, "max_chars": 8}, "max_chars"),
        ({"hard_rate": 0.9, "easy_rate": 0.5}, "hard_rate"),
        ({"max_per_problem": 0}, "max_per_problem"),
        ({"easy_max": 0}, "easy_max"),
        ({"hard_share": 1.0}, "hard_share"),
    ],
)
def test_limits_that_nothing_could_meet_are_named(limits: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Merge(**{"max_per_problem": 1} | limits)


def test_limits_take_what_reaches_them() -> None:
    most = len(RIGHT)
    assert merge(solved(0, 1, 0), min_chars=most, max_chars=most)[0].height == 1
    train, _, judged = merge(solved(0, 1, 3))
    limits = Merge(max_per_problem=3, hard_rate=0.25)
    assert count_buckets(train, judged, limits) == {"easy": 0, "middle": 1, "hard": 0}


def test_of_problems_alike_the_last_rows_go_first() -> None:
    names = ["a", "b", "c", "d", "e", "f"]
    rows = pl.DataFrame({"trajectory_id": names, "index": [0, 1, 2, 0, 1, 0]}).with_columns(
        bucket=pl.Series(["easy"] * 5 + ["hard"]), rate=1.0, old=False
    )
    assert over_budget(rows, 0.2) == {"c"}, "four others beside one of a hard problem"
