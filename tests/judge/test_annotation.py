"""Annotation by a model: what is asked, what is read, and what is not used."""

from __future__ import annotations

import json
import re
from typing import Any

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.curation.drops import Drops
from mathse.engines.protocol import Completion, Request, SamplingParams
from mathse.figures.source import build_tables
from mathse.figures.teacher import FiguresTeacher
from mathse.judge.annotation import annotate_by_answer, annotate_by_engine
from mathse.judge.reveal import reveals_answer
from mathse.judge.verdict_parsing import ParsedVerdict, parse_annotation
from mathse.prompts.roles import BUILT_IN, RolePrompts
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    Scripted,
    problem_id,
    problems,
    says,
    trajectories,
    trajectory,
)

PROMPTS = RolePrompts(BUILT_IN)
SAMPLING = SamplingParams(0.3, 1.0, 512, seed=3)
GOOD = {"status": "WRONG", "error_step": 1, "error_analysis": "The bar is taller than that."}


def annotate(
    rows: pl.DataFrame, replies: dict[str, Any], **more: Any
) -> tuple[pl.DataFrame, dict[str, str], list[Request]]:
    """Annotate with an engine that has a reply for each problem; a dict is sent as JSON."""

    def say(request: Request) -> Completion:
        reply = replies[request.problem_id]
        if isinstance(reply, Completion):
            return Completion(**{**reply.__dict__, "key": request.key})
        text = reply if isinstance(reply, str) else json.dumps(reply)
        return says(text)(request)

    engine, drops = Scripted(say), Drops()
    found = annotate_by_engine(
        rows, problems(len(replies)), engine, drops, prompts=PROMPTS, sampling=SAMPLING, **more
    )
    names = dict(rows.select("trajectory_id", "problem_id").iter_rows())
    dropped = {names[name]: reason for name, reason in drops.table().iter_rows()}
    return found, dropped, engine.requests


def test_the_request_has_images_numbered_steps_gold_and_sampling() -> None:
    rows = trajectories(trajectory(1, WRONG))
    _, _, [request] = annotate(rows, {problem_id(0): {}, problem_id(1): GOOD})
    text = request.messages[0]["content"][-1]["text"]
    assert request.image_ids == (f"{1:064x}",) and request.messages[0]["content"][0] == {
        "type": "image"
    }
    assert "1. The bar shows 2.\n2. 2+4=6." in text and "Standard answer: B. 7" in text
    assert request.task == "annotate" and request.sampling.max_new_tokens == 512
    assert request.sampling.seed not in (0, 3)


def test_each_annotation_that_is_not_used_has_its_reason() -> None:
    cases: list[tuple[str, Any, str | None]] = [
        (WRONG, GOOD, None),
        (RIGHT, {"status": "CORRECT"}, None),
        (WRONG, "I cannot say.", "unparseable"),
        (WRONG, Completion("", json.dumps(GOOD), "length", 1, 1), "unparseable"),
        (WRONG, Completion.failed("", "down", kind="retryable"), "request_failed"),
        (WRONG, {"status": "CORRECT"}, "contradicts_answer"),
        (RIGHT, GOOD, "contradicts_answer"),
        ("1. I think so.", {"status": "CORRECT"}, "contradicts_answer"),
        (WRONG, GOOD | {"error_analysis": "The sum is 7, not 6."}, "reveals_answer"),
        (WRONG, GOOD | {"improvement_suggestion": "The answer is 7."}, "reveals_answer"),
    ]
    rows = trajectories(*(trajectory(n, text) for n, (text, _, _) in enumerate(cases)))
    found, dropped, _ = annotate(
        rows, {problem_id(n): reply for n, (_, reply, _) in enumerate(cases)}
    )
    assert dropped == {
        problem_id(n): reason for n, (*_, reason) in enumerate(cases) if reason is not None
    }
    assert found.select("problem_id", "status", "error_step", "error_analysis").rows() == [
        (problem_id(0), "wrong", 1, GOOD["error_analysis"]),
        (problem_id(1), "correct", None, None),
    ]


def test_too_many_failed_requests_stop_the_stage() -> None:
    rows = trajectories(*(trajectory(n, WRONG) for n in range(4)))
    replies: dict[str, Any] = {problem_id(n): GOOD for n in range(4)}
    replies[problem_id(0)] = Completion.failed("", "the server is down", kind="retryable")
    assert annotate(rows, replies, errors_max_share=0.25)[0].height == 3
    with pytest.raises(DataError, match="1 of 4 requests failed"):
        annotate(rows, replies, errors_max_share=0.2)


def test_the_built_in_annotator_is_believed() -> None:
    """It checks every step: a right answer after a wrong line is wrong all the same."""
    drawn, _ = build_tables({"orm": 1}, seed=5)
    [row] = drawn.iter_rows(named=True)
    worked = row["solution"].split("\n")
    response = "\n".join([re.sub(r"(?<=\D)\d+", "999", worked[0], count=1), *worked[1:]])
    rows = trajectories(trajectory(0, response, problem_id=row["problem_id"]))
    drops = Drops()
    teacher = FiguresTeacher(drawn)
    found = annotate_by_engine(rows, drawn, teacher, drops, prompts=PROMPTS, checks_answers=False)
    assert found["status"].to_list() == ["wrong"] and found["error_step"].to_list() == [1]
    assert drops.table().is_empty()
    annotate_by_engine(rows, drawn, teacher, drops, prompts=PROMPTS)
    assert drops.table()["reason"].to_list() == ["contradicts_answer"]


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ('```json\n{"status": "WRONG", "error_step": "Step 2", "error_analysis": "No."}\n```',
         ParsedVerdict("wrong", 2, "No.")),
        ('First {x}, then {"status": "CORRECT"} or so: {"status": "wrong", "error_step": 1, '
         '"error_analysis": "No.", "confidence": 0.9}', ParsedVerdict("wrong", 1, "No.")),
        ('{"status": "CORRECT", "error_step": 0, "error_analysis": "none"}',
         ParsedVerdict("correct")),
        (r'{"status": "WRONG", "error_step": 1, "error_analysis": "\frac{1}{2} \neq \(x\)\n'
         r'\\beta \"so\""}', ParsedVerdict("wrong", 1, '\\frac{1}{2} \\neq \\(x\\)\n\\beta "so"')),
        ('{"status": "WRONG", "error_step": null, "error_analysis": "No."}',
         ParsedVerdict("unparseable")),
        ('{"status": "WRONG", "error_step": 1, "error_analysis": "cut',
         ParsedVerdict("unparseable")),
        ('{"status": ["WRONG"]}', ParsedVerdict("unparseable")),
        ('{"status": "CORRECT"} {"confidence": 0.9}', ParsedVerdict("correct")),
        ('{"confidence": 0.9}', ParsedVerdict("unparseable")),
        ('{"status": "WRONG", "error_step": 1, "error_analysis": "No.", "steps": '
         '[{"n": 1, "status": "WRONG"}, {"n": 2, "status": "CORRECT"}]}',
         ParsedVerdict("wrong", 1, "No.")),
        ('{"status": "WRONG", "error_step": -1, "error_analysis": "No."}',
         ParsedVerdict("unparseable")),
        ('{"status": "WRONG", "error_step": 1.5, "error_analysis": "No."}',
         ParsedVerdict("unparseable")),
        ('{"status": "WRONG", "error_step": 2.0, "error_analysis": "No."}',
         ParsedVerdict("wrong", 2, "No.")),
        ('{"status": "WRONG", "error_step": 12345, "error_analysis": "No."}',
         ParsedVerdict("wrong", 12345, "No.")),
        ('{"status": "WRONG", "error_step": "Step-3 of 5", "error_analysis": "No."}',
         ParsedVerdict("wrong", 3, "No.")),
        ("{" * 3000, ParsedVerdict("unparseable")),
        ("", ParsedVerdict("unparseable")),
    ],
)  # fmt: skip
def test_annotations_are_read_leniently(text: str, verdict: ParsedVerdict) -> None:
    assert parse_annotation(text)[0] == verdict


def asked(answer: str, choices: tuple[str, ...] = (), question: str = "3 and 4?") -> dict[str, Any]:
    return {
        "question": question, "choices": list(choices), "answer": answer, "answer_type": None,
        "unit": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem", "reveals"),
    [
        ("3+4 is not 8.", asked("7"), False),
        ("3+4 is 7, not 8.", asked("7"), True),
        ("See step 7 again, and 第7步.", asked("7"), False),
        ("Count to 1,200.0 in all.", asked("1200"), True),
        ("The sum of 3 and 4 is wrong.", asked("3"), False),
        ("The correct answer is 3.", asked("3"), True),
        ("正确答案是3。", asked("3"), True),
        ("Take half of $x^{2}$, which is \\( \\frac{x^2}{2} \\).", asked("\\frac{x^2}{2}"), True),
        ("Take half of it.", asked("\\frac{x^2}{2}"), False),
        ("It has four equal sides, so it is a square.", asked("B", ("circle", "Square")), True),
        ("Its sides are equal.", asked("B", ("circle", "Square")), False),
        ("The answer is (B).", asked("B", ("circle", "Square")), True),
        ("It is 12 cm long.", asked("12 cm"), True),
        # What the question or the response says already gives nothing away.
        ("Look at the rhombus.", asked("rhombus", question="Is it a rhombus?"), False),
        ("Why 8? Add again.", asked("8"), False),
        ("Extend the line.", asked("x"), False),
    ],
)
def test_texts_that_give_the_answer_away(text: str, problem: Any, reveals: bool) -> None:
    assert reveals_answer(text, problem, "3+4=8. The answer is 8.") == reveals


def test_by_answer_a_whole_trajectory_without_an_answer_is_wrong() -> None:
    texts = (RIGHT, WRONG, "I think so.")
    rows = trajectories(*(trajectory(0, text, index) for index, text in enumerate(texts)))
    found = annotate_by_answer(rows, problems(1))
    assert found["status"].to_list() == ["correct", "wrong", "wrong"]


def test_the_annotator_is_shown_gold_with_its_unit() -> None:
    engine, pool = Scripted(says(json.dumps(GOOD))), problems(1).with_columns(unit=pl.lit("cm"))
    rows = trajectories(trajectory(0, WRONG))
    annotate_by_engine(rows, pool, engine, Drops(), prompts=PROMPTS, sampling=SAMPLING)
    [request] = engine.requests
    assert "Standard answer: 7 cm" in request.messages[0]["content"][-1]["text"]
