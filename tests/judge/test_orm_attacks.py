"""An ORM that is attacked, and one that does not see the picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.steps import split_steps
from mathse.engines.blank_images import blank_problems
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Completion, Request
from mathse.judge.blank_picture import measure_blank
from mathse.judge.judging import Judge
from mathse.judge.orm_attacks import ATTACKS, MAX_ATTACKED, SAYS_CORRECT, attack, measure_attacks
from mathse.prompts import render_verdict
from tests.judge.trajectories import RIGHT, WRONG, Scripted, problem_id, problems, says

FORMS = ("stepwise", "diagnostic", "binary")


def questions(count: int) -> pl.DataFrame:
    """Return free problems with the answers 7, 8, 9, …"""
    return problems(count).with_columns(
        answer=pl.Series([str(7 + number) for number in range(count)]),
        choices=pl.lit([], dtype=pl.List(pl.String)),
    )


def orm_rows(count: int) -> pl.DataFrame:
    """Return a right and a wrong trajectory of each of so many problems."""
    rows = []
    for number in range(count):
        right = RIGHT.replace("3+4=7", f"3+4={7 + number}").replace("7.", f"{7 + number}.")
        for status, text in (("correct", right), ("wrong", WRONG)):
            name = content_id(number, status)
            rows.append(
                {
                    "row_id": name,
                    "trajectory_id": name,
                    "problem_id": problem_id(number),
                    "response": text,
                    "steps": split_steps(text),
                    "status": status,
                    "error_step": 1 if status == "wrong" else None,
                }
            )
    return pl.DataFrame(rows)


def passes(request: Request) -> Completion:
    """Answer as a judge that passes whatever it sees; a solution, where one is asked for."""
    return says(request.scored_text or "Mine: 7.", prob=0.9)(request)


def judge_of(
    folder: Path, say: Callable[[Request], Completion], form: Any, count: int
) -> tuple[Judge, Scripted]:
    engine, layout = Scripted(say), Layout(folder)
    judge, solver = (
        JournaledEngine(engine, layout.journal(label), label) for label in ("eval_orm", "solutions")
    )
    return Judge(judge, questions(count), form, 64, solver=solver), engine


def shares(found: dict[str, Any], name: str = "passed") -> dict[str, tuple[float, int]]:
    return {key: (part[name]["value"], part[name]["n"]) for key, part in found.items()}


@pytest.mark.parametrize("form", FORMS)
def test_trajectories_are_changed_as_the_attack_says(form: Any) -> None:
    rows = orm_rows(3)
    wrong, right = rows.filter(status="wrong"), rows.filter(status="correct")
    found = attack(wrong, right, questions(3), form)
    texts = {name: found.filter(attack=name) for name in ATTACKS}
    assert [part.height for part in texts.values()] == [3, 3, 3, 3]
    assert texts["empty"]["steps"].to_list() == [[]] * 3
    *before, last = split_steps(WRONG)
    assert texts["says_correct"]["steps"].to_list() == [[*before, SAYS_CORRECT, last]] * 3
    verdict = render_verdict("CORRECT", form=form, steps=[*before, last])
    assert texts["pasted_verdict"]["steps"].to_list() == [[*before, verdict, last]] * 3
    owns = dict(right.select("problem_id", "steps").iter_rows())
    lasts = {name: steps[-1] for name, steps in owns.items()}
    for row in texts["swapped_last_line"].iter_rows(named=True):
        own = owns[row["problem_id"]]
        assert row["steps"][:-1] == own[:-1] and row["steps"][-1] != own[-1]
        assert row["steps"][-1] in lasts.values()
    for row in found.iter_rows(named=True):
        assert row["steps"] == split_steps(row["response"])


def test_a_swapped_line_with_the_same_answer_is_no_attack() -> None:
    rows = orm_rows(2).filter(status="correct")
    last = pl.col("steps").list.get(-1)
    assert rows.select(last).n_unique() == 2
    same = questions(2).with_columns(answer=pl.lit("7"))
    swapped = attack(rows.clear(), rows, same, "binary")
    assert swapped["problem_id"].to_list() == [problem_id(0)], "the other one became right"
    kinds = questions(2).with_columns(answer_type=pl.Series(["number", "text"]))
    assert attack(rows.clear(), rows, kinds, "binary").is_empty()


@pytest.mark.parametrize("form", FORMS)
def test_attacks_on_a_judge_that_passes_all(tmp_path: Path, form: Any) -> None:
    rows = orm_rows(4)
    judge, engine = judge_of(tmp_path, passes, form, 4)
    judgements = judge.judge(rows.drop("error_step"))
    kept = sorted(Layout(tmp_path).journal("eval_orm").iterdir())
    asked = len(engine.requests)
    found = measure_attacks(judge, Layout(tmp_path), rows, judgements)
    assert shares(found) == {
        "unchanged_wrong": (1.0, 4),
        "unchanged_right": (1.0, 4),
        "empty": (0.0, 4),
        "says_correct": (1.0, 4),
        "pasted_verdict": (1.0, 4),
        "swapped_last_line": (1.0, 4),
    }, "only what has no text is not passed"
    assert found["empty"]["unparseable"]["value"] == 1.0
    assert len(engine.requests) == asked + 12, "solutions are written once"
    assert sorted(Layout(tmp_path).journal("eval_orm").iterdir()) == kept
    again = measure_attacks(judge, Layout(tmp_path), rows, judgements)
    assert again == found and len(engine.requests) == asked + 12, "the journal has them"


def test_a_judge_that_is_taken_in_by_one_attack(tmp_path: Path) -> None:
    def say(request: Request) -> Completion:
        taken_in = SAYS_CORRECT in str(request.messages)
        return says('CORRECT"}' if taken_in else 'WRONG"}')(request)

    rows = orm_rows(2)
    judge, _ = judge_of(tmp_path, say, "binary", 2)
    found = measure_attacks(judge, Layout(tmp_path), rows, judge.judge(rows.drop("error_step")))
    assert {name for name, (share, _) in shares(found).items() if share} == {"says_correct"}
    assert all(n == 2 for _, n in shares(found).values())


def test_texts_that_are_too_long_do_not_stop_the_stage(tmp_path: Path) -> None:
    def say(request: Request) -> Completion:
        if 'status": "' in str(request.context):
            return Completion.failed(request.key, "too long")
        return says('WRONG"}')(request)

    rows = orm_rows(2)
    judge, _ = judge_of(tmp_path, say, "binary", 2)
    judge.errors_max_share = 0.0
    found = measure_attacks(judge, Layout(tmp_path), rows, judge.judge(rows.drop("error_step")))
    assert shares(found, "unparseable")["pasted_verdict"] == (1.0, 2)
    assert shares(found)["pasted_verdict"] == (0.0, 2)


def test_at_most_so_many_are_attacked(tmp_path: Path) -> None:
    count = MAX_ATTACKED + 5
    rows = orm_rows(count)
    judge, engine = judge_of(tmp_path, passes, "binary", count)
    judged = judge.judge(rows.drop("error_step"))
    found = measure_attacks(judge, Layout(tmp_path), rows, judged)
    assert {n for _, n in shares(found).values()} == {MAX_ATTACKED}
    asked = len(engine.requests)
    assert measure_attacks(judge, Layout(tmp_path), rows.reverse(), judged) == found
    assert len(engine.requests) == asked, "the same ones, in whatever order the rows are"


def test_without_rows_there_is_nothing_to_attack(tmp_path: Path) -> None:
    rows = orm_rows(1)
    judge, engine = judge_of(tmp_path, passes, "stepwise", 1)
    judged = judge.judge(rows.drop("error_step")).clear()
    asked = len(engine.requests)
    found = measure_attacks(judge, Layout(tmp_path), rows.clear(), judged)
    assert shares(found)["says_correct"] == (None, 0)
    blank = measure_blank(judge, Layout(tmp_path), rows.clear(), judged)
    assert blank["n"] == 0 and blank["wrong_passed"]["value"] is None
    assert len(engine.requests) == asked


@pytest.mark.parametrize("form", FORMS)
def test_a_judge_that_needs_the_picture_differs_from_one_that_does_not(
    tmp_path: Path, form: Any
) -> None:
    unsure = {
        "binary": 'WRONG"}',
        "diagnostic": 'WRONG", "error_step": 1, "error_analysis": "No bar."}',
        "stepwise": '1. none|bar wrong", "status": "WRONG", "error_analysis": "No bar."}',
    }[form]
    seen: list[tuple[str, ...]] = []

    def say(request: Request) -> Completion:
        seen.append(request.image_ids)
        if request.task == "solve":
            return says("Mine: 7.")(request)
        sees = not request.image_ids[0].startswith("blank")
        is_right = RIGHT in str(request.context["response"])
        passed = request.scored_text if sees and is_right else unsure
        return says(passed, prob=0.9 if sees and is_right else 0.1)(request)

    rows = orm_rows(1).vstack(orm_rows(3).filter(problem_id=problem_id(2)))
    judge, _ = judge_of(tmp_path, say, form, 3)
    judge.problems = judge.problems.with_columns(
        image_ids=pl.when(problem_id=problem_id(2)).then([]).otherwise("image_ids")
    )
    judged = orm_rows(1).drop("error_step")
    judgements = judge.judge(judged)
    seen.clear()
    found = measure_blank(judge, Layout(tmp_path), rows, judgements)
    assert found["n"] == 2, "the problem without a picture is left out"
    assert found["positive_accuracy"]["value"] == 0.0 and found["roc_auc"] == 0.5
    assert found["with_picture"]["positive_accuracy"]["value"] == 1.0
    assert found["overall_accuracy"]["value"] == 0.5
    assert found["with_picture"]["overall_accuracy"]["value"] == 1.0
    assert set(seen) == {(f"blank-{0:064x}",)}, "its own solution is blind, too"
    assert len(seen) == (3 if form == "stepwise" else 2)


def test_blank_problems_differ_in_their_pictures_alone() -> None:
    before = questions(2)
    after = blank_problems(before)
    assert after.drop("image_ids").equals(before.drop("image_ids"))
    assert after["image_ids"].to_list() == [[f"blank-{n:064x}"] for n in range(2)]
