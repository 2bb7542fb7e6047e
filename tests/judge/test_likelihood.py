"""The form that judges a text by its probability: scales, steps, and what is asked of the ORM."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from mathse.core.errors import DataError
from mathse.core.params import load_params
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Completion, Request
from mathse.judge.calibrate import learned_rows
from mathse.judge.judging import Judge
from mathse.judge.likelihood import (
    OTHERS,
    STUDENT,
    Calibration,
    Scale,
    faulty_step,
    fit_scale,
    fit_scales,
    fit_step_limit,
    is_held_out,
    load_calibration,
    save_calibration,
    writer_of,
)
from mathse.judge.orm_examples import orm_examples
from mathse.judge.orm_rows import ORM_ROW
from tests.closure import ROOT
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    Scripted,
    problem_id,
    problems,
    trajectories,
    trajectory,
)

HALF = Scale(1.0, math.log(5))  # P(correct) is 0.5 at e^-4
STUDENTS = Calibration({STUDENT: HALF}, -4.5)
STEPS = RIGHT.split("\n")


def scores(*lines: float) -> Callable[[Request], Completion]:
    """Say that each text has these lines, and that what is wrong is the sum."""

    def reply(request: Request) -> Completion:
        if request.scored_text:
            return Completion(request.key, "x", "length", 5, 1, 0.1, scored_lines=lines)
        return Completion(request.key, 'The sum is wrong."}', "stop", 5, 5)

    return reply


def test_a_probable_text_passes_and_an_improbable_one_is_wrong_at_its_first_improbable_line() -> (
    None
):
    for lines, status, step in (
        ((-0.5, -1.0, -1.5), "correct", None),
        ((-0.5, -9.0, -1.5), "wrong", 2),
        ((-5.0, -9.0, -1.5), "wrong", 1),
        ((-2.0, -4.0, -1.5), "wrong", 2),
    ):
        engine = Scripted(scores(*lines))
        judge = Judge(engine, problems(1), "likelihood", 64, calibration=STUDENTS)
        row = judge.judge(trajectories(trajectory(0, RIGHT))).row(0, named=True)
        z = math.log(5) - math.log(1 - math.fsum(lines))
        assert row["p_correct"] == pytest.approx(1 / (1 + math.exp(-z)), abs=5e-4)
        assert (row["orm_status"], row["error_step"]) == (status, step)
        assert row["error_analysis"] == (None if status == "correct" else "The sum is wrong.")


def test_the_orm_is_not_shown_the_text_before_it_says_how_probable_it_is() -> None:
    engine = Scripted(scores(-9.0, -1.0, -1.0))
    judge = Judge(engine, problems(1), "likelihood", 64, calibration=STUDENTS)
    judge.judge(trajectories(trajectory(0, RIGHT)))
    measured, asked = engine.requests
    assert measured.scored_text == RIGHT and STEPS[0] not in json.dumps(measured.messages)
    assert STEPS[0] in json.dumps(asked.messages)
    assert asked.prefix == '{"status": "WRONG", "error_step": 1, "error_analysis": "'


def test_each_writer_has_its_scale() -> None:
    strict = Calibration({STUDENT: HALF, OTHERS: Scale(1.0, math.log(2))}, -4.5)
    both = trajectory(0, RIGHT), trajectory(1, RIGHT), trajectory(1, WRONG)
    rows = trajectories(*both).with_columns(
        origin=pl.Series(["reflection", "student", "reflection"])
    )
    judge = Judge(
        Scripted(scores(-1.0, -0.5, -0.5)), problems(2), "likelihood", 64, calibration=strict
    )
    assert judge.judge(rows)["orm_status"].to_list() == ["wrong", "correct", "wrong"]
    of_student = replace(judge, reflector_is_student=True).judge(rows)
    assert of_student["orm_status"].to_list() == ["correct"] * 3
    assert judge.judge(rows.head(0)).is_empty()
    assert writer_of("teacher", reflector_is_student=True) == OTHERS


def test_what_cannot_be_measured_is_no_pass() -> None:
    for lines in ((), (-1.0,)):  # none, or not those of the text
        engine = Scripted(scores(*lines))
        judge = Judge(engine, problems(1), "likelihood", 64, calibration=STUDENTS)
        row = judge.judge(trajectories(trajectory(0, RIGHT))).row(0, named=True)
        assert row["orm_status"] == "unparseable" and row["p_correct"] is None


def test_an_analysis_that_cannot_be_read_leaves_the_step_unnamed() -> None:
    def reply(request: Request) -> Completion:
        done = scores(-9.0, -1.0, -1.0)(request)
        return (
            done if request.scored_text else replace(done, text="The sum", finish_reason="length")
        )

    judge = Judge(Scripted(reply), problems(1), "likelihood", 64, calibration=STUDENTS)
    row = judge.judge(trajectories(trajectory(0, RIGHT))).row(0, named=True)
    assert (row["orm_status"], row["error_step"], row["error_analysis"]) == ("wrong", None, None)


def test_the_faulty_step_is_the_first_below_the_limit_or_the_least_probable() -> None:
    lines = [-1.0, -2.0, -8.0, -9.0]
    assert faulty_step(["a", "b\nc", "d"], lines, -4.0) == 2
    assert faulty_step(["a", "b\nc", "d"], lines, -0.5) == 1
    assert faulty_step(["a", "b\nc", "d"], lines, -10.0) == 3
    assert faulty_step(["a", "b"], [-1.0, -1.0], -4.0) == 1


def test_the_limit_of_a_step_is_the_one_that_finds_most() -> None:
    wrong = [(["a", "b", "c"], [-1.2, -6.0, -9.0], 2)] * 3 + [(["a", "b"], [-3.0, -8.0], 1)]
    assert -6.0 < fit_step_limit(wrong) <= -1.5
    assert fit_step_limit(wrong[-1:]) > -3.0
    assert fit_step_limit([]) < 0


def test_the_scale_is_that_of_logistic_regression() -> None:
    # Three of four are right at -2, one of four at -6: the logit is ln 3 and -ln 3.
    logs, labels = (
        [-2.0] * 400 + [-6.0] * 400,
        ([True] * 300 + [False] * 100) + ([True] * 100 + [False] * 300),
    )
    scale = fit_scale(logs, labels)
    assert scale.p_correct(-2.0) == pytest.approx(0.75, abs=1e-3)
    assert scale.p_correct(-6.0) == pytest.approx(0.25, abs=1e-3)
    rare = fit_scale(logs + [-6.0] * 400, labels + [True] * 100 + [False] * 300)
    assert rare.p_correct(-2.0) > 0.75  # there are more wrong ones now: they count less each
    apart = fit_scale([-1.0] * 50 + [-30.0] * 50, [True] * 50 + [False] * 50)
    assert apart.p_correct(-1.0) > 0.95 and apart.p_correct(-30.0) < 0.01
    assert apart.p_correct(-1e6) < 1e-4


def test_a_writer_with_few_rows_has_the_scale_of_all() -> None:
    logs = {STUDENT: [-1.0] * 20 + [-20.0] * 20, OTHERS: [-1.0] * 4}
    labels = {STUDENT: [True] * 20 + [False] * 20, OTHERS: [True] * 4}
    found = fit_scales(logs, labels)
    assert found[OTHERS] == fit_scale(
        logs[STUDENT] + logs[OTHERS], labels[STUDENT] + labels[OTHERS]
    )
    assert found[STUDENT] == fit_scale(logs[STUDENT], labels[STUDENT]) != found[OTHERS]


def test_the_calibration_is_kept_beside_the_weights(tmp_path: Path) -> None:
    calibration = Calibration({STUDENT: Scale(0.5, 3.25), OTHERS: Scale(2.0, 1.0)}, -3.5)
    save_calibration(calibration, tmp_path)
    assert load_calibration(tmp_path) == calibration


def row(status: str, index: int = 0) -> dict[str, object]:
    wrong = status == "wrong"
    text = WRONG if wrong else RIGHT
    return {
        "row_id": f"{index}{wrong:d}".rjust(16, "0"),
        "problem_id": problem_id(index),
        "response": text,
        "steps": text.split("\n"),
        "status": status,
        "error_step": 2 if wrong else None,
        "error_analysis": "The sum is wrong." if wrong else None,
    }


def test_it_learns_to_write_right_ones_and_what_is_wrong_with_the_others() -> None:
    section = load_params(ROOT / "params.yaml").train_orm.model_copy(update={"form": "likelihood"})
    rows = pl.DataFrame([row("correct"), row("wrong")], schema=ORM_ROW)
    right, wrong = orm_examples(rows, problems(1), section)
    assert (right.prefix, right.target) == ("", RIGHT)
    assert RIGHT not in json.dumps(right.messages)
    assert wrong.prefix.endswith('"error_step": 2, "error_analysis": "')
    assert wrong.target == 'The sum is wrong."}' and WRONG.split("\n")[0] in json.dumps(
        wrong.messages
    )


def test_rows_of_the_calibration_are_not_learned() -> None:
    params = load_params(ROOT / "params.yaml")
    kinds = [("correct", "wrong")[index % 2] for index in range(200)]
    rows = pl.DataFrame([row(kind, n) for n, kind in enumerate(kinds)], schema=ORM_ROW)

    def learned(form: str, rows: pl.DataFrame = rows) -> pl.DataFrame:
        section = params.train_orm.model_copy(update={"form": form})
        return learned_rows(rows, params.model_copy(update={"train_orm": section}))

    assert learned("stepwise").equals(rows)
    kept = learned("likelihood")
    assert 120 < kept.height < 180
    assert not any(is_held_out(name) for name in kept["problem_id"])
    for few in (rows.head(0), rows.filter(status="correct")):
        with pytest.raises(DataError, match="the calibration has") as error:
            learned("likelihood", few)
        assert "problems.figures.orm" in str(error.value)


class Engine(Scripted):
    """A scripted engine that a journal can be kept for; it may be killed at a request."""

    how = "m"

    def __init__(self, reply: Callable[[Request], Completion], die_at: int | None = None) -> None:
        super().__init__(reply)
        self.die_at = die_at

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        for request in requests:
            if len(self.requests) == self.die_at:
                raise KeyboardInterrupt
            yield from super().complete([request])

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[index] for index in range(len(requests))]


def test_a_judge_that_was_killed_goes_on_from_its_journal(tmp_path: Path) -> None:
    both = Calibration({STUDENT: HALF, OTHERS: HALF}, -4.5)
    rows = trajectories(
        *(trajectory(n, RIGHT) for n in range(3)),
        *(trajectory(n, RIGHT, 1, origin="teacher") for n in range(2)),
    )
    # A score and an analysis for each text of each writer.
    whole = Engine(scores(-0.5, -9.0, -1.5))
    killed = Engine(whole.say, die_at=9)
    rest, again = Engine(whole.say), Engine(whole.say)

    def judged(engine: Engine, name: str) -> pl.DataFrame:
        kept = JournaledEngine(engine, tmp_path / name, "t")
        return Judge(kept, problems(3), "likelihood", 64, calibration=both).judge(rows)

    wanted = judged(whole, "whole")
    assert len(whole.requests) == 10 and wanted["orm_status"].to_list() == ["wrong"] * 5
    with pytest.raises(KeyboardInterrupt):
        judged(killed, "killed")
    assert judged(rest, "killed").equals(wanted) and len(rest.requests) == 1
    assert judged(again, "killed").equals(wanted) and again.requests == []


@pytest.mark.parametrize("scale", [Scale(0.0, 0.0), Scale(-1.0, 3.0)], ids=str)
def test_a_scale_that_tells_nothing_passes_nothing(scale: Scale) -> None:
    engine = Scripted(scores(-0.1, -0.1, -0.1))
    given = Calibration({STUDENT: scale}, -4.5)
    judge = Judge(engine, problems(1), "likelihood", 64, "orm", calibration=given)
    row = judge(trajectories(trajectory(0, RIGHT))).row(0, named=True)
    assert (row["orm_status"], row["p_correct"], row["accepted"]) == ("unparseable", None, False)
    # Such a scale comes of right texts that are no more probable than wrong ones, or of one kind.
    for logs, labels in (([-5.0] * 5 + [-1.0] * 5, [True] * 5 + [False] * 5),
                         ([-1.0, -2.0, -3.0], [True] * 3), ([], [])):  # fmt: skip
        assert not fit_scale(logs, labels).tells
    assert fit_scale([-1.0] * 5 + [-5.0] * 5, [True] * 5 + [False] * 5).tells


def test_a_text_whose_probability_is_no_number_is_not_judged() -> None:
    for lines, status in (((-0.1, math.nan, -0.1), "unparseable"),
                          ((-0.1, -math.inf, -0.1), "wrong")):  # fmt: skip
        engine = Scripted(scores(*lines))
        judge = Judge(engine, problems(1), "likelihood", 64, "orm", calibration=STUDENTS)
        row = judge(trajectories(trajectory(0, RIGHT))).row(0, named=True)
        assert (row["orm_status"], row["accepted"]) == (status, False)
