from __future__ import annotations

from pathlib import Path

import pytest

from mathse.core.errors import DataError
from mathse.report.trace import render_trace
from tests.judge.trajectories import problem_id
from tests.report.world import CORRECTION, HARD, MISTAKE, OWN, SAME, build


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("run") / "data")


def test_a_problem_is_traced_from_question_to_training_row(data):
    text = render_trace(data, problem_id(2))
    for part in (
        "Question 2?",
        "answer: 7 (number)",
        "r0: remaining, 0 of 0 attempts passed",
        "r1: reflected, 0 of 1 attempts passed",
        "> [1] 1. The bar shows 2.",
        "rejected: answer_mismatch; answer mismatch (6); ORM wrong, P(correct) 0.100",
        "ORM on step 1 (vision): The bar was misread.",
        f"corrects {MISTAKE['trajectory_id']}",
        "training row since r1",
        "r1 evaluation (eval): match, found 7",
    ):
        assert part in text, part
    assert text.index(MISTAKE["trajectory_id"]) < text.index(
        f"trajectory {CORRECTION['trajectory_id']}"
    )


def test_a_trajectory_is_shown_with_what_corrects_it(data):
    text = render_trace(data, MISTAKE["trajectory_id"])
    assert MISTAKE["trajectory_id"] in text and CORRECTION["trajectory_id"] in text
    alone = render_trace(data, OWN["trajectory_id"])
    assert OWN["trajectory_id"] in alone and SAME["trajectory_id"] not in alone


def test_why_an_accepted_trajectory_is_not_in_the_training_rows(data):
    text = render_trace(data, SAME["trajectory_id"])
    assert "accepted, but left out of the training rows: near_identical" in text
    assert "ended by length" in render_trace(data, HARD["trajectory_id"])


def test_choices_are_shown_with_letters(data):
    assert "A. 6\n  B. 7" in render_trace(data, problem_id(1))


def test_the_start_of_an_id_is_enough_and_must_be_one(data):
    assert render_trace(data, problem_id(2)[:10]) == render_trace(data, problem_id(2))
    with pytest.raises(DataError, match="give more characters"):
        render_trace(data, "")
    with pytest.raises(DataError, match="begins with 'zzz'"):
        render_trace(data, "zzz")


def test_a_problem_that_was_never_tried(data):
    assert "No trajectory was written for it." in render_trace(data, problem_id(4))
