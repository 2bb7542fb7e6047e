from __future__ import annotations

import json
import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError
from mathse.core.stage_tables import write_metrics
from mathse.evaluation.paired import compare, mcnemar_exact, paired_bootstrap, transitions


def answers(*right: bool) -> pl.DataFrame:
    names = [f"p{index:04d}" for index in range(len(right))]
    rows = pl.DataFrame(
        {"problem_id": names, "correct": list(right)},
        schema={"problem_id": pl.String, "correct": pl.Boolean},
    )
    return rows.with_columns(split=pl.lit("eval"))


BEFORE = answers(True, True, True, False, False, False, False, False)
AFTER = answers(True, True, False, True, True, True, False, False)


def test_a_comparison_by_hand():
    found = compare(BEFORE, AFTER)
    assert (found.n, found.both, found.lost, found.gained, found.neither) == (8, 2, 1, 3, 2)
    assert found.difference == 0.25
    assert found.p_value == pytest.approx(2 * (1 + 4) / 16)
    assert found.low <= found.difference <= found.high


@pytest.mark.parametrize(
    ("lost", "gained", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 0.021484375), (2, 10, 0.03857421875)],
)
def test_mcnemar_gives_the_binomial_values(lost, gained, p):
    assert mcnemar_exact(lost, gained) == pytest.approx(p)
    assert mcnemar_exact(gained, lost) == mcnemar_exact(lost, gained)


def test_mcnemar_does_not_overflow():
    assert mcnemar_exact(1500, 3500) < 1e-100
    assert mcnemar_exact(2500, 2500) == 1.0


def test_a_p_value_is_never_zero(tmp_path):
    assert 0 < mcnemar_exact(0, 5000) < 1e-300
    write_metrics(tmp_path / "m.json", {"gain": {"p": mcnemar_exact(5, 95), "share": 1 / 3}})
    written = json.loads((tmp_path / "m.json").read_text())["gain"]
    assert written == {"p": mcnemar_exact(5, 95), "share": 0.333333}


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60),
    st.randoms(use_true_random=False),
)
def test_comparison_invariants(pairs, shuffler):
    before, after = answers(*(a for a, _ in pairs)), answers(*(b for _, b in pairs))
    found, back = compare(before, after), compare(after, before)
    assert found.both + found.lost + found.gained + found.neither == found.n == len(pairs)
    assert (
        found.difference == pytest.approx(after["correct"].mean() - before["correct"].mean())
        and found.difference == -back.difference
    )
    assert found.p_value == back.p_value and 0 < found.p_value <= 1
    assert -1 <= found.low <= found.high <= 1
    table = transitions(before, after)
    assert table["n"].sum() == len(pairs) and table["share"].sum() == pytest.approx(1)
    order = list(range(len(pairs)))
    shuffler.shuffle(order)
    assert compare(before, after[order]) == found


def test_the_bootstrap_agrees_with_drawing_problems_again():
    rng = random.Random(0)
    changes = [-1] * 20 + [1] * 50 + [0] * 130
    drawn = sorted(sum(rng.choices(changes, k=200)) / 200 for _ in range(4000))
    low, high = paired_bootstrap(20, 50, 200, seed=1)
    assert low == pytest.approx(drawn[100], abs=0.012) and high == pytest.approx(
        drawn[3899], abs=0.012
    )


def test_the_bootstrap_is_a_function_of_its_seed():
    assert paired_bootstrap(20, 50, 200, seed=1) == paired_bootstrap(20, 50, 200, seed=1)
    assert paired_bootstrap(0, 0, 9) == (0.0, 0.0)
    assert paired_bootstrap(0, 9, 9) == (1.0, 1.0)


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says():
    rng, n, covered = random.Random(1), 300, 0
    for trial in range(200):
        drawn = rng.choices(["lost", "gained", "same"], [0.1, 0.2, 0.7], k=n)
        low, high = paired_bootstrap(
            drawn.count("lost"), drawn.count("gained"), n, resamples=1000, seed=trial
        )
        covered += low <= 0.1 <= high
    assert 180 <= covered <= 199


def test_transitions_name_all_four():
    table = transitions(BEFORE, AFTER)
    assert table.select("before", "after", "n").rows() == [
        ("correct", "correct", 2),
        ("correct", "incorrect", 1),
        ("incorrect", "correct", 3),
        ("incorrect", "incorrect", 2),
    ]


def test_other_problems_are_refused():
    with pytest.raises(DataError, match="Only 7 problems"):
        compare(BEFORE, AFTER.head(7))
    with pytest.raises(DataError, match="twice"):
        compare(pl.concat([BEFORE, BEFORE]), AFTER)
    with pytest.raises(DataError, match="empty"):
        compare(BEFORE.clear(), AFTER.clear())
