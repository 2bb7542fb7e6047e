from __future__ import annotations

import json
import re

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.engines.protocol import TEACHER_SAMPLING, Request
from mathse.figures.items import Step, rule, see, work
from mathse.figures.source import build_tables
from mathse.figures.teacher import FiguresTeacher, first_fault, reflect, worked_lines

STEPS = (
    see("The width is 7 and the height is 4.", "the width and the height"),
    work("7+4=11."),
    rule("2*11=22.", "the perimeter"),
    Step("22 is choice B.", "question", "the choice"),
)
RIGHT = worked_lines(STEPS, "B")


def changed(line: int, text: str) -> str:
    return "\n".join([*RIGHT[:line], text, *RIGHT[line + 1 :]])


def test_the_right_trajectory_has_no_fault_and_neither_has_one_with_terms_swapped() -> None:
    assert first_fault("\n".join(RIGHT), STEPS, "B") is None
    assert first_fault(changed(1, "2. 4+7=11."), STEPS, "B") is None
    assert first_fault(changed(2, "3. 11*2=22."), STEPS, "B") is None


@pytest.mark.parametrize(
    ("line", "text", "kind"),
    [
        (0, "1. The width is 9 and the height is 4.", "vision"),
        (0, "1. The sides are a and b.", "question"),
        (1, "2. 7+4=12.", "calculation"),
        (1, "2. 7-4=3.", "reasoning"),
        (2, "3. 3*11=33.", "knowledge"),
        (3, "4. 22 is choice C.", "question"),
        (4, "The answer to this problem is C.", "reasoning"),
    ],
)
def test_the_first_fault_is_found_with_its_kind(line: int, text: str, kind: str) -> None:
    fault = first_fault(changed(line, text), STEPS, "B")
    assert fault is not None
    assert (fault.step, fault.kind) == (line + 1, kind)


def test_a_trajectory_that_stops_early_or_goes_on_is_wrong() -> None:
    early = first_fault("\n".join(RIGHT[:2]), STEPS, "B")
    late = first_fault("\n".join([*RIGHT, "5. More."]), STEPS, "B")
    assert early is not None and early.step == 2
    assert late is not None and late.step == 6


def test_a_reflection_keeps_what_is_before_the_named_step() -> None:
    wrong = changed(1, "2. 7+4=12.")
    assert reflect(wrong, 2, STEPS, "B").splitlines() == RIGHT
    assert reflect(wrong, None, STEPS, "B").splitlines() == RIGHT
    named_late = reflect(wrong, 3, STEPS, "B")
    fault = first_fault(named_late, STEPS, "B")
    assert named_late.splitlines()[1] == "2. 7+4=12." and fault is not None and fault.step == 2


def test_the_engine_solves_and_annotates_every_family_without_revealing_answers() -> None:
    problems, _ = build_tables({"train": 64}, seed=1)
    teacher = FiguresTeacher(problems)
    for row in problems.iter_rows(named=True):
        name = row["problem_id"]
        [solved] = teacher.complete([Request("k", [], sampling=TEACHER_SAMPLING, problem_id=name)])
        assert solved.text == row["solution"]
        lines = solved.text.splitlines()
        for index in range(len(lines)):
            trajectory = "\n".join([*lines[:index], lines[index] + " 9999", *lines[index + 1 :]])
            request = Request(
                "k",
                [],
                sampling=TEACHER_SAMPLING,
                task="annotate",
                problem_id=name,
                context={"response": trajectory},
            )
            [completion] = teacher.complete([request])
            verdict = json.loads(completion.text)
            assert verdict["status"] == "WRONG" and verdict["error_step"] == index + 1
            assert not re.search(
                rf"(?<!\w){re.escape(row['answer'])}(?!\w)",
                verdict["error_analysis"].replace("A ", ""),
            )


def test_unknown_problems_are_errors_not_guesses() -> None:
    problems, _ = build_tables({"train": 2}, seed=1)
    [done] = FiguresTeacher(problems).complete(
        [Request("k", [], sampling=TEACHER_SAMPLING, problem_id="nope")]
    )
    assert done.finish_reason == "error" and "nope" in str(done.error)
    with pytest.raises(DataError, match="no worked steps"):
        FiguresTeacher(problems.with_columns(meta=pl.lit(None, dtype=pl.String)))
