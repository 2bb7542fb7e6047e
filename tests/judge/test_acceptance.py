from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError, ParamError
from mathse.judge.acceptance import VERDICT, accept_trajectories, count_reasons
from schemas import REJECT_REASONS, Verdict
from tests.judge.trajectories import RIGHT, WRONG, trajectory


def paths(*changes: dict) -> pl.DataFrame:
    rows = []
    for number, change in enumerate(changes):
        response = change.get("response", RIGHT)
        row = trajectory(number, response) | {
            "answer_state": "match",
            "predicted_answer": "7",
            "orm_status": "correct",
            "p_correct": 0.9,
            "error_step": None,
            "error_analysis": None,
            "error_kind": None,
        }
        rows.append(row | change)
    schema = {**VERDICT, "steps": pl.List(pl.String), "finish_reason": pl.String}
    return pl.DataFrame(
        rows, schema={name: schema[name] for name in schema if name not in ("accepted", "reason")}
    )


@pytest.mark.parametrize(
    ("change", "answer", "orm", "both"),
    [
        ({}, None, None, None),
        ({"answer_state": "mismatch"}, "answer_mismatch", None, "answer_mismatch"),
        ({"answer_state": "no_answer"}, "no_answer", None, "no_answer"),
        ({"answer_state": "timeout"}, "answer_timeout", None, "answer_timeout"),
        ({"answer_state": "error"}, "answer_error", None, "answer_error"),
        ({"answer_state": "maybe"}, "answer_error", None, "answer_error"),
        ({"answer_state": None}, "answer_error", None, "answer_error"),
        ({"orm_status": "wrong"}, None, None, None),  # its probability decides
        ({"orm_status": "wrong", "p_correct": 0.79}, None, "orm_wrong", "orm_wrong"),
        ({"orm_status": "wrong", "p_correct": None}, None, "orm_wrong", "orm_wrong"),
        ({"orm_status": "unparseable"}, None, "orm_unparseable", "orm_unparseable"),
        ({"orm_status": "perhaps"}, None, "orm_unparseable", "orm_unparseable"),
        ({"orm_status": None}, None, "orm_unparseable", "orm_unparseable"),
        ({"orm_status": "skipped"}, None, "orm_skipped", "orm_skipped"),
        ({"p_correct": 0.79}, None, "low_p_correct", "low_p_correct"),
        ({"p_correct": 0.8}, None, None, None),
        ({"p_correct": None}, None, "low_p_correct", "low_p_correct"),
        ({"p_correct": float("nan")}, None, "low_p_correct", "low_p_correct"),
        ({"finish_reason": "length"}, "cut_off", "cut_off", "cut_off"),
        ({"finish_reason": "error"}, "cut_off", "cut_off", "cut_off"),
        ({"finish_reason": None}, "cut_off", "cut_off", "cut_off"),
        ({"steps": [], "finish_reason": "error"}, "empty", "empty", "empty"),
        (
            {"answer_state": "mismatch", "orm_status": "wrong", "p_correct": 0.1},
            "answer_mismatch",
            "orm_wrong",
            "answer_mismatch",
        ),
    ],
)
def test_each_path_gets_the_first_reason_that_applies(change, answer, orm, both):
    row = paths(change)
    assert accept_trajectories(row, accept="answer", min_p_correct=0.8)["reason"].item() == answer
    assert accept_trajectories(row, accept="orm", min_p_correct=0.8)["reason"].item() == orm
    assert accept_trajectories(row, accept="both", min_p_correct=0.8)["reason"].item() == both


def test_without_a_threshold_no_probability_is_needed():
    assert accept_trajectories(paths({"p_correct": None}), accept="both")["accepted"].item()


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "response": st.sampled_from([RIGHT, WRONG]),
                "answer_state": st.sampled_from(
                    ["match", "mismatch", "no_answer", "timeout", "error"]
                ),
                "orm_status": st.sampled_from(["correct", "wrong", "unparseable", "skipped"]),
                "p_correct": st.none() | st.floats(0, 1),
                "finish_reason": st.sampled_from(["stop", "length"]),
            }
        ),
        max_size=8,
    ),
    st.sampled_from(["answer", "orm", "both"]),
    st.floats(0, 1),
)
def test_every_path_is_accepted_or_has_one_known_reason(changes, accept, threshold):
    rows = accept_trajectories(paths(*changes), accept=accept, min_p_correct=threshold)
    assert rows.schema == VERDICT
    Verdict.validate(rows)
    assert set(rows["reason"].drop_nulls()) <= set(REJECT_REASONS)
    assert sum(count_reasons(rows).values()) == rows.height == len(changes)
    good = rows.filter("accepted")
    if accept != "orm":
        assert (good["answer_state"] == "match").all()
    if accept != "answer":
        assert good["orm_status"].is_in(["correct", "wrong"]).all()
        if threshold:
            assert (good["p_correct"] >= threshold).all() and good["p_correct"].null_count() == 0
        else:
            assert (good["orm_status"] == "correct").all()


def test_accepting_by_both_is_accepting_by_each():
    rows = paths(
        *(
            {"answer_state": state, "orm_status": status}
            for state in ("match", "mismatch")
            for status in ("correct", "wrong")
        )
    )
    accepted = {
        accept: accept_trajectories(rows, accept=accept)["accepted"].to_list()
        for accept in ("answer", "orm", "both")
    }
    assert accepted["both"] == [
        a and b for a, b in zip(accepted["answer"], accepted["orm"], strict=True)
    ]
    assert accepted["both"] == [True, False, False, False]


def test_wrong_params_and_columns_are_refused():
    with pytest.raises(ParamError, match="answer, orm, both"):
        accept_trajectories(paths({}), accept="any")  # type: ignore[arg-type]
    with pytest.raises(ParamError, match="1.2"):
        accept_trajectories(paths({}), accept="orm", min_p_correct=1.2)
    with pytest.raises(DataError, match="p_correct"):
        accept_trajectories(paths({}).drop("p_correct"), accept="orm")
