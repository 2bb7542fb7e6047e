from __future__ import annotations

import itertools
import json
import random
from time import perf_counter

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError
from mathse.core.stage_tables import write_metrics
from mathse.evaluation import paired
from mathse.evaluation.paired import compare, paired_bootstrap, sign_flip_exact, transitions


def flips(lost: int, gained: int) -> list[int]:
    return [-1] * lost + [1] * gained


def single(lost: int, gained: int, n: int) -> list[tuple[int, int]]:
    """Clusters of one problem each: (change, size)."""
    return [(change, 1) for change in [*flips(lost, gained), *[0] * (n - lost - gained)]]


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
def test_changes_of_one_problem_have_the_binomial_values_of_mcnemar(lost, gained, p):
    assert sign_flip_exact([*flips(lost, gained), 0, 0]) == pytest.approx(p)
    assert sign_flip_exact(flips(gained, lost)) == sign_flip_exact(flips(lost, gained))


@settings(deadline=None)
@given(st.lists(st.integers(-5, 5), max_size=9))
def test_the_sign_flip_test_counts_all_assignments_of_signs(changes):
    sums = [
        sum(sign * change for sign, change in zip(signs, changes, strict=True))
        for signs in itertools.product((-1, 1), repeat=len(changes))
    ]
    as_far = sum(abs(total) >= abs(sum(changes)) for total in sums)
    assert sign_flip_exact(changes) == as_far / len(sums)


def test_the_sign_flip_test_does_not_overflow():
    assert sign_flip_exact(flips(1500, 3500)) < 1e-100
    assert sign_flip_exact(flips(2500, 2500)) == 1.0
    assert sign_flip_exact([*flips(500, 2000), *[-2] * 100, *[3] * 50]) < 1e-100


@settings(deadline=None)
@given(st.lists(st.integers(-5, 5), max_size=200), st.integers(0, 40))
@example([0, 1, 1], 0)
def test_floats_give_what_the_exact_test_gives(changes, gained):
    changes = [*changes, *[2] * gained]
    exact = sign_flip_exact(changes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paired, "EXACT_CLUSTERS", 0)
        assert sign_flip_exact(changes) == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("shift", [0, 1, 3, 10])
def test_many_clusters_take_no_time(shift, monkeypatch):
    drawn = np.random.default_rng(shift).integers(-3, 4 + shift % 2, size=2500).tolist()
    drawn += [2] * 40 * shift
    exact = sign_flip_exact(drawn)
    monkeypatch.setattr(paired, "EXACT_CLUSTERS", 0)
    assert sign_flip_exact(drawn) == pytest.approx(exact, rel=1e-9)
    start = perf_counter()
    assert 0 < sign_flip_exact(drawn * 16) < exact or exact == 1.0
    assert sign_flip_exact([3] * 20_000 + [-2] * 10_000 + [5] * 1000) < 1e-300
    assert perf_counter() - start < 20


def test_a_p_value_is_never_zero(tmp_path):
    assert 0 < sign_flip_exact(flips(0, 5000)) < 1e-300
    p_value = sign_flip_exact(flips(5, 95))
    write_metrics(tmp_path / "m.json", {"gain": {"p": p_value, "share": 1 / 3}})
    written = json.loads((tmp_path / "m.json").read_text())["gain"]
    assert written == {"p": p_value, "share": 0.333333}


def test_a_comparison_of_clusters_by_hand():
    # Net changes: +3 of 4 problems (0 lost), -1 of 1, +1 of 2, 0 of 2 (one gained, one lost).
    sizes = {"a": 4, "b": 1, "c": 2, "d": 2}
    clusters = pl.Series([name for name, size in sizes.items() for _ in range(size)])
    before = answers(False, False, False, True, True, False, True, False, True)
    after = answers(True, True, True, True, False, True, True, True, False)
    after = after.with_columns(cluster=clusters)
    found = compare(before, after)
    assert (found.n, found.both, found.lost, found.gained, found.neither) == (9, 2, 2, 5, 0)
    assert found.difference == pytest.approx(3 / 9)
    # Of the sums of ±3 ±1 ±1, six of eight are as far from 0 as 3: all but ±(3 - 1 - 1).
    assert found.p_value == 6 / 8
    # Only with four times the second cluster it is lost by 1; with four times the first, 3/4.
    assert -1 <= found.low < 0 and 3 / 7 < found.high <= 3 / 4
    # Either side can bring the clusters; without them the problems are independent.
    after_alone = compare(before.with_columns(cluster=clusters), after.drop("cluster"))
    assert after_alone == found
    alone = compare(before, after.drop("cluster"))
    assert alone.p_value == sign_flip_exact(flips(2, 5)) != found.p_value


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40))
def test_the_same_problems_again_make_nothing_surer(pairs):
    before, after = answers(*(a for a, _ in pairs)), answers(*(b for _, b in pairs))
    after = after.with_columns(cluster="problem_id")
    again = pl.concat([after, after.with_columns(problem_id=pl.col("problem_id") + "b")])
    earlier = pl.concat([before, before.with_columns(problem_id=pl.col("problem_id") + "b")])
    once, twice = compare(before, after), compare(earlier, again)
    assert once == compare(before, after.drop("cluster")), "each problem is a cluster"
    assert twice.n == 2 * once.n and twice.difference == pytest.approx(once.difference)
    assert twice.p_value == once.p_value
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_clusters_of_several_problems_widen_the_interval():
    narrow = paired_bootstrap(single(20, 60, 200))
    wide = paired_bootstrap([(-4, 4)] * 5 + [(4, 4)] * 15 + [(0, 4)] * 30)
    assert wide[1] - wide[0] > 1.8 * (narrow[1] - narrow[0])


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
    low, high = paired_bootstrap(single(20, 50, 200), seed=1)
    assert low == pytest.approx(drawn[100], abs=0.012) and high == pytest.approx(
        drawn[3899], abs=0.012
    )


def test_the_bootstrap_is_a_function_of_its_seed():
    first, again = (paired_bootstrap(single(20, 50, 200), seed=1) for _ in range(2))
    assert first == again
    assert paired_bootstrap(single(0, 0, 9)) == (0.0, 0.0)
    assert paired_bootstrap(single(0, 9, 9)) == (1.0, 1.0)


def test_clusters_of_one_problem_are_resampled_as_problems_were():
    lost, gained, n = 20, 50, 200
    shares = [lost / n, gained / n, (n - lost - gained) / n]
    sampled = np.random.default_rng(3).multinomial(n, shares, size=10_000)
    low, high = np.quantile((sampled[:, 1] - sampled[:, 0]) / n, [0.025, 0.975])
    assert paired_bootstrap(single(lost, gained, n), seed=3) == (low, high)


def test_the_interval_covers_the_true_difference_about_as_often_as_it_says():
    rng, n, covered = random.Random(1), 300, 0
    for trial in range(200):
        drawn = rng.choices(["lost", "gained", "same"], [0.1, 0.2, 0.7], k=n)
        clusters = single(drawn.count("lost"), drawn.count("gained"), n)
        low, high = paired_bootstrap(clusters, resamples=1000, seed=trial)
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


def test_one_cluster_alone_says_nothing_of_others() -> None:
    assert paired_bootstrap([(3, 20)]) == (-1.0, 1.0)
    low, high = paired_bootstrap([(3, 20), (0, 20)])
    assert -1 < low < high < 1


@pytest.mark.parametrize(("before", "after"), [(BEFORE[:7], AFTER), (BEFORE, AFTER[:7])])
def test_a_problem_that_one_side_lacks_is_an_error(before, after):
    with pytest.raises(DataError, match="Only 7 problems are in both rounds"):
        compare(before, after)
