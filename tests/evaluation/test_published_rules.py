"""Published rules: what MathVista's script and Math-Verify call equal."""

from __future__ import annotations

import os
import time
from multiprocessing.connection import Connection
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


def test_math_verify() -> None:
    rows = [
        {"gold": "1/2", "response": "The answer is $0.5$."},
        {"gold": "7", "response": "The answer is $8$."},
        {"gold": "7", "response": None},
    ]
    assert score_rows(pl.DataFrame(rows), "math-verify") == [True, False, False]


def serve_badly(connection: Connection) -> None:
    """Stands for Math-Verify: hangs on one gold and dies on another."""
    connection.send(None)
    while True:
        gold, response = connection.recv()
        if gold == "hang":
            time.sleep(600)
        if gold == "die":
            os._exit(1)
        connection.send(gold == response)


def test_a_row_that_hangs_or_kills_has_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(published_rules, "LIMIT_S", 3.0)
    monkeypatch.setattr(published_rules, "_serve_math_verify", serve_badly)
    rows = [(gold, "1") for gold in ("1", "hang", "1", "die", "2", "1")]
    table = pl.DataFrame(rows, schema=["gold", "response"], orient="row")
    assert score_rows(table, "math-verify") == [True, None, True, None, False, True]
