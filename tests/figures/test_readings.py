from __future__ import annotations

import random

import pytest

from mathse.figures.readings import Claim, Shown, parse, values, write

SHOWN: Shown = {
    "width": 5,
    "unknown": "x",
    "minute": 7,
    "coins": [5, 2, 2],
    "terms": [4, 7, 10],
    "bars": {"A": 3, "B": 12},
    "counts": {"circle": 1, "square": 3},
}


@pytest.mark.parametrize(
    ("wording", "keys", "text"),
    [
        ("The width is {width}.", (), "The width is 5."),
        ("It is {width}:{minute:02}.", (), "It is 5:07."),
        ("{unknown} is unknown.", (), "x is unknown."),
        ("The coins are {coins:list}.", (), "The coins are 5, 2, 2."),
        ("Bars: {bars:named}.", (), "Bars: A 3, B 12."),
        ("There are {bars:pairs}.", (), "There are 3 A and 12 B."),
        ("There are {counts:plurals}.", (), "There are 1 circle, 3 squares."),
        ("{bars:key1} is {bars:value1}.", ("B",), "B is 12."),
        ("{bars:value1} and {bars:value2} at {bars:key1} and {bars:key2}.", ("B", "A"),
         "12 and 3 at B and A."),
    ],
)  # fmt: skip
def test_what_is_written_is_read_back(wording: str, keys: tuple[str, ...], text: str) -> None:
    assert write(wording, SHOWN, keys) == text
    for seed in range(4):
        claims = parse(write(wording, SHOWN, keys, random.Random(seed)), wording, SHOWN)
        assert claims and all(claim.said == claim.right for claim in claims)


@pytest.mark.parametrize(
    ("wording", "text", "slot"),
    [
        ("The width is {width}.", "The width is 6.", "width"),
        ("It is {minute:02}.", "It is 08.", "minute"),
        ("The coins are {coins:list}.", "The coins are 5, 2.", "coins"),
        ("The terms are {terms:row}.", "The terms are 7, 4, 10.", "terms"),
        ("Bars: {bars:named}.", "Bars: A 3, B 12, B 12.", "bars"),
        ("Bars: {bars:named}.", "Bars: A 12, B 3.", "bars"),
        ("There are {counts:plurals}.", "There are 1 circle, 3 triangles.", "counts"),
        ("{bars:key1} is {bars:value1}.", "B is 3.", "bars.B"),
        ("{bars:key1} is {bars:value1}.", "C is 3.", "bars.C"),
    ],
)
def test_a_changed_value_is_a_wrong_claim(wording: str, text: str, slot: str) -> None:
    claims = parse(text, wording, SHOWN)
    assert claims is not None
    assert [claim.slot for claim in claims if claim.said != claim.right] == [slot]


def test_lists_may_come_in_any_order_and_rows_may_not() -> None:
    [claim] = parse("The coins are 2, 5 and 2.", "The coins are {coins:list}.", SHOWN) or []
    assert claim.said == claim.right
    [claim] = parse("Terms 4, 7 and 10.", "Terms {terms:row}.", SHOWN) or []
    assert claim == Claim("terms", [4, 7, 10], [4, 7, 10])


def test_another_sentence_is_no_claim() -> None:
    assert parse("The height is 5.", "The width is {width}.", SHOWN) is None
    assert parse("The width is 5. And more.", "The width is {width}.", SHOWN) is None


def test_single_values_have_names() -> None:
    assert [*values("coins", SHOWN)] == [("coins.0", 5), ("coins.1", 2), ("coins.2", 2)]
    assert [*values("bars", SHOWN)] == [("bars.A", 3), ("bars.B", 12)]
    assert [*values("bars.B", SHOWN)] == [("bars.B", 12)] and not [*values("bars.C", SHOWN)]
    assert [*values("width", SHOWN)] == [("width", 5)]
