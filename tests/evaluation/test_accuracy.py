from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError, ParamError
from mathse.evaluation.accuracy import GRADED, accuracy_table, grade, share_with_interval, wilson
from schemas import Graded


def graded(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """Rows of round, split and state."""
    return pl.DataFrame(
        [
            {
                "problem_id": f"{index:016x}",
                "round": round_name,
                "split": split,
                "cluster": f"{index:016x}",
                "predicted_answer": "7" if state in ("match", "mismatch") else None,
                "answer_state": state,
                "correct": state == "match",
            }
            for index, (round_name, split, state) in enumerate(rows)
        ],
        schema=GRADED,
    )


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),
    ],
)
def test_wilson_gives_the_published_values(hits, n, low, high):
    assert wilson(hits, n) == pytest.approx((low, high), abs=1e-4)


@settings(deadline=None)
@given(st.integers(0, 2000), st.integers(0, 2000))
def test_the_interval_holds_the_share_and_is_symmetric(hits, others):
    n = hits + others
    low, high = wilson(hits, n)
    assert 0 <= low <= high <= 1
    if n:
        assert low <= hits / n <= high
    mirrored = wilson(others, n)
    assert mirrored == pytest.approx((1 - high, 1 - low), abs=1e-12)


@settings(deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(2, 20))
def test_more_problems_narrow_the_interval(hits, others, times):
    few, many = wilson(hits, hits + others), wilson(hits * times, (hits + others) * times)
    assert many[1] - many[0] < few[1] - few[0]


def test_nothing_known_and_impossible():
    assert wilson(0, 0) == (0.0, 1.0)
    assert share_with_interval(0, 0)["value"] is None
    with pytest.raises(ParamError, match="3 hits of 2"):
        wilson(3, 2)


def test_accuracy_by_group():
    rows = graded(
        ("r1", "eval", "match"),
        ("r1", "eval", "mismatch"),
        ("r1", "eval", "no_answer"),
        ("r1", "eval", "timeout"),
        ("r0", "eval", "match"),
    )
    table = accuracy_table(rows)
    assert table["round"].to_list() == ["r0", "r1"]
    assert table.row(1, named=True) == {
        "round": "r1",
        "split": "eval",
        "n": 4,
        "correct": 1,
        "accuracy": 0.25,
        "found": 0.75,
        "low": wilson(1, 4)[0],
        "high": wilson(1, 4)[1],
    }


def test_accuracy_of_nothing():
    rows = graded(("r1", "eval", "match"), ("r1", "eval", "mismatch"))
    assert accuracy_table(rows.clear()).height == 0
    assert set(accuracy_table(rows.clear()).columns) == set(accuracy_table(rows).columns)


def test_any_joined_column_can_group_and_counts_sum():
    rows = graded(*[("r1", "eval", "match")] * 3).with_columns(
        family=pl.Series(["bars", "coins", None])
    )
    table = accuracy_table(rows, by=["family"])
    assert table["family"].to_list() == ["bars", "coins", None] and table["n"].sum() == 3


def in_clusters(*clusters: str) -> pl.DataFrame:
    """One cluster for each text, such as 110: two problems right, one wrong."""
    states = [(name, right) for name, cluster in enumerate(clusters) for right in cluster]
    rows = graded(*(("r1", "eval", "match" if right == "1" else "mismatch") for _, right in states))
    return rows.with_columns(cluster=pl.Series([f"{name:016x}" for name, _ in states]))


def interval(rows: pl.DataFrame) -> tuple[float, float]:
    (bounds,) = accuracy_table(rows).select("low", "high").rows()
    return bounds


def test_the_interval_of_two_clusters_by_hand():
    # p = 3/5; 2 - 3p = 0.2, 1 - 2p = -0.2: variance 2/1 * 0.08 / 25 = 0.0064, less than
    # that of independent problems, p * (1 - p) / 4 = 0.06.
    assert interval(in_clusters("110", "10")) == wilson(3, 5)
    # p = 3/5; 3 - 3p = 1.2, 0 - 2p = -1.2: variance 2/1 * 2.88 / 25 = 0.2304, 3.84 times 0.06.
    assert interval(in_clusters("111", "00")) == pytest.approx(wilson(3, 5, design_effect=3.84))


def test_problems_of_one_cluster_say_as_much_as_one_problem():
    assert interval(in_clusters("1101")) == pytest.approx(wilson(3, 4, design_effect=4))
    assert interval(in_clusters("1111")) == wilson(4, 4, design_effect=4) != wilson(4, 4)
    assert interval(in_clusters("1")) == wilson(1, 1)


def test_a_design_effect_is_that_of_a_smaller_sample():
    assert wilson(20, 40, design_effect=4) == pytest.approx(wilson(5, 10))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text("01", min_size=1, max_size=4), min_size=1, max_size=20))
def test_clusters_never_narrow_the_interval(clusters):
    rows = in_clusters(*clusters)
    low, high = interval(rows)
    independent = wilson(int(rows["correct"].sum()), rows.height)
    assert low <= independent[0] and high >= independent[1]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(2, 5))
def test_the_same_problems_again_do_not_narrow_the_interval(hits, others, times):
    again = in_clusters(*["1" * times] * hits, *["0" * times] * others)
    once, several = wilson(hits, hits + others), interval(again)
    assert several[0] < once[0] and several[1] > once[1]
    assert several == pytest.approx(once, abs=0.5 / (hits + others)), "about as wide"


@settings(deadline=None, max_examples=60)
@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_where_each_problem_is_a_cluster_the_interval_is_that_of_independent_ones(right):
    rows = in_clusters(*("1" if hit else "0" for hit in right))
    assert interval(rows) == wilson(sum(right), len(right))


def test_rows_without_a_cluster_are_clusters_of_their_own():
    rows = in_clusters("111", "00")
    assert interval(rows.drop("cluster")) == wilson(3, 5)
    assert interval(rows.with_columns(cluster=pl.lit(None, dtype=pl.String))) == wilson(3, 5)
    assert interval(rows) != wilson(3, 5)


def test_grading_joins_the_checks_and_only_a_match_is_right():
    states = ["match", "mismatch", "no_answer", "timeout", "error"]
    ids = [f"{index:016x}" for index in range(5)]
    predictions = pl.DataFrame(
        {
            "problem_id": ids,
            "round": ["r1"] * 5,
            "split": ["eval"] * 5,
            "response": ["x"] * 5,
            "finish_reason": ["stop"] * 5,
            "response_tokens": [1] * 5,
        }
    )
    checks = pl.DataFrame(
        {
            "problem_id": ids,
            "round": ["r1"] * 5,
            "state": states,
            "found": ["7", "6", None, None, None],
        }
    ).reverse()
    clusters = pl.DataFrame({"problem_id": ids, "cluster": [ids[0], *ids[:-1]]}).reverse()
    rows = grade(predictions, checks, clusters)
    Graded.validate(rows)
    assert rows["problem_id"].to_list() == ids
    assert rows["cluster"].to_list() == [ids[0], *ids[:-1]]
    assert rows["correct"].to_list() == [True, False, False, False, False]
    with pytest.raises(DataError, match="1 of 5"):
        grade(predictions, checks.head(4), clusters)
    with pytest.raises(DataError, match="2 of 5 predictions are of problems without a cluster"):
        grade(predictions, checks, clusters.head(3))
