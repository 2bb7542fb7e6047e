"""The server that plays a teacher: its answer to each prompt, and its rate of errors."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from mathse.answers.check_answer import check_one
from mathse.judge.reveal import reveals_answer
from mathse.judge.verdict_parsing import parse_annotation
from mathse.prompts.roles import BUILT_IN, RolePrompts
from tests.servers.chat import Body, ChatServer
from tests.servers.data_set_teacher import DataSetTeacher, point_to

PROMPTS = RolePrompts(BUILT_IN)
PICTURE = b"a picture"


def problem(question: str, answer: str, solved: str | None, **more: Any) -> dict[str, Any]:
    plain = {"choices": [], "answer_type": "number", "unit": None, "precision": None}
    row = {"question": question, "answer": answer, "solution": solved, "image_ids": []}
    return {**plain, **row, **more}


PROBLEMS = [
    problem(
        "How many apples are in 3 bags of 4?",
        "12",
        "Multiply bags by apples.\n\n3 × 4 = 12 apples.",
    ),
    problem(
        "Is the function linear?",
        "nonlinear",
        "The differences are not alike.\nSo it is nonlinear.",
        choices=["linear", "nonlinear"],
        answer_type="choice",
        image_ids=[hashlib.sha256(PICTURE).hexdigest()],
    ),
    problem("How long is the side?", "7", None, unit="cm"),
]
WRONG = ["Add them.\n3 + 4 = 8.\nThe answer to this problem is 8.", "It is A.", "Perhaps 91."]


def body(messages: list[dict[str, Any]], row: dict[str, Any], seed: int = 0) -> Body:
    """Return a request as the engine writes it, with data URLs in place of the images."""
    url = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
    text = [part for part in messages[0]["content"] if part["type"] == "text"]
    images = [{"type": "image_url", "image_url": {"url": url}} for _ in row["image_ids"]]
    return {"model": "m", "seed": seed, "messages": [{"role": "user", "content": images + text}]}


def state(row: dict[str, Any], response: str) -> str:
    names = ("answer_type", "choices", "unit", "precision")
    return check_one(row["answer"], response, **{name: row[name] for name in names}).state


def shown(row: dict[str, Any]) -> tuple[str, list[str], int]:
    return row["question"], row["choices"], len(row["image_ids"])


def solve(row: dict[str, Any], seed: int = 0) -> Body:
    return body(PROMPTS.solve(*shown(row)), row, seed)


def annotate(row: dict[str, Any], response: str) -> Body:
    steps = response.splitlines()
    return body(PROMPTS.annotate(*shown(row), steps, row["answer"]), row)


@pytest.mark.parametrize("row", PROBLEMS)
def test_it_solves_in_numbered_steps_with_a_closing_sentence(row: dict[str, Any]) -> None:
    text = DataSetTeacher(PROBLEMS, errs=0)(solve(row)).text or ""
    assert text.startswith("1. ") and state(row, text) == "match"
    text = (
        DataSetTeacher(PROBLEMS, errs=0)(
            body(PROMPTS.reflect(*shown(row), "A.\nB.", 2, "No."), row)
        ).text
        or ""
    )
    assert "step 2" in text and state(row, text) == "match"


@pytest.mark.parametrize("row, wrong", list(zip(PROBLEMS, WRONG, strict=True)))
def test_it_annotates_by_the_closing_answer_and_keeps_gold_to_itself(
    row: dict[str, Any], wrong: str
) -> None:
    teacher = DataSetTeacher(PROBLEMS, errs=0)
    right = teacher(solve(row)).text or ""
    assert parse_annotation(teacher(annotate(row, right)).text)[0].status == "correct"
    verdict, suggestion = parse_annotation(teacher(annotate(row, wrong)).text)
    assert verdict.status == "wrong" and verdict.error_step == 1 and verdict.error_analysis
    assert not reveals_answer(f"{verdict.error_analysis}\n{suggestion}", row, wrong)


def test_it_errs_at_the_set_rate_and_the_same_way_each_time() -> None:
    row = PROBLEMS[0]

    def asked(errs: float) -> list[str]:
        teacher = DataSetTeacher(PROBLEMS, errs=errs)
        replies = [teacher(solve(row, seed)) for seed in range(300)]
        return ["refused" if one.refusal else state(row, one.text or "") for one in replies]

    states = asked(0.3)
    assert states == asked(0.3) and 60 < states.count("mismatch") + states.count("refused") < 120
    assert states.count("refused") and set(asked(1.0)) == {"mismatch", "refused"}


def test_what_it_does_not_know_is_refused_with_a_status() -> None:
    teacher = DataSetTeacher(PROBLEMS[:1], errs=0)
    assert teacher(solve(PROBLEMS[1])).status == 400
    strange = {"messages": [{"role": "user", "content": "Hello"}]}
    assert teacher(strange).status == 400


def test_a_project_is_pointed_to_it_and_keeps_the_rest(tmp_path: Path) -> None:
    (tmp_path / "machine.yaml").write_text("device: cpu\nservers: {teacher: {url: https://x/v1}}\n")
    with ChatServer(DataSetTeacher(PROBLEMS, errs=0)) as server:
        point_to(tmp_path, server.url)
        values = yaml.safe_load((tmp_path / "machine.yaml").read_text())
        assert values["device"] == "cpu" and list(values["servers"]) == ["default"]
        url = f"{values['servers']['default']['url']}/chat/completions"
        with urllib.request.urlopen(url, json.dumps(solve(PROBLEMS[0])).encode()) as reply:
            message = json.load(reply)["choices"][0]["message"]
    assert message["content"].endswith("The answer to this problem is 12.")
