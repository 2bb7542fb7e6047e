"""The closing sentences of the built-in problems, which the default loop checks by the thousand."""

from __future__ import annotations

import time

import polars as pl
import pytest

from mathse.answers import check_one, check_rows, find_answer

CLOSING = "The answer to this problem is"


@pytest.mark.parametrize(
    ("gold", "answer_type", "choices", "said", "state"),
    [
        ("13", "number", [], "13", "match"),
        ("13", "number", [], "31", "mismatch"),
        ("3/8", "number", [], "3/8", "match"),
        ("3/8", "number", [], "6/16", "match"),
        ("3/8", "number", [], "8/3", "mismatch"),
        ("2x+3", "expression", [], "2x+3", "match"),
        ("2x+3", "expression", [], "3 + 2x", "match"),
        ("2x+3", "expression", [], "2x-3", "mismatch"),
        ("B", "choice", ["5 cm", "7 cm", "9 cm"], "B", "match"),
        ("B", "choice", ["5 cm", "7 cm", "9 cm"], "(B) 7 cm", "match"),
        ("B", "choice", ["5 cm", "7 cm", "9 cm"], "7", "match"),
        ("B", "choice", ["5 cm", "7 cm", "9 cm"], "C", "mismatch"),
        ("4:30", "text", [], "4:30", "match"),
        ("4:30", "text", [], "3:40", "mismatch"),
        ("1, 4", "set", [], "4, 1", "match"),
        ("1, 4", "set", [], "1", "mismatch"),
    ],
)
def test_closing_sentence(
    gold: str, answer_type: str, choices: list[str], said: str, state: str
) -> None:
    response = f"Read the figure first.\n5 + 8 = 13, and 2 * 4 = 8.\n{CLOSING} {said}."
    assert check_one(gold, response, answer_type=answer_type, choices=choices).state == state


def test_find_answer_needs_no_gold() -> None:
    assert find_answer(f"3 + 4 = 7\n{CLOSING} 7.", answer_type="number") == "7"
    assert find_answer(f"so the slope is 2.\n{CLOSING} 2x+3.", answer_type="expression") == "2x+3"
    assert find_answer(f"{CLOSING} C.", answer_type="choice", choices=["1", "2", "3"]) == "C"
    assert find_answer("3 + 4 = 7, then", answer_type="choice", choices=["yes", "no"]) is None
    assert find_answer("", answer_type="number") is None


def test_rows_keep_order_and_columns() -> None:
    df = pl.DataFrame(
        {
            "key": ["c", "a", "b"],
            "gold": ["13", "B", "2x+3"],
            "response": [f"{CLOSING} 13.", f"{CLOSING} C.", ""],
            "answer_type": ["number", "choice", "expression"],
            "choices": [[], ["1", "2", "3"], []],
        },
        schema_overrides={"choices": pl.List(pl.String)},
    )
    checked = check_rows(df)
    assert checked["key"].to_list() == ["c", "a", "b"]
    assert checked["state"].to_list() == ["match", "mismatch", "no_answer"]
    assert checked["found"].to_list() == ["13", "C", None]
    assert checked.columns == [*df.columns, "state", "found", "reason"]


def test_twenty_thousand_short_answers_take_seconds() -> None:
    rows = [
        {
            "gold": str(n % 97),
            "response": f"{n} + 1 = {n + 1}\n{CLOSING} {n % 89}.",
            "answer_type": "number",
        }
        for n in range(20_000)
    ]
    start = time.process_time()
    checked = check_rows(pl.DataFrame(rows))
    assert time.process_time() - start < 6
    expected = ["match" if n % 97 == n % 89 else "mismatch" for n in range(20_000)]
    assert checked["state"].to_list() == expected
