from __future__ import annotations

import json
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError, ParamError
from mathse.core.params import Reflect
from mathse.curation.ledger import initial_ledger, next_ledger
from mathse.engines.protocol import SamplingParams
from mathse.prompts import reflect_messages
from mathse.reflection import (
    MISTAKES,
    Reflector,
    carry_mistakes,
    reflect,
    reflect_requests,
    select_mistakes,
)
from mathse.trajectories import TRAJECTORY
from schemas import Trajectory
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    Scripted,
    problem_id,
    problems,
    says,
    trajectories,
    trajectory,
    verdict,
    verdicts,
)

SAMPLING = SamplingParams(temperature=0.7, top_p=0.9, max_new_tokens=64, seed=5)
NO_FEEDBACK = {"orm_status": "unparseable", "error_step": None, "error_analysis": None}


def select(wrong, judged, **knobs):
    return select_mistakes(
        verdicts(*judged), trajectories(*wrong), **{"per_problem_max": 1} | knobs
    )


def test_problems_with_an_accepted_trajectory_are_left_out():
    wrong = [
        trajectory(0, RIGHT),
        trajectory(0, WRONG, 1),
        trajectory(1, WRONG),
        trajectory(2, WRONG),
    ]
    judged = [verdict(wrong[0], True), *(verdict(one, False) for one in wrong[1:])]
    assert set(select(wrong, judged)["problem_id"]) == {problem_id(1), problem_id(2)}


@pytest.mark.parametrize(
    ("worse", "change"),
    [
        (NO_FEEDBACK, {}),
        ({"answer_state": "match", "predicted_answer": "7", "reason": "orm_wrong"}, {}),
        ({}, {"finish_reason": "length"}),
    ],
)
def test_the_better_mistake_is_chosen(worse, change):
    for number in range(8):
        poor, good = (trajectory(number, WRONG, 0, **change), trajectory(number, WRONG + " So.", 1))
        found = select([poor, good], [verdict(poor, False, **worse), verdict(good, False)])
        assert found["parent_id"].to_list() == [good["trajectory_id"]]


def test_feedback_counts_before_the_answer():
    named, unnamed = trajectory(0, WRONG, 0), trajectory(0, WRONG + " So.", 1)
    judged = [verdict(named, False, answer_state="match"), verdict(unnamed, False, **NO_FEEDBACK)]
    assert select([named, unnamed], judged)["parent_id"].to_list() == [named["trajectory_id"]]


def test_one_text_is_taken_once_and_empty_trajectories_never():
    wrong = [
        trajectory(0, WRONG, 0),
        trajectory(0, WRONG, 1),
        trajectory(0, "", 2),
        trajectory(0, WRONG + "!", 3),
    ]
    found = select(wrong, [verdict(one, False) for one in wrong], per_problem_max=5)
    assert sorted(found["response"]) == [WRONG, WRONG + "!"]


def test_several_reflections_of_one_mistake_are_numbered():
    wrong = [trajectory(0, WRONG, 0), trajectory(0, WRONG + "!", 1), trajectory(1, WRONG)]
    judged = [verdict(one, False) for one in wrong]
    found = select(wrong, judged, per_problem_max=2, samples_per_mistake=2)
    assert found.height == 6
    assert found.filter(pl.col("problem_id") == problem_id(0))["sample_idx"].to_list() == [
        0,
        1,
        2,
        3,
    ]
    assert max(Counter(found["parent_id"]).values()) == 2
    keys = [
        request.key
        for request in reflect_requests(
            reflect_messages, found, problems(2), sampling=SAMPLING, round_name="r1"
        )
    ]
    assert len(set(keys)) == 6


@settings(deadline=None, max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.booleans(), st.booleans(), st.integers(0, 2)), max_size=25
    ),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_selection_is_capped_deterministic_and_only_of_unsolved_problems(drawn, most, random):
    wrong, judged = [], []
    for index, (number, good, feedback, text) in enumerate(drawn):
        one = trajectory(number, f"{WRONG} {text}", index)
        wrong.append(one)
        judged.append(verdict(one, good, **({} if good or feedback else NO_FEEDBACK)))
    found = select(wrong, judged, per_problem_max=most)
    assert found.schema == MISTAKES
    solved = {row["problem_id"] for row in judged if row["accepted"]}
    tried = {row["problem_id"] for row in judged}
    assert set(found["problem_id"]) == tried - solved
    assert max(Counter(found["problem_id"]).values(), default=0) <= most
    random.shuffle(judged)
    random.shuffle(wrong)
    assert select(wrong, judged, per_problem_max=most).equals(found)


def test_mistakes_are_carried_while_their_problem_is_open():
    names = [problem_id(number) for number in range(4)]
    paths = [trajectory(number, WRONG) for number in range(4)]
    first = verdicts(*(verdict(path, False) for path in paths))
    section = Reflect.model_construct(per_problem_max=1, samples=1)
    ledger = initial_ledger(names, [])
    before = select([], [])
    mistakes = carry_mistakes(before, ledger, first, trajectories(*paths), section)
    assert mistakes["problem_id"].to_list() == sorted(names)
    # A reflection solves problem 0; in the next round the student solves 1 and fails at 2.
    repaired = verdicts(verdict(trajectory(0, RIGHT), True))
    ledger = next_ledger(ledger, first, repaired, round_name="r1")
    later = [trajectory(1, RIGHT, 1), trajectory(2, WRONG + "!", 1)]
    judged = verdicts(verdict(later[0], True), verdict(later[1], False))
    carried = carry_mistakes(mistakes, ledger, judged, trajectories(*later), section)
    parents = dict(carried.select("problem_id", "parent_id").iter_rows())
    assert parents == {names[2]: later[1]["trajectory_id"], names[3]: paths[3]["trajectory_id"]}


def test_the_request_serves_teacher_and_student():
    one = trajectory(1, WRONG)
    mistakes = select(
        [one], [verdict(one, False, error_step=2, error_analysis="2+4 is right, 2 is not.")]
    )
    (request,) = reflect_requests(
        reflect_messages, mistakes, problems(2), sampling=SAMPLING, round_name="r1"
    )
    assert (request.task, request.problem_id, request.prefix) == ("reflect", problem_id(1), "")
    assert request.image_ids == (f"{1:064x}",)
    assert request.context == {
        "response": WRONG,
        "error_step": 2,
        "error_analysis": "2+4 is right, 2 is not.",
    }
    text = request.messages[0]["content"][-1]["text"]
    assert "Question 1?" in text and "2+4=6." in text and "2 is not." in text


def test_a_mistake_without_feedback_can_still_be_asked_about():
    one = trajectory(1, WRONG)
    mistakes = select([one], [verdict(one, False, **NO_FEEDBACK)])
    (request,) = reflect_requests(
        reflect_messages, mistakes, problems(2), sampling=SAMPLING, round_name="r1"
    )
    assert request.context["error_step"] is None


def test_reflections_become_trajectories():
    wrong = [trajectory(0, WRONG), trajectory(1, WRONG)]
    mistakes = select(wrong, [verdict(one, False) for one in wrong])
    rows = reflect(
        Reflector(Scripted(says(RIGHT))), problems(2), mistakes, sampling=SAMPLING, round_name="r2"
    )
    Trajectory.validate(rows)
    assert rows.schema == TRAJECTORY
    assert rows["parent_id"].to_list() == mistakes["parent_id"].to_list()
    assert (
        set(rows["origin"]) == {"reflection"}
        and set(rows["round"]) == {"r2"}
        and rows["seed"].n_unique() == 2
    )
    assert json.loads(rows["sampling"][0]) == {
        "max_new_tokens": 64,
        "temperature": 0.7,
        "top_p": 0.9,
    }
    assert rows["steps"].to_list()[0] == RIGHT.split("\n")


def test_an_engine_that_fails_leaves_an_error_row():
    one = trajectory(0, WRONG)
    mistakes = select([one], [verdict(one, False)])
    rows = reflect(
        Reflector(Scripted(says("", "error"))),
        problems(1),
        mistakes,
        sampling=SAMPLING,
        round_name="r1",
    )
    assert rows["finish_reason"].to_list() == ["error"] and rows["steps"].to_list() == [[]]
    Trajectory.validate(rows)


def test_no_mistakes_ask_for_nothing():
    engine = Scripted(says(RIGHT))
    rows = reflect(
        Reflector(engine), problems(1), select([], []), sampling=SAMPLING, round_name="r1"
    )
    assert rows.schema == TRAJECTORY and rows.height == 0 and not engine.requests


def test_bad_input_is_named():
    one = trajectory(0, WRONG)
    with pytest.raises(ParamError, match="per_problem_max"):
        select([one], [verdict(one, False)], per_problem_max=0)
    with pytest.raises(DataError, match="have no trajectory"):
        select([], [verdict(one, False)])
    with pytest.raises(DataError, match=problem_id(0)):
        reflect_requests(
            reflect_messages,
            select([one], [verdict(one, False)]),
            problems(0),
            sampling=SAMPLING,
            round_name="r1",
        )


@pytest.mark.parametrize(("status", "chosen"), [("wrong", 1), ("correct", 0), ("unparseable", 0)])
def test_an_answer_that_cannot_be_compared_is_a_mistake_if_the_orm_says_so(status, chosen):
    one = trajectory(0, WRONG)
    judged = verdict(one, False, answer_state="unknown", orm_status=status)
    assert select([one], [judged]).height == chosen
