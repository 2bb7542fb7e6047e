"""How validation behaves: collected frames, readable errors, bad rows parted off, speed."""

from __future__ import annotations

import pickle
import time

import polars as pl
import pytest
from pandera.errors import SchemaErrors
from polars.testing import assert_frame_equal

import schemas
from schemas import ContractError
from schemas.table import Table, rule
from tests.schemas.rows import frame, hex_id


def ledger(n: int, **change: object) -> pl.DataFrame:
    rows = [{"problem_id": hex_id(i), "round": "r1", **change} for i in range(n)]
    return frame("LedgerRow", *rows)


def test_the_order_of_columns_does_not_count() -> None:
    df = ledger(2).select(reversed(ledger(0).columns))
    assert_frame_equal(schemas.validate(df, schemas.LedgerRow, file="x"), df)


def test_the_error_tells_file_rule_rows_and_what_to_do() -> None:
    df = pl.concat([ledger(3), ledger(9, round="R1")])
    with pytest.raises(ContractError) as caught:
        schemas.validate(df, schemas.LedgerRow, file="data/rounds/r1/ledger.parquet")
    assert str(caught.value).splitlines() == [
        "data/rounds/r1/ledger.parquet breaks a rule of its contract.",
        "  round is a short name: broken by 9 of 12 rows",
        *(f"    row {row}: round = 'R1'" for row in range(3, 8)),
        "    ...",
        "  fix: correct these rows where they come from, "
        "then run the stage that writes the table again",
    ]


def test_all_broken_rules_are_named_at_once() -> None:
    with pytest.raises(ContractError, match="breaks 3 rules") as caught:
        schemas.validate(ledger(1, round="R1", state="x", passes=9), schemas.LedgerRow, file="x")
    assert len(caught.value.rules) == len(caught.value.details) == 3


def test_long_values_are_cut() -> None:
    df = frame("Image", {"bytes": b"\x01\x02" * 5000}, {"format": "y" * 5000})
    with pytest.raises(ContractError) as caught:
        schemas.validate(df, schemas.Image, file="x")
    assert max(map(len, str(caught.value).splitlines())) < 120
    _, quarantined = schemas.split_bad(df, schemas.Image, file="x")
    assert quarantined["value"].str.len_chars().max() == 200
    assert quarantined.filter(pl.col("rule").str.starts_with("format is"))["value"][0].endswith(
        "y…"
    )


def test_an_error_survives_a_process_boundary() -> None:
    error = ContractError("f", ("r",), ("  r: broken",), "fix it")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_split_keeps_the_order_and_counts_every_broken_rule() -> None:
    df = pl.concat([ledger(2), ledger(4, passes=9, state="x")[2:], ledger(6)[4:]])
    good, quarantined = schemas.split_bad(df, schemas.LedgerRow, file="l.parquet")
    assert good["problem_id"].to_list() == [hex_id(i) for i in (0, 1, 4, 5)]
    assert quarantined["row"].to_list() == [2, 2, 3, 3]
    assert quarantined.filter(pl.col("field") == "passes")["value"].to_list() == ["9", "9"]
    assert quarantined["reason"][0].startswith("broken rule: ")


def test_split_of_a_good_table_quarantines_nothing() -> None:
    good, quarantined = schemas.split_bad(ledger(3), schemas.LedgerRow, file="x")
    assert_frame_equal(good, ledger(3))
    assert quarantined.height == 0
    schemas.validate(quarantined, schemas.Quarantine, file="x")


def test_split_does_not_fix_broken_columns() -> None:
    with pytest.raises(ContractError, match="column state"):
        schemas.split_bad(ledger(3).drop("state"), schemas.LedgerRow, file="x")


def test_the_first_of_two_equal_keys_stays() -> None:
    df = pl.concat([ledger(2), ledger(1, state="hard")])
    good, quarantined = schemas.split_bad(df, schemas.LedgerRow, file="x")
    assert good["state"].to_list() == ["accepted", "accepted"]
    assert quarantined["row"].to_list() == [2]


def test_a_rule_that_cannot_be_evaluated_is_not_a_bad_row() -> None:
    class Wrong(Table):
        name: pl.String
        slip = rule("name is long", "name", pl.col("nmae").str.len_chars() > 3)

    with pytest.raises(SchemaErrors, match="nmae"):
        schemas.validate(pl.DataFrame({"name": ["x"]}), Wrong, file="x")


def test_fifty_thousand_rows_take_less_than_two_seconds() -> None:
    ids = pl.Series([hex_id(i) for i in range(50_000)])
    for name, key in [
        ("Problem", "problem_id"),
        ("Trajectory", "trajectory_id"),
        ("Verdict", "trajectory_id"),
    ]:
        df = frame(name, {}).drop(key).join(pl.DataFrame({key: ids}), how="cross")
        start_s = time.process_time()
        schemas.validate(df, getattr(schemas, name), file="x")
        assert time.process_time() - start_s < 2
