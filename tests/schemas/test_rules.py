"""Every rule of every table is broken by one bad value, and the error names that rule."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import schemas
from schemas import TABLES, ContractError, Table
from tests.schemas.rows import ALSO, BROKEN, FAILED, GOOD, Row, broken_frame, frame, model_named

NOT_NULL = [
    (model.__name__, rule.name, rule.field)
    for model in TABLES
    for rule in schemas.rules(model)
    if rule.name.endswith(" is not null")
]
each_table = pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)


@each_table
def test_the_good_row_passes(model: type[Table]) -> None:
    df = frame(model.__name__, {})
    assert_frame_equal(schemas.validate(df, model, file="x"), df)


@each_table
def test_an_empty_table_passes(model: type[Table]) -> None:
    assert (
        schemas.validate(pl.DataFrame(schema=schemas.column_types(model)), model, file="x").height
        == 0
    )


@each_table
def test_every_rule_has_a_case(model: type[Table]) -> None:
    """A new rule without a bad value here fails; so does a case whose rule is gone."""
    declared = [rule.name for rule in schemas.rules(model)]
    assert len(set(declared)) == len(declared)
    cases = {rule for name, rule, _ in BROKEN if name == model.__name__}
    cases |= {rule for name, rule, _ in NOT_NULL if name == model.__name__}
    assert set(declared) == cases


@each_table
def test_each_rule_names_a_column_of_its_table(model: type[Table]) -> None:
    assert {rule.field for rule in schemas.rules(model)} <= set(GOOD[model.__name__])


@pytest.mark.parametrize(("name", "rule", "change"), BROKEN)
def test_a_bad_value_fails_by_its_rule(name: str, rule: str, change: Row | str) -> None:
    with pytest.raises(ContractError) as caught:
        schemas.validate(broken_frame(name, change), model_named(name), file="t.parquet")
    allowed = {rule} | ALSO.get((name, rule), set())
    assert rule in caught.value.rules
    assert set(caught.value.rules) <= allowed
    text = str(caught.value)
    bad_row = 1 if isinstance(change, str) else 0
    assert (
        "t.parquet" in text and f"  {rule}: broken by 1 of" in text and f"row {bad_row}: " in text
    )
    assert "fix: " in text


@pytest.mark.parametrize(("name", "rule", "change"), BROKEN)
def test_a_bad_value_is_quarantined_by_its_rule(name: str, rule: str, change: Row | str) -> None:
    if isinstance(change, str):
        df, bad_row = broken_frame(name, change), 1
    else:
        df, bad_row = pl.concat([frame(name, {}), broken_frame(name, change)]), 1
    good, quarantined = schemas.split_bad(df, model_named(name), file="t.parquet")
    assert_frame_equal(good, frame(name, {}))
    assert rule in quarantined["rule"].to_list()
    assert set(quarantined["row"]) == {bad_row} and set(quarantined["file"]) == {"t.parquet"}
    schemas.validate(quarantined, schemas.Quarantine, file="quarantine")


@pytest.mark.parametrize(("name", "rule", "field"), NOT_NULL)
def test_a_null_fails_where_none_may_be(name: str, rule: str, field: str) -> None:
    df = frame(name, {field: None})
    with pytest.raises(ContractError) as caught:
        schemas.validate(df, model_named(name), file="t.parquet")
    assert caught.value.rules == (rule,) or rule in caught.value.rules
    assert f"row 0: {field} = null" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "field"),
    [
        (model.__name__, field)
        for model in TABLES
        for field in GOOD[model.__name__]
        if (model.__name__, f"{field} is not null", field) not in NOT_NULL
    ],
)
def test_a_null_passes_where_it_may_be(name: str, field: str) -> None:
    fitting: dict[tuple[str, str], Row] = {
        ("Trajectory", "parent_id"): {"origin": "student"},
        ("Verdict", "predicted_answer"): {"answer_state": "no_answer"},
        ("Verdict", "reason"): {"accepted": True, "answer_state": "match"},
        ("Graded", "predicted_answer"): {"answer_state": "no_answer", "correct": False},
        ("Audit", "fault_kind"): {"truth": "unreadable"},
    }
    df = frame(name, {field: None} | fitting.get((name, field), {}))
    schemas.validate(df, model_named(name), file="x")


@each_table
def test_every_column_must_be_there_and_have_its_type(model: type[Table]) -> None:
    df = frame(model.__name__, {})
    for column in df.columns:
        if column in schemas.optional_types(model):
            schemas.validate(df.drop(column), model, file="t.parquet")
        else:
            with pytest.raises(ContractError) as caught:
                schemas.validate(df.drop(column), model, file="t.parquet")
            assert caught.value.rules == ("all columns are there",)
            assert f"column {column} " in str(caught.value) and "is missing" in str(caught.value)
        with pytest.raises(ContractError) as caught:
            schemas.validate(
                df.with_columns(pl.lit(1, dtype=pl.Int8).alias(column)), model, file="t.parquet"
            )
        assert caught.value.rules == ("columns have their types",)
        assert f"column {column} is Int8, not {df.schema[column]}" in str(caught.value)


@each_table
def test_no_other_column_may_be_there(model: type[Table]) -> None:
    with pytest.raises(ContractError) as caught:
        schemas.validate(frame(model.__name__, {}).with_columns(extra=1), model, file="t.parquet")
    assert caught.value.rules == ("no other columns",)
    assert "column extra does not belong" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"answer": "A"},
        {"answer": " B "},
        {"answer": "F", "choices": ["A", "B", "D", "F", "G"]},
        {"answer": "7"},
        {
            "answer": "12",
            "answer_type": "number",
            "choices": [],
            "image_ids": [],
            "question": "6+6?",
        },
        {"question": "三角形的面积是多少？", "language": "zh"},
        {"question": "No placeholder at all."},
        {"image_ids": [GOOD["Image"]["image_id"]] * 2, "question": "See <image2> and <image1>."},
    ],
)
def test_problems_of_real_data_sets_pass(change: Row) -> None:
    schemas.validate(frame("Problem", change), schemas.Problem, file="x")


def test_an_error_row_of_an_engine_passes() -> None:
    change = FAILED | {"response": "", "steps": [], "response_tokens": 0}
    schemas.validate(frame("Trajectory", change), schemas.Trajectory, file="x")


@pytest.mark.parametrize("status", ["skipped", "unparseable", "correct"])
def test_a_verdict_without_feedback_passes(status: str) -> None:
    nothing = dict.fromkeys(("error_step", "error_analysis", "error_kind", "p_correct"))
    schemas.validate(frame("Verdict", {"orm_status": status, **nothing}), schemas.Verdict, file="x")
