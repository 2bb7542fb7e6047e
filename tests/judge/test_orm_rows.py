from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError, ParamError
from mathse.judge.orm_rows import ORM_ROW, build_rows
from schemas import OrmRow
from tests.judge.trajectories import RIGHT, WRONG, problem_id, problems, trajectory

PATH_SCHEMA = {name: ORM_ROW[name] for name in ORM_ROW.names() if name not in ("row_id", "part")}


def path(
    number: int, status: str, text: str = "", sample: int = 0, **changes: Any
) -> dict[str, Any]:
    response = (RIGHT if status == "correct" else WRONG) + text
    row = {
        name: value
        for name, value in trajectory(number, response, sample).items()
        if name in PATH_SCHEMA
    }
    feedback = (None, None, None) if status == "correct" else (1, "The bar was misread.", "vision")
    row |= dict(zip(("error_step", "error_analysis", "error_kind"), feedback, strict=True))
    return row | {"status": status} | changes


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PATH_SCHEMA)


def reasons(dropped: pl.DataFrame) -> dict[str, int]:
    return Counter(dropped["reason"])


def test_each_part_has_as_many_wrong_as_correct_rows():
    paths = frame(
        *(path(number, "wrong") for number in range(12)),
        *(path(number, "correct") for number in range(7)),
    )
    rows, dropped = build_rows(
        paths, problems(12), test_problems={problem_id(0), problem_id(1), problem_id(9)}
    )
    counts = Counter(rows.select("part", "status").iter_rows())
    assert counts == {
        ("train", "wrong"): 5,
        ("train", "correct"): 5,
        ("test", "wrong"): 2,
        ("test", "correct"): 2,
    }
    assert set(rows.filter(pl.col("part") == "test")["problem_id"]) <= {
        problem_id(0),
        problem_id(1),
        problem_id(9),
    }
    assert reasons(dropped) == {"over_balance": 5}
    OrmRow.validate(rows)


def test_families_take_turns():
    families = ["bars"] * 10 + ["coins", "clock"]
    pool = problems(12, families)
    paths = frame(
        *(path(number, "wrong") for number in range(12)),
        *(path(number, "correct") for number in range(4)),
    )
    rows, _ = build_rows(paths, pool, test_problems=())
    wrong = rows.filter(pl.col("status") == "wrong").join(pool, on="problem_id")
    assert Counter(wrong["family"]) == {"bars": 2, "coins": 1, "clock": 1}


def test_caps_hold_and_keep_the_balance():
    paths = frame(
        *(
            path(number, status, sample=sample, text=f" {sample}")
            for number in range(9)
            for status in ("wrong", "correct")
            for sample in range(3)
        )
    )
    rows, dropped = build_rows(
        paths,
        problems(9),
        test_problems={problem_id(0), problem_id(1)},
        max_train=8,
        max_test=2,
        max_per_problem=2,
    )
    assert Counter(rows.select("part", "status").iter_rows()) == {
        ("train", "wrong"): 4,
        ("train", "correct"): 4,
        ("test", "wrong"): 1,
        ("test", "correct"): 1,
    }
    assert reasons(dropped) == {"over_problem_cap": 18, "over_cap": 36 - 10}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"error_step": None}, "no_feedback"),
        ({"error_analysis": None}, "no_feedback"),
        ({"error_analysis": "  "}, "no_feedback"),
        ({"error_step": 4}, "step_outside"),
        ({"error_step": 0}, "step_outside"),
        ({"steps": []}, "empty"),
    ],
)
def test_a_wrong_path_without_usable_feedback_is_dropped_by_name(change, reason):
    bad = path(0, "wrong", **change)
    rows, dropped = build_rows(
        frame(bad, path(1, "wrong"), path(2, "correct")), problems(3), test_problems=()
    )
    assert dropped.rows() == [(bad["trajectory_id"], reason)] and rows.height == 2


def test_binary_rows_need_no_feedback():
    none = {"error_step": None, "error_analysis": None, "error_kind": None}
    rows, _ = build_rows(
        frame(path(0, "wrong", **none), path(1, "correct")),
        problems(2),
        test_problems=(),
        need_feedback=False,
    )
    assert rows.height == 2


def test_near_identical_paths_count_once_and_the_wrong_one_stays():
    same = path(0, "correct", sample=1, response=WRONG.upper())
    rows, dropped = build_rows(
        frame(path(0, "wrong"), same, path(0, "wrong", " "), path(1, "correct")),
        problems(2),
        test_problems=(),
    )
    assert rows.filter(pl.col("problem_id") == problem_id(0))["status"].to_list() == ["wrong"]
    assert reasons(dropped) == {"near_identical": 2}


def test_feedback_on_a_correct_path_is_not_kept():
    rows, _ = build_rows(
        frame(path(0, "wrong"), path(1, "correct", error_step=1, error_analysis="x")),
        problems(2),
        test_problems=(),
    )
    OrmRow.validate(rows)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 7), st.booleans(), st.integers(0, 3)), max_size=30, unique=True
    ),
    st.sets(st.integers(0, 7)),
    st.integers(1, 3),
    st.none() | st.integers(2, 9),
    st.randoms(use_true_random=False),
)
def test_rows_are_balanced_split_and_complete(found, test, per_problem, cap, random):
    rows = [
        path(number, "correct" if right else "wrong", f" {text}", text)
        for number, right, text in found
    ]
    test_ids = {problem_id(number) for number in test}
    knobs = {"test_problems": test_ids, "max_train": cap, "max_per_problem": per_problem}
    chosen, dropped = build_rows(frame(*rows), problems(8), **knobs)
    OrmRow.validate(chosen)
    assert chosen.schema == ORM_ROW
    counts = Counter(chosen.select("part", "status").iter_rows())
    for part in ("train", "test"):
        assert counts[part, "wrong"] == counts[part, "correct"]
        assert set(chosen.filter(pl.col("part") == part)["problem_id"]) <= (
            test_ids if part == "test" else {problem_id(number) for number in range(8)} - test_ids
        )
    assert cap is None or counts["train", "wrong"] <= cap // 2
    most = max(Counter(chosen.select("problem_id", "status").iter_rows()).values(), default=0)
    assert most <= per_problem
    ids = [*chosen["trajectory_id"], *dropped["trajectory_id"]]
    assert sorted(ids) == sorted(row["trajectory_id"] for row in rows)
    random.shuffle(rows)
    again = build_rows(frame(*rows), problems(8), **knobs)
    assert again[0].equals(chosen) and again[1].equals(dropped)


def test_bad_input_is_named():
    with pytest.raises(DataError, match="status"):
        build_rows(frame(path(0, "maybe")), problems(1), test_problems=())
    with pytest.raises(DataError, match="twice"):
        build_rows(frame(path(0, "wrong"), path(0, "wrong")), problems(1), test_problems=())
    with pytest.raises(DataError, match=problem_id(3)):
        build_rows(frame(path(3, "wrong")), problems(1), test_problems=())
    with pytest.raises(ParamError, match="max_train"):
        build_rows(frame(), problems(1), test_problems=(), max_train=1)
