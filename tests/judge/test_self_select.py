"""A student chooses among its own solutions: prompts of a few, until one is left."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from mathse.engines.protocol import Completion, Request
from mathse.judge.self_select import select
from tests.judge.trajectories import Scripted, problem_id, problems, says


def samples(*answers: str | None, problem: int = 0) -> pl.DataFrame:
    rows = [
        {"problem_id": problem_id(problem), "sample_idx": index, "answer": answer,
         "response": f"1. Sample {index}.\nThe answer to this problem is {answer}."}
        for index, answer in enumerate(answers)
    ]  # fmt: skip
    return pl.DataFrame(rows)


def shown(request: Request) -> list[str]:
    """Return the answers of the solutions in a prompt, in their order."""
    text = request.messages[0]["content"][-1]["text"]
    parts = text.split("Solution ")[1:]
    return [part.split("The answer to this problem is ")[1].split(".")[0] for part in parts]


def prefers(best: str) -> Scripted:
    """Return a student that names the solution with one answer, or else the last one shown."""

    def say(request: Request) -> Completion:
        found = shown(request)
        index = found.index(best) if best in found else len(found) - 1
        return says(f"The right solution is {index + 1}.")(request)

    return Scripted(say)


def test_the_first_sample_of_each_answer_is_shown_and_the_chosen_one_is_left() -> None:
    student = prefers("7")
    found = select(student, samples("6", "7", "6", None, "7"), problems(1), most=3)
    assert found == ({problem_id(0): 1}, 1, 0)
    (request,) = student.requests
    assert sorted(shown(request)) == ["6", "7"] and request.sampling.temperature == 0
    assert request.image_ids == tuple(problems(1)["image_ids"][0])


@pytest.mark.parametrize(("most", "asked"), [(2, 4), (3, 2), (5, 1)])
def test_the_chosen_one_meets_the_next_until_one_is_left(most: int, asked: int) -> None:
    student = prefers("4")
    found = select(student, samples("1", "2", "3", "4", "5"), problems(1), most=most)
    assert found == ({problem_id(0): 3}, asked, 0)
    assert max(len(shown(request)) for request in student.requests) == most
    assert {answer for request in student.requests for answer in shown(request)} == set("12345")


def test_problems_are_asked_about_together_and_the_index_of_a_solution_differs() -> None:
    many = pl.concat([samples("6", "7", problem=number) for number in range(40)])
    student = prefers("7")
    found = select(student, many, problems(40), most=2)
    assert found.asked == 40 and set(found.chosen.values()) == {1}
    first = sum(shown(request)[0] == "7" for request in student.requests)
    assert 10 < first < 30


@pytest.mark.parametrize(
    "said", ["", "It is the second.", "The right solution is 3.", "The right solution is 0."]
)
def test_an_answer_that_names_none_of_them_leaves_the_first_one_shown(said: Any) -> None:
    student = Scripted(says(said))
    found = select(student, samples("6", "7"), problems(1), most=2)
    order = shown(student.requests[0])
    assert found == ({problem_id(0): ["6", "7"].index(order[0])}, 1, 1)


def test_without_a_choice_nothing_is_asked() -> None:
    student = prefers("7")
    for answers, left in ((("6", "6"), 0), ((None, None), 0), ((None, "7"), 1)):
        found = select(student, samples(*answers), problems(1), most=2)
        assert found == ({problem_id(0): left}, 0, 0)
    assert not student.requests
