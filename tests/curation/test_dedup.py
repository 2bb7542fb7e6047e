from __future__ import annotations

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mathse.curation.dedup import dedup_key, jaccard_duplicates, with_dedup_key

SOLUTION = "1. The bar shows 3.\n2. 3+4=7.\nThe answer to this problem is 7."


@pytest.mark.parametrize(
    "other",
    [
        "The bar shows 3\n3 + 4 = 7\nThe answer to this problem is 7",
        "Step 1: The bar shows 3.\n\nStep 2: 3+4=7!\nThe answer to this problem is 7.".replace(
            "!", "."
        ),
        "1) the **bar** shows 3.  2) 3+4=7.\nThe answer to this problem is $7$.".replace(
            "  2) ", "\n2) "
        ),
        "1. The bar shows 3.\r\n2. \\(3+4=7\\).\r\nTHE ANSWER TO THIS PROBLEM IS 7.",
        "１. The bar shows ３。\n2. 3＋4＝7.\nThe answer to this problem is 7.",
    ],
)
def test_ways_of_writing_do_not_count(other):
    assert dedup_key(other) == dedup_key(SOLUTION)


@pytest.mark.parametrize("number", ["3. ", "3) ", "3: ", "3、 ", "Step 3: ", "step 3 : ", "12.  "])
def test_step_numbers_do_not_count(number):
    assert dedup_key(f"First.\n{number}**So** x = 5.") == dedup_key("First.\nSo x = 5.")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3+4=7.", "3-4=7."),
        ("The bar shows 3.", "The bar shows 8."),
        ("It is 2.5.", "It is 25."),
        ("It is 3:4.", "It is 34."),
        ("5! = 120", "5 = 120"),
        ("2**3=8", "23=8"),
        ("2 ** 3 = 8", "2 3 = 8"),
        ("We divide.\n12 : 4 = 3\nAnswer: 3", "We divide.\n20 : 4 = 3\nAnswer: 3"),
        ("12: 4", "20: 4"),
        ("3 . 5 = 15", "5 = 15"),
        ("x_1=2", "x1=2"),
        ("AB is 3, BC is 4.", "BC is 3, AB is 4."),
        ("条形是3。", "条形是4。"),
    ],
)
def test_what_says_something_else_stays_different(one, other):
    assert dedup_key(one) != dedup_key(other)


@settings(deadline=None)
@example("0:")
@given(st.text())
def test_the_key_is_a_fixed_point_of_case_and_blanks(text):
    assert dedup_key(f"  {text}\n\n") == dedup_key(text)


def test_rows_get_a_key_each_even_none():
    assert with_dedup_key(pl.DataFrame({"response": ["A.", "a"]}))["dedup_key"].to_list() == [
        "a",
        "a",
    ]
    assert with_dedup_key(pl.DataFrame(schema={"response": pl.String})).columns == [
        "response",
        "dedup_key",
    ]


@pytest.mark.parametrize(
    ("other", "same"), [("x y z", True), ("x y z a", False), ("x y z 3", False)]
)
def test_the_same_words_and_numbers_are_near_duplicates(other, same):
    rows = pl.DataFrame({"trajectory_id": ["a", "b"], "problem_id": ["p"] * 2,
                         "response": ["x y z", other], "old": [False] * 2})  # fmt: skip
    assert jaccard_duplicates(rows, 1.0) == ({"b"} if same else set())
    assert ("b" in jaccard_duplicates(rows, 0.5)) == (not other.endswith("3"))
