from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError
from mathse.judge.orm_metrics import (
    brier,
    calibration_table,
    expected_calibration_error,
    macro_f1_steps,
    orm_metrics,
    orm_metrics_by,
    propose_threshold,
    roc_auc,
)

TRUTH = ["correct", "correct", "correct", "wrong", "wrong", "wrong", "wrong"]
STEPS = [None, None, None, 2, 2, 1, 3]
SAID = ["correct", "correct", "wrong", "wrong", "wrong", "correct", "unparseable"]
SAID_STEP = [None, None, 1, 2, 1, None, None]
P = [0.9, 0.8, 0.3, 0.1, 0.2, 0.6, None]


def frames():
    names = [f"t{number}" for number in range(7)]
    rows = pl.DataFrame(
        {
            "trajectory_id": names,
            "problem_id": ["a", "a", "b", "a", "b", "b", "c"],
            "status": TRUTH,
            "error_step": STEPS,
        }
    )
    judged = pl.DataFrame(
        {"trajectory_id": names, "orm_status": SAID, "p_correct": P, "error_step": SAID_STEP}
    )
    return rows, judged


def value(found, name):
    return found[name]["value"], found[name]["n"]


def test_the_figures_by_hand():
    found = orm_metrics(*frames())
    assert value(found, "positive_accuracy") == (2 / 3, 3)
    assert value(found, "negative_accuracy") == (2 / 4, 4)
    assert value(found, "overall_accuracy") == (4 / 7, 7)
    assert value(found, "wrong_passed") == (1 / 4, 4)
    assert value(found, "error_step_exact") == (1 / 4, 4)
    assert value(found, "error_step_exact_judged") == (1 / 2, 2)
    assert value(found, "unparseable") == (1 / 7, 7)
    assert found["roc_auc"] == pytest.approx(8 / 9)
    assert found["brier"] == pytest.approx((0.01 + 0.04 + 0.49 + 0.01 + 0.04 + 0.36) / 6)
    assert found["p_given"] == 6 and found["n"] == 7
    assert found["proposed"] == {"min_p_correct": 0.8, "right_passed": 2 / 3, "wrong_passed": 0}
    for share in (entry for entry in found.values() if isinstance(entry, dict) and "n" in entry):
        assert 0 <= share["low"] <= share["value"] <= share["high"] <= 1
    json.dumps(found, allow_nan=False)


def test_macro_f1_of_the_named_step_by_hand():
    # truth 0 0 0 2 2 1 3, named 0 0 1 2 1 0 -
    right = 2 * 2 / (3 + 3)
    assert macro_f1_steps(*frames()) == pytest.approx((right + 0 + 2 / 3 + 0) / 4)
    assert orm_metrics(*frames())["macro_f1_steps"] == macro_f1_steps(*frames())


def test_macro_f1_knows_what_has_no_step():
    rows, judged = frames()
    unnamed = rows.with_columns(error_step=pl.lit(None, dtype=pl.Int64))
    assert macro_f1_steps(unnamed, judged) == pytest.approx(2 * 2 / (3 + 2)), "no step to name"
    binary = judged.with_columns(error_step=pl.lit(None, dtype=pl.Int64))
    assert macro_f1_steps(rows, binary) == pytest.approx((2 * 2 / (3 + 3)) / 4)
    unreadable = judged.with_columns(orm_status=pl.lit("unparseable"), error_step=1)
    assert macro_f1_steps(rows, unreadable) == 0
    far = judged.with_columns(
        error_step=pl.when(trajectory_id="t2").then(9).otherwise("error_step")
    )
    assert macro_f1_steps(rows, far) == macro_f1_steps(rows, judged), "no class of a row"
    assert macro_f1_steps(rows.clear(), judged.clear()) is None


def test_macro_f1_weighs_each_class_the_same():
    names = [f"t{number}" for number in range(10)]
    rows = pl.DataFrame(
        {
            "trajectory_id": names,
            "status": ["correct"] * 9 + ["wrong"],
            "error_step": [None] * 9 + [1],
        },
        schema_overrides={"error_step": pl.Int64},
    )
    passes_all = pl.DataFrame(
        {
            "trajectory_id": names,
            "orm_status": ["correct"] * 10,
            "p_correct": [0.9] * 10,
            "error_step": [None] * 10,
        },
        schema_overrides={"error_step": pl.Int64},
    )
    assert macro_f1_steps(rows, passes_all) == pytest.approx(18 / 19 / 2)


def test_the_order_of_the_judgements_does_not_matter():
    rows, judged = frames()
    assert orm_metrics(rows, judged.reverse()) == orm_metrics(rows, judged)


def test_a_row_without_judgement_is_an_error_not_a_success():
    rows, judged = frames()
    with pytest.raises(DataError, match="1 of 7"):
        orm_metrics(rows, judged.head(6))


def test_no_rows_give_none_not_a_crash():
    rows, judged = frames()
    found = orm_metrics(rows.clear(), judged.clear())
    assert found["overall_accuracy"] == {"value": None, "n": 0, "low": 0.0, "high": 1.0}
    assert found["roc_auc"] is None and found["ece"] is None and found["brier"] is None
    json.dumps(found, allow_nan=False)


def test_families():
    groups = pl.DataFrame({"problem_id": ["a", "b", "c"], "family": ["bars", "coins", None]})
    table = orm_metrics_by(*frames(), groups, "family")
    assert table["family"].to_list() == ["bars", "coins", "none"]
    assert table["n"].to_list() == [3, 3, 1]
    assert table["wrong_passed"].to_list() == [0.0, 0.5, 0.0]
    assert table["positive_accuracy"].to_list() == [1.0, 0.0, None]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 0.7, 1.0])), max_size=25))
def test_auc_is_the_share_of_ordered_pairs(pairs):
    right = [score for label, score in pairs if label]
    wrong = [score for label, score in pairs if not label]
    found = roc_auc([label for label, _ in pairs], [score for _, score in pairs])
    if not right or not wrong:
        assert found is None
    else:
        wins = sum((a > b) + (a == b) / 2 for a in right for b in wrong)
        assert found == pytest.approx(wins / len(right) / len(wrong))


def test_calibration_by_hand():
    labels, scores = [True, False, True, True], [0.05, 0.05, 0.95, 1.0]
    table = calibration_table(labels, scores)
    assert table.height == 10 and table["n"].to_list() == [2] + [0] * 8 + [2]
    assert table["mean_p"][0] == pytest.approx(0.05) and table["share_correct"][0] == 0.5
    assert table["mean_p"][1] is None
    assert expected_calibration_error(table) == pytest.approx((0.45 * 2 + 0.025 * 2) / 4)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=1, max_size=30))
def test_every_score_lies_in_one_bin_and_the_errors_have_their_range(pairs):
    labels, scores = [label for label, _ in pairs], [score for _, score in pairs]
    table = calibration_table(labels, scores)
    assert table["n"].sum() == len(pairs)
    assert 0 <= expected_calibration_error(table) <= 1
    assert 0 <= brier(labels, scores) <= 1


def test_a_sure_and_right_judge_is_calibrated():
    labels, scores = [True, False], [1.0, 0.0]
    assert expected_calibration_error(calibration_table(labels, scores)) == 0
    assert brier(labels, scores) == 0 and roc_auc(labels, scores) == 1


def test_the_proposed_threshold_is_the_lowest_that_lets_few_wrong_ones_pass():
    right, wrong = [0.9, 0.4, 0.3, 0.1], [0.5] * 3 + [0.3] + [0.05] * 96
    labels = [True] * len(right) + [False] * len(wrong)
    # Four of a hundred wrong ones reach 0.3, three reach 0.4.
    found = propose_threshold(labels, right + wrong)
    assert found == {"min_p_correct": 0.4, "right_passed": 0.5, "wrong_passed": 0.03}
    assert propose_threshold(labels, [0.2] * len(labels)) is None  # all pass or none
    assert propose_threshold([True, False], [0.0, 0.0]) is None  # 0 would leave it to the verdict
    assert propose_threshold([True, True], [0.4, 0.6]) is None and propose_threshold([], []) is None
