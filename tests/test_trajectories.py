"""How the student is asked for training rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mathse.core.params import load_params
from mathse.engines.protocol import Completion, Request
from mathse.judge.answer_states import judge_by_answer
from mathse.trajectories import solve_round
from tests.judge.trajectories import RIGHT, Scripted, problem_id, problems, says

PARAMS = load_params(Path(__file__).parents[1] / "params.yaml")
CHOICES = ["11", "15", "19"]


@pytest.mark.parametrize("shown", [True, False])
def test_hidden_choices_are_in_no_prompt_and_what_they_say_is_the_answer(shown: bool) -> None:
    asked: list[str] = []

    def answer(request: Request) -> Completion:
        asked.append("".join(part.get("text", "") for part in request.messages[-1]["content"]))
        last = "15" if request.problem_id == problem_id(0) else "19"
        text = f"1. 7+8={last}.\nThe answer to this problem is {last}."
        return Completion(request.key, text, "stop", 5, 6)

    rows = problems(2).with_columns(choices=pl.lit(CHOICES), answer=pl.lit("B"))
    section = PARAMS.generate.model_copy(update={"choices": "shown" if shown else "hidden"})
    params = PARAMS.model_copy(update={"generate": section})
    plan = [(problem_id(number), 0) for number in range(2)]
    found = solve_round(Scripted(answer), rows, plan, params, "r1")
    assert len(asked) == 2 and all(("B. 15" in text) == shown for text in asked)
    assert found["round"].to_list() == ["r1", "r1"] and set(found["origin"]) == {"student"}
    judged = {
        row["problem_id"]: row["answer_state"] for row in judge_by_answer(found, rows).to_dicts()
    }
    assert judged == {problem_id(0): "match", problem_id(1): "mismatch"}


def test_who_wrote_a_trajectory_is_part_of_its_id() -> None:
    found = []
    for digest in ("one", "other"):
        engine = Scripted(says(RIGHT))
        engine.digest = digest
        found.append(solve_round(engine, problems(1), [(problem_id(0), 0)], PARAMS, "r1"))
    assert found[0]["response"].equals(found[1]["response"])
    assert found[0]["trajectory_id"][0] != found[1]["trajectory_id"][0]
