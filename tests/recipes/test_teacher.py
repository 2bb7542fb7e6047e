"""The embedded teacher's recipe: right solutions by any route, and the prompts that it is asked."""

from __future__ import annotations

import random
import re

from mathse.figures.catalogue import FAMILIES, family, side, solution
from mathse.figures.verifier import Key, verify
from mathse.prompts import PROMPTS_VERSION, reflect_messages, solve_messages
from mathse.prompts.roles import RolePrompts
from recipes.tiny_teacher.tasks import (
    KINDS,
    batch,
    kind_of,
    random_problem,
    reflect_sample,
    solve_sample,
)
from tests.closure import ROOT

PROMPTS = ROOT / "models" / "tiny-teacher" / "prompts"


def test_it_learns_right_solutions_by_several_routes_of_training_figures() -> None:
    rng, texts = random.Random(0), set()
    for _ in range(150):
        figure, question, choices = random_problem(rng)
        kind = family(figure.family)
        assert side(figure.family, figure.facts, 0) == "train"
        worked = solution(kind, question, figure.facts, choices, rng)
        key = Key(kind, question, kind.shown(figure.facts), choices, worked.answer)
        assert verify(key, "\n".join(worked.lines())) is None
        usual = solution(kind, question, figure.facts, choices)
        texts.add("\n".join(worked.lines()) == "\n".join(usual.lines()))
    assert False in texts


def test_a_reflection_sees_a_wrong_solution_and_writes_a_right_one() -> None:
    rng = random.Random(1)
    for _ in range(60):
        state = rng.getstate()
        figure, question, choices = random_problem(rng)
        rng.setstate(state)
        sample = reflect_sample(rng)  # of that problem
        kind = family(figure.family)
        answer = solution(kind, question, figure.facts, choices).answer
        key = Key(kind, question, kind.shown(figure.facts), choices, answer)
        assert verify(key, sample.answer) is None
        draft = re.search(r"wrong answer:\n(.*)\nA checker", sample.prompt, re.DOTALL)
        assert draft and draft[1] not in ("", sample.answer)


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
