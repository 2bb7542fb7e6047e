"""Published rules: what MathVista's script and Math-Verify call equal."""

from __future__ import annotations

import time
from typing import Any

import polars as pl
import pytest

from mathse.evaluation import published_rules
from mathse.evaluation.published_rules import edit_distance, score_rows


def scores(rule: str, **row: Any) -> list[bool | None]:
    columns = {"found": None, "state": "match"} | row
    return score_rows(pl.DataFrame([columns]), rule)


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ({"gold": "12", "response": "12.7", "found": "12.7", "answer_type": "integer"}, True),
        ({"gold": "12", "response": "", "found": "13", "answer_type": "integer"}, False),
        ({"gold": "1.2", "response": "", "found": "1.24", "answer_type": "float"}, True),
        ({"gold": "1.2", "response": "", "found": "1.26", "answer_type": "float"}, False),
        ({"gold": "1.20", "response": "", "found": "1.2", "precision": "2"}, False),
        ({"gold": "1.2", "response": "", "found": "6/5", "answer_type": "float"}, False),
        ({"gold": "[1, 2]", "response": "", "found": "[1, 2]", "answer_type": "list"}, True),
        ({"gold": "blue", "response": "", "found": "B", "choices": ["red", "blue"]}, True),
        ({"gold": "B", "response": "", "found": "(b) blue", "choices": ["red", "blue"]}, True),
        ({"gold": "B", "response": "x\nbleu", "choices": ["red", "blue"]}, True),
        ({"gold": "A", "response": "bleu", "choices": ["red", "blue"]}, False),
        ({"gold": "7", "response": None}, False),
    ],
)
def test_mathvista(row: dict[str, Any], right: bool) -> None:
    assert scores("mathvista", **row) == [right]


def test_only_match_and_mismatch_are_verdicts_of_the_checker() -> None:
    table = pl.DataFrame({"state": ["match", "mismatch", "timeout"]})
    assert score_rows(table, "mathse") == [True, False, None]


def test_edit_distance() -> None:
    assert edit_distance("kitten", "sitting") == 3 == edit_distance("sitting", "kitten")
    assert edit_distance("", "abc") == 3 and edit_distance("abc", "abc") == 0


def test_math_verify_goes_on_after_a_row_that_overruns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_rules, "LIMIT_S", 8.0)
    rows = [
        {"gold": "1/2", "response": "The answer is $0.5$."},
        {"gold": "7", "response": "$9^{9^{9^{9}}}$"},
        {"gold": "7", "response": "The answer is $8$."},
    ]
    start = time.monotonic()
    found = score_rows(pl.DataFrame(rows), "math-verify")
    assert found[0] is True and found[1] is not True and found[2] is False
    assert time.monotonic() - start < 200
