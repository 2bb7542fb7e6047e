"""The embedded teacher's recipe: right solutions by any route, and the prompts that it is asked."""

from __future__ import annotations

import json
import random
import re

import pytest

from mathse.figures.catalogue import FAMILIES, Figure, family, side, solution
from mathse.figures.items import Facts, Family, Question
from mathse.figures.readings import Shown
from mathse.figures.verifier import Key, verify
from mathse.prompts import PROMPTS_VERSION, reflect_messages, solve_messages
from mathse.prompts.roles import RolePrompts
from recipes.tiny_teacher.tasks import (
    KINDS,
    batch,
    kind_of,
    misread,
    random_problem,
    reflect_sample,
    solve_sample,
    solved,
    wrong_solution,
)
from tests.closure import ROOT

PROMPTS = ROOT / "models" / "tiny-teacher" / "prompts"


def _key(figure: Figure, question: Question, choices: tuple[str, ...]) -> Key:
    kind = family(figure.family)
    answer = solution(kind, question, figure.facts, choices).answer
    return Key(kind, question, kind.shown(figure.facts), choices, answer)


def test_it_learns_right_solutions_by_several_routes_of_training_figures_in_its_own_style() -> None:
    rng, usual, again = random.Random(0), 0, 0
    for _ in range(300):
        figure, question, choices = random_problem(rng)
        assert side(figure.family, figure.facts, 0) == "train"
        texts = [solved(figure, question, choices, rng).lines() for _ in range(2)]
        assert verify(_key(figure, question, choices), "\n".join(texts[0])) is None
        usual += texts[0] == solution(*_parts(figure, question), choices).lines()
        again += texts[0] == texts[1]
    assert usual <= 3 and 0 < again < 120  # routes differ, the words of a step do not


def _parts(figure: Figure, question: Question) -> tuple[Family, Question, Facts]:
    return family(figure.family), question, figure.facts


def test_a_reflection_sees_a_wrong_solution_and_writes_a_right_one() -> None:
    rng = random.Random(1)
    for _ in range(60):
        state = rng.getstate()
        figure, question, choices = random_problem(rng)
        rng.setstate(state)
        sample = reflect_sample(rng)  # of that problem
        key = _key(figure, question, choices)
        assert verify(key, sample.answer) is None
        draft = re.search(r"wrong answer:\n(.*)\nA checker", sample.prompt, re.DOTALL)
        assert draft and verify(key, draft[1]) is not None


def test_half_of_the_wrong_solutions_follow_from_a_misreading() -> None:
    rng, consistent, vision = random.Random(2), 0, 0
    for _ in range(300):
        figure, question, choices = random_problem(rng)
        lines, fault = wrong_solution(figure, question, choices, rng)
        found = verify(_key(figure, question, choices), "\n".join(lines))
        assert found == fault
        sums = [re.fullmatch(r"\d+\. So ([\d+*-]+)=(\d+)\.", line) for line in lines]
        vision += fault.kind == "vision"
        consistent += fault.kind == "vision" and all(eval(s[1]) == int(s[2]) for s in sums if s)
    assert consistent >= 120 and vision < 240


@pytest.mark.parametrize(
    ("shown", "changed"),
    [
        ({"counts": {"red": 3}}, {"counts": {"red": "?"}}),
        ({"sides": [4]}, {"sides": ["?"]}),
        ({"start": "k", "times": 5}, {"start": "k", "times": "?"}),
        ({"start": "k"}, {"start": "k"}),
    ],
)
def test_a_misreading_changes_one_number(shown: Shown, changed: Shown) -> None:
    before = json.dumps(shown)
    for seed in range(20):
        found = json.dumps(misread(shown, random.Random(seed)))
        number = re.search(r"\d+", found)
        assert number is None or int(number[0]) >= 2
        assert re.sub(r"\d+", '"?"', found) == json.dumps(changed)
    assert json.dumps(shown) == before


def test_steps_take_turns_and_depend_on_their_number_alone() -> None:
    assert [kind_of(step) for step in range(4)] == [*KINDS[:4]]
    assert kind_of(4) in ("figure", "reading", "text", "comparing", "lookup")
    assert batch(0, 7, 3) == batch(0, 7, 3) != batch(0, 8, 3)
    assert {*FAMILIES} >= {random_problem(random.Random(n))[0].family for n in range(20)}
    assert solve_sample(random.Random(2)).png


def test_its_prompts_are_those_that_it_learned() -> None:
    prompts = RolePrompts(PROMPTS, "en")
    asked = "How many?", ["3", "4"], 1
    assert prompts.solve(*asked) == solve_messages(*asked)
    draft = "1. The red ones are 3.\nThe answer to this problem is A.", 1, "It should be: 4."
    assert prompts.reflect(*asked, *draft) == reflect_messages(*asked, *draft)
    assert PROMPTS_VERSION  # a change of it needs the folder to follow
