from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.engines.protocol import TEACHER_SAMPLING, Request
from mathse.figures.catalogue import solution
from mathse.figures.source import build_tables, key_of
from mathse.figures.teacher import FiguresTeacher, reflect
from mathse.figures.verifier import verify


def ask(teacher: FiguresTeacher, name: str, task: str = "solve", **context: object) -> Any:
    request = Request(
        "k", [], sampling=TEACHER_SAMPLING, task=task, problem_id=name, context=context
    )
    [done] = teacher.complete([request])
    return done


def rows() -> Iterator[dict[str, Any]]:
    yield from build_tables({"train": 64}, seed=1)[0].iter_rows(named=True)


def test_a_reflection_keeps_what_is_before_the_named_step() -> None:
    right = "1. The width is 7 and the height is 4.\n2. 7+4=11.\n3. 2*11=22.\nIt is 22."
    wrong = right.replace("7+4=11", "7+4=12")
    assert reflect(wrong, 2, right) == right
    assert reflect(wrong, None, right) == right
    assert reflect(wrong, 3, right).split("\n")[1] == "2. 7+4=12."


def test_the_engine_solves_and_annotates_every_family_without_revealing_answers() -> None:
    problems, _ = build_tables({"train": 64}, seed=1)
    teacher = FiguresTeacher(problems)
    for row in problems.iter_rows(named=True):
        name = row["problem_id"]
        solved = ask(teacher, name).text
        assert solved == row["solution"]
        assert json.loads(ask(teacher, name, "annotate", response=solved).text)["status"] == (
            "CORRECT"
        )
        lines = solved.splitlines()
        for index in range(len(lines)):
            # Each number of a line is changed in turn: the last one by itself is always a fault.
            *_, number = re.finditer(r"\d+|[A-D](?=\.)", lines[index])
            other = "9999" if number.group().isdigit() else "E"
            changed = lines[index][: number.start()] + other + lines[index][number.end() :]
            response = "\n".join([*lines[:index], changed, *lines[index + 1 :]])
            verdict = json.loads(ask(teacher, name, "annotate", response=response).text)
            assert verdict["status"] == "WRONG" and verdict["error_step"] == index + 1, response
            assert verdict["right_step"]
            assert not re.search(
                rf"(?<!\w){re.escape(row['answer'])}(?!\w)",
                verdict["error_analysis"].replace("A ", ""),
            )


def test_any_route_in_any_wording_is_right() -> None:
    for row in rows():
        key, facts = key_of(row), json.loads(row["meta"])["facts"]
        for seed in range(5):
            worked = solution(key.family, key.question, facts, key.choices, random.Random(seed))
            assert verify(key, "\n".join(worked.lines())) is None, worked.lines()


def test_what_cannot_be_read_is_no_verdict() -> None:
    problems, _ = build_tables({"train": 1}, seed=1)
    done = ask(
        FiguresTeacher(problems), problems["problem_id"][0], "annotate", response="1. Hm, well."
    )
    assert done.text == "step 1 cannot be read: 1. Hm, well." and done.error is None


def test_unknown_problems_are_errors_not_guesses() -> None:
    problems, _ = build_tables({"train": 2}, seed=1)
    done = ask(FiguresTeacher(problems), "nope")
    assert done.finish_reason == "error" and "nope" in str(done.error)
    assert ask(FiguresTeacher(problems), problems["problem_id"][0], "sing").finish_reason == "error"
    with pytest.raises(DataError, match="none of the built-in problems"):
        FiguresTeacher(problems.with_columns(meta=pl.lit(None, dtype=pl.String)))
