from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError
from mathse.core.params import Merge
from mathse.curation.drops import DROPPED, count_dropped
from mathse.curation.training_rows import ONE_EACH, TRAIN, merge_rows
from schemas import DROP_REASONS, TrainRow
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    problem_id,
    trajectories,
    trajectory,
    verdict,
    verdicts,
)

ONE = Merge(max_per_problem=1)


def test_the_limits_of_the_teachers_rows_leave_nothing_to_defaults() -> None:
    assert ONE_EACH == ONE and ONE_EACH.model_fields_set == set(Merge.model_fields)


def merge(
    solutions: list[dict[str, Any]],
    *,
    previous: pl.DataFrame | None = None,
    p_correct: list[float | None] | None = None,
    accepted: list[bool] | None = None,
    most: int = 9,
    round_name: str = "r1",
) -> tuple[pl.DataFrame, pl.DataFrame]:
    scores = p_correct or [0.9] * len(solutions)
    passed = accepted or [True] * len(solutions)
    rows = [
        verdict(solution, good, p_correct=p)
        for solution, p, good in zip(solutions, scores, passed, strict=True)
    ]
    by_student = [
        index for index, solution in enumerate(solutions) if solution["origin"] != "reflection"
    ]
    reflected = [
        index for index, solution in enumerate(solutions) if solution["origin"] == "reflection"
    ]

    def pick(indices: list[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
        return trajectories(*(solutions[index] for index in indices)), verdicts(
            *(rows[index] for index in indices)
        )

    return merge_rows(
        previous,
        *pick(by_student),
        *pick(reflected),
        round_name=round_name,
        limits=Merge(max_per_problem=most),
    )


def reflection(number: int, response: str, sample: int = 0) -> dict[str, Any]:
    return trajectory(number, response, sample, origin="reflection", parent_id="0" * 16)


def test_accepted_trajectories_and_reflections_join_the_earlier_rows():
    r0, _ = merge([trajectory(0, RIGHT, origin="teacher")], round_name="r0")
    train, dropped = merge(
        [trajectory(1, RIGHT), trajectory(2, WRONG), reflection(2, RIGHT)],
        previous=r0,
        accepted=[True, False, True],
    )
    TrainRow.validate(train)
    assert train.schema == TRAIN and dropped.schema == DROPPED and dropped.height == 0
    found = {
        row["problem_id"]: (row["round"], row["origin"]) for row in train.iter_rows(named=True)
    }
    assert found == {
        problem_id(0): ("r0", "teacher"),
        problem_id(1): ("r1", "student"),
        problem_id(2): ("r1", "reflection"),
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (RIGHT, "identical"),
        (RIGHT.upper(), "near_identical"),
        (RIGHT.replace(" ", "  "), "near_identical"),
    ],
)
def test_the_same_solution_is_kept_once(text, reason):
    kept = trajectory(0, RIGHT, 0)
    again = trajectory(0, text, 1, trajectory_id="f" * 16)
    train, dropped = merge([kept, again], p_correct=[0.9, 0.8])
    assert train["trajectory_id"].to_list() == [kept["trajectory_id"]]
    assert dropped.rows() == [("f" * 16, reason)]


def test_the_same_text_of_another_problem_stays():
    train, dropped = merge([trajectory(0, RIGHT), trajectory(1, RIGHT)])
    assert train.height == 2 and dropped.height == 0


def test_what_is_there_already_is_not_added_again():
    r0, _ = merge([trajectory(0, RIGHT, origin="teacher")], round_name="r0")
    again = trajectory(0, RIGHT)
    train, dropped = merge([again], previous=r0)
    assert train.equals(r0) and dropped.rows() == [(again["trajectory_id"], "identical")]


def test_a_cut_off_path_never_enters_even_if_accepted():
    cut = trajectory(0, RIGHT, finish_reason="length")
    train, dropped = merge([cut])
    assert train.height == 0 and dropped.rows() == [(cut["trajectory_id"], "cut_off")]


def test_the_cap_keeps_the_surest_trajectories_and_the_students_own_first():
    solutions = [
        reflection(0, RIGHT + " a"),
        trajectory(0, RIGHT + " b", 1),
        trajectory(0, RIGHT + " c", 2),
        trajectory(0, RIGHT + " d", 3),
    ]
    scores = [1.0, 0.6, None, 0.8]
    for most, wanted in ((1, {3}), (2, {3, 1}), (3, {3, 1, 2}), (4, {0, 1, 2, 3})):
        train, dropped = merge(solutions, p_correct=scores, most=most)
        assert set(train["trajectory_id"]) == {
            solutions[index]["trajectory_id"] for index in wanted
        }
        assert count_dropped(dropped, DROP_REASONS) == dict.fromkeys(DROP_REASONS, 0) | {
            "over_cap": 4 - most
        }


def test_earlier_rows_fill_the_cap():
    r1, _ = merge([trajectory(0, RIGHT), trajectory(0, RIGHT + " So.", 1)])
    late = trajectory(0, RIGHT + " Thus.", 2, round="r2")
    train, dropped = merge([late], previous=r1, most=2, round_name="r2")
    assert train.equals(r1) and dropped["reason"].to_list() == ["over_cap"]


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from(["a", "A", "b", "c"]),
            st.sampled_from(["student", "reflection"]),
            st.sampled_from(["stop", "stop", "length"]),
            st.booleans(),
            st.sampled_from([None, 0.5, 0.9]),
        ),
        max_size=14,
    ),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_merge_invariants(drawn, most, random):
    r0, _ = merge([trajectory(0, RIGHT, origin="teacher")], round_name="r0")
    items = []
    for index, (number, text, origin, finish, good, score) in enumerate(drawn):
        parent = "0" * 16 if origin == "reflection" else None
        solution = trajectory(
            number,
            f"{RIGHT} {text}",
            index,
            origin=origin,
            parent_id=parent,
            finish_reason=finish,
            trajectory_id=f"{index:016x}",
        )
        items.append((solution, good, score))

    def run() -> tuple[pl.DataFrame, pl.DataFrame]:
        solutions, passed, scores = ([item[index] for item in items] for index in range(3))
        return merge(solutions, previous=r0, accepted=passed, p_correct=scores, most=most)

    train, dropped = run()
    TrainRow.validate(train)
    accepted = {solution["trajectory_id"]: solution for solution, good, _ in items if good}
    new = train.filter(pl.col("round") == "r1")
    assert sorted([*new["trajectory_id"], *dropped["trajectory_id"]]) == sorted(accepted)
    assert train.join(r0, on="row_id", how="semi").height == r0.height
    assert max(Counter(train["problem_id"]).values()) <= max(most, 1)
    assert sum(count_dropped(dropped, DROP_REASONS).values()) == dropped.height
    assert all(accepted[name]["finish_reason"] == "stop" for name in new["trajectory_id"])
    whole = {
        solution["problem_id"]
        for solution in accepted.values()
        if solution["finish_reason"] == "stop"
    }
    assert whole <= set(train["problem_id"])
    pairs = [(row["problem_id"], row["response"].lower()) for row in train.iter_rows(named=True)]
    assert len(set(pairs)) == len(pairs)
    random.shuffle(items)
    again = run()
    assert again[0].equals(train) and again[1].equals(dropped)


def test_the_first_rows_need_no_rows_before_and_rounds_without_trajectories_change_nothing():
    empty, dropped = merge_rows(None, None, None, round_name="r0", limits=ONE)
    assert (
        empty.schema == TRAIN and dropped.schema == DROPPED and empty.height == dropped.height == 0
    )
    r0, _ = merge([trajectory(0, RIGHT)], round_name="r0")
    assert merge_rows(r0, None, None, round_name="r1", limits=ONE)[0].equals(r0)


def test_wrong_input_is_named():
    solution = trajectory(0, RIGHT)
    with pytest.raises(DataError, match="not among the trajectories"):
        merge_rows(
            None, trajectories(), verdicts(verdict(solution, True)), round_name="r1", limits=ONE
        )
    with pytest.raises(DataError, match="both the reflections"):
        merge_rows(None, None, None, trajectories(solution), None, round_name="r1", limits=ONE)
    r1, _ = merge([solution])
    with pytest.raises(DataError, match=solution["trajectory_id"]):
        merge([solution], previous=r1)


def test_a_trajectory_that_comes_twice_in_a_round_is_named():
    one = trajectory(0, RIGHT)
    again = reflection(0, RIGHT + " So.") | {"trajectory_id": one["trajectory_id"]}
    with pytest.raises(DataError, match="joins the training rows once"):
        merge([one, again])
