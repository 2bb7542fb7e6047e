from __future__ import annotations

import json
import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError, ParamError
from mathse.engines.journaled import JournaledEngine
from mathse.engines.protocol import Completion
from mathse.judge.judgements import JUDGEMENTS, distinct_trajectories, join_judgements
from mathse.judge.judging import Judge, judge_texts
from mathse.judge.verdict_parsing import ParsedVerdict, parse_verdict
from mathse.prompts import render_verdict, verdict_prefix
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    Scripted,
    judge_trajectories,
    problem_id,
    problems,
    says,
    trajectories,
    trajectory,
)

GOOD = '{"status": "WRONG", "error_step": 2, "error_analysis": "3+4 is not 8."}'


def test_a_diagnostic_verdict_is_read():
    assert parse_verdict(GOOD) == ParsedVerdict("wrong", 2, "3+4 is not 8.")
    assert parse_verdict(f"  {GOOD}\n") == ParsedVerdict("wrong", 2, "3+4 is not 8.")
    assert parse_verdict('{"status": "CORRECT"}') == ParsedVerdict("correct")
    assert (
        parse_verdict('{"status": "CORRECT", "error_step": null, "error_analysis": ""}').status
        == "correct"
    )


def test_a_kind_is_kept_and_a_suggestion_is_not():
    more = GOOD[:-1] + ', "error_kind": "calculation", "improvement_suggestion": "Add again."}'
    assert parse_verdict(more) == ParsedVerdict("wrong", 2, "3+4 is not 8.", "calculation")


def test_a_binary_verdict_is_read():
    assert parse_verdict('{"status": "WRONG"}', "binary") == ParsedVerdict("wrong")
    assert parse_verdict('{"status": "CORRECT"}', "binary") == ParsedVerdict("correct")
    assert parse_verdict(GOOD, "binary").status == "unparseable"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "CORRECT",
        "null",
        "true",
        '"CORRECT"',
        '["CORRECT"]',
        "{}",
        f"```json\n{GOOD}\n```",
        f"Here it is: {GOOD}",
        f"{GOOD} I hope this helps.",
        f"{GOOD}\n{GOOD}",
        GOOD[:-1],
        GOOD[:-3],
        '{"status": "CORRECT"',
        '{"status": "correct"}',
        '{"status": "PASS"}',
        '{"status": "CORRECT "}',
        '{"status": true}',
        '{"status": ["CORRECT"]}',
        '{"status": "WRONG", "status": "CORRECT"}',
        '{"status": "CORRECT", "status": "CORRECT"}',
        '{"status": "CORRECT", "confidence": 1}',
        '{"status": "CORRECT", "error_step": 2}',
        '{"status": "CORRECT", "error_analysis": "Step 2 is wrong."}',
        '{"status": "WRONG"}',
        '{"status": "WRONG", "error_step": 2}',
        '{"status": "WRONG", "error_analysis": "x"}',
        '{"status": "WRONG", "error_step": 2, "error_analysis": ""}',
        '{"status": "WRONG", "error_step": 2, "error_analysis": " \\n"}',
        '{"status": "WRONG", "error_step": 2, "error_analysis": 7}',
        '{"status": "WRONG", "error_step": 0, "error_analysis": "x"}',
        '{"status": "WRONG", "error_step": -1, "error_analysis": "x"}',
        '{"status": "WRONG", "error_step": 2.0, "error_analysis": "x"}',
        '{"status": "WRONG", "error_step": "2", "error_analysis": "x"}',
        '{"status": "WRONG", "error_step": true, "error_analysis": "x"}',
        '{"status": "WRONG", "error_step": null, "error_analysis": "x"}',
        '{"status": "WRONG", "error_step": NaN, "error_analysis": "x"}',
        '{"status": "WRONG", "error_step": 2, "error_analysis": "\\ud800"}',
        '{"status": "WRONG", "error_step": 2, "error_analysis": "x", "error_kind": "typo"}',
        '{"status": "WRONG", "error_step": 2, "error_analysis": "x", "error_kind": ["vision"]}',
        "{'status': 'CORRECT'}",
        '{"status": "CORRECT",}',
        '{"status": "WRONG", "error_step": ' + "9" * 5000 + ', "error_analysis": "x"}',
        "[" * 100_000,
    ],
    ids=lambda text: text[:70],
)
def test_everything_else_is_unparseable(text):
    assert parse_verdict(text) == ParsedVerdict("unparseable")


def test_an_unknown_form_is_refused():
    with pytest.raises(ParamError, match="stepwise, diagnostic, binary"):
        parse_verdict(GOOD, "short")  # type: ignore[arg-type]


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 10**6), st.text(min_size=1).filter(str.strip))
def test_what_the_judge_is_trained_to_write_is_read_back(step, analysis):
    found = parse_verdict(render_verdict("WRONG", step, analysis))
    if any(0xD800 <= ord(character) <= 0xDFFF for character in analysis):
        assert found.status == "unparseable"
    else:
        assert found == ParsedVerdict("wrong", step, analysis.strip())


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 99), st.text("abc 1+", min_size=1).filter(str.strip), st.data())
def test_a_cut_off_verdict_never_passes(step, analysis, data):
    whole = render_verdict("WRONG", step, analysis)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert parse_verdict(cut).status == "unparseable"


@settings(deadline=None, max_examples=60)
@given(st.text())
def test_no_text_breaks_the_parser_or_passes_by_chance(text):
    found = parse_verdict(verdict_prefix("diagnostic") + text)
    assert (
        found.status != "correct"
        or json.loads(verdict_prefix("diagnostic") + text)["status"] == "CORRECT"
    )


CHECKS = '"1. A|A 3|3 right, 2. 3|3 +4|+4 =7|=8 wrong"'
STEPWISE = f'{{"steps": {CHECKS}, "status": "WRONG", "error_analysis": "x"}}'
STEPS = ["1. A is 3.", "2. 3+4=8.", "8."]


def test_a_stepwise_verdict_is_read_back():
    wrong = render_verdict("WRONG", 2, "x", "stepwise", steps=STEPS, right_step="3+4=7.")
    assert wrong == STEPWISE
    first = [("A", "A"), ("3", "3")]
    second = [("3", "3"), ("+4", "+4"), ("=7", "=8")]
    assert parse_verdict(wrong, "stepwise") == ParsedVerdict(
        "wrong", 2, "x", None, None, None, (first, second)
    )
    correct = render_verdict("CORRECT", form="stepwise", steps=STEPS[:1])
    assert correct == '{"steps": "1. A|A 3|3 right", "status": "CORRECT"}'
    assert parse_verdict(correct, "stepwise") == ParsedVerdict("correct", checks=(first,))
    unchecked = render_verdict("WRONG", 1, "x", "stepwise", steps=STEPS)
    assert parse_verdict(unchecked, "stepwise") == ParsedVerdict("wrong", 1, "x", checks=([],))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("=7|=8 wrong", "=7|=8 right"),
        ("=7|=8 wrong", "=7|=7 wrong"),
        ("+4|+4", "+5|+4"),
        ("3|3 right", "3|3 wrong"),
        ("3|3 right", "3|4 right"),
        ("2. 3|3", "3. 3|3"),
        ("1. A|A 3|3 right, ", ""),
        ("wrong", "wrong, 3. 8|8 right"),
        (CHECKS, '""'),
        (CHECKS, "null"),
        (f'"steps": {CHECKS}, ', ""),
        ('"WRONG"', '"WRONG", "error_step": 2'),
        ('"steps"', '"figure": "A 3, B 4.", "steps"'),
        ('"WRONG", "error_analysis": "x"', '"CORRECT"'),
    ],
)
def test_a_stepwise_verdict_that_contradicts_itself_is_unparseable(old, new):
    assert old in STEPWISE
    assert parse_verdict(STEPWISE.replace(old, new), "stepwise").status == "unparseable"


ALL_RIGHT = "1. bar|bar shows|shows 3|3 right, 2. 3|3 +4|+4 =7|=7 right, 3. 7|7 right"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (ALL_RIGHT, "correct"),
        (ALL_RIGHT.removesuffix(", 3. 7|7 right"), "unparseable"),
        (ALL_RIGHT + ", 4. 7|7 right", "unparseable"),
        (ALL_RIGHT.replace("+4|+4", "+5|+5"), "unparseable"),
        (ALL_RIGHT.replace("bar|bar ", ""), "unparseable"),
    ],
)
def test_a_path_passes_stepwise_only_with_a_check_of_every_step_as_it_stands(words, status):
    verdict, own = (
        says(f'{words}", "status": "CORRECT"}}', prob=0.9),
        says("It shows 3.\n1. The bar shows 3."),
    )
    engine = Scripted(lambda request: (verdict if request.task == "judge" else own)(request))
    paths = trajectories(trajectory(0, RIGHT))
    assert len(paths["steps"][0]) == 3
    found = judge_trajectories(engine, problems(1), paths, max_new_tokens=64, form="stepwise")
    assert found["orm_status"].to_list() == [status]
    solved, request = engine.requests
    assert request.prefix == '{"steps": "'
    assert request.scored_text == f'{ALL_RIGHT}", "status": "CORRECT"}}'
    assert (
        solved.messages == request.messages[:1]
        and "Describe the figure" in solved.messages[0]["content"][-1]["text"]
    )
    assert [message["role"] for message in request.messages] == ["user", "assistant", "user"]
    assert "The bar shows 3." in request.messages[1]["content"][0]["text"]


def test_a_stepwise_judge_solves_each_problem_once_and_without_the_path():
    engine = Scripted(says("1. A is 3."))
    paths = trajectories(
        *(trajectory(number, text) for number in range(2) for text in (RIGHT, WRONG))
    )
    judge_trajectories(engine, problems(2), paths, max_new_tokens=64, form="stepwise")
    solved = [request for request in engine.requests if request.task == "solve"]
    assert sorted(request.problem_id for request in solved) == sorted(
        problem_id(number) for number in range(2)
    )
    assert len(engine.requests) == 2 + 4
    for request in solved:
        assert not any(line in str(request.messages) for line in (RIGHT, WRONG))


def test_a_stepwise_judge_without_a_solution_of_its_own_passes_nothing():
    engine = Scripted(says("cut off", "length"))
    found = judge_trajectories(
        engine, problems(1), trajectories(trajectory(0, RIGHT)), max_new_tokens=64, form="stepwise"
    )
    assert found["orm_status"].to_list() == ["unparseable"]
    assert [request.task for request in engine.requests] == ["solve"]


def test_each_distinct_path_is_judged_once():
    paths = trajectories(
        trajectory(0, RIGHT, 0),
        trajectory(0, RIGHT, 1),
        trajectory(1, RIGHT, 0),
        trajectory(0, WRONG, 2),
    )
    engine = Scripted(says('CORRECT"}', prob=0.75))
    found = judge_trajectories(engine, problems(2), paths, max_new_tokens=64)
    assert len(engine.requests) == 3
    assert found["trajectory_id"].to_list() == paths["trajectory_id"].to_list()
    assert found["orm_status"].to_list() == ["correct"] * 4
    assert found["p_correct"].to_list() == [0.75] * 4


def test_the_request_carries_the_problem_and_is_greedy():
    engine = Scripted(says('CORRECT"}', prob=0.5))
    judge_trajectories(engine, problems(2), trajectories(trajectory(1, WRONG)), max_new_tokens=77)
    (request,) = engine.requests
    sampling = request.sampling
    assert (request.task, request.prefix, request.scored_text) == (
        "judge",
        verdict_prefix("diagnostic"),
        'CORRECT"}',
    )
    assert request.problem_id == problem_id(1) and request.image_ids == (f"{1:064x}",)
    text = request.messages[0]["content"][-1]["text"]
    assert "Question 1?" in text and "A. 6" in text and "2+4=6." in text
    assert (sampling.temperature, sampling.max_new_tokens) == (0.0, 77)


@pytest.mark.parametrize(
    ("text", "finish_reason", "prob", "status", "p_correct"),
    [
        ('CORRECT"}', "stop", 0.9, "correct", 0.9),
        ('CORRECT"}', "stop", None, "correct", None),
        ('WRONG", "error_step": 3, "error_analysis": "x"}', "stop", 0.2, "wrong", 0.2),
        ('WRONG", "error_step": 4, "error_analysis": "x"}', "stop", 0.2, "unparseable", 0.2),
        ('CORRECT"}', "length", 0.9, "unparseable", 0.9),
        ("", "error", None, "unparseable", None),
        ('CORRECT"}', "stop", math.nan, "unparseable", None),
        ('CORRECT"}', "stop", 1.5, "unparseable", None),
    ],
)
def test_the_judge_fails_closed(text, finish_reason, prob, status, p_correct):
    engine = Scripted(says(text, finish_reason, prob))
    found = judge_trajectories(
        engine, problems(1), trajectories(trajectory(0, WRONG)), max_new_tokens=64
    )
    row = found.row(0, named=True)
    assert (row["orm_status"], row["p_correct"]) == (status, p_correct)
    assert (row["error_step"] is not None) == (status == "wrong")


@pytest.mark.parametrize("share", [0.5, 0.4])
def test_solutions_of_the_judge_that_fail_are_counted_and_too_many_stop(share, tmp_path, capsys):
    def say(request):
        if request.task != "judge" and request.problem_id in (problem_id(0), problem_id(1)):
            return Completion.failed(request.key, "Server busy", kind="retryable")
        return says("1. 3+4=7.")(request)

    engine, solver = (JournaledEngine(Scripted(say), tmp_path / name, name) for name in "ab")
    judge = Judge(engine, problems(4), "stepwise", 9, errors_max_share=share, solver=solver)
    paths = trajectories(*(trajectory(number, RIGHT) for number in range(4)))
    if share < 0.5:
        with pytest.raises(DataError, match="judge, solutions: 2 of 4 requests failed"):
            judge(paths)
    else:
        found = judge(paths)
        assert found["orm_status"].to_list() == ["unparseable"] * 4
        assert "judge, solutions: 2 of 4" in capsys.readouterr().err
        assert judge.count_failures() == {"retryable": 2}


def test_an_empty_path_is_not_judged():
    engine = Scripted(says('CORRECT"}'))
    found = judge_trajectories(
        engine, problems(1), trajectories(trajectory(0, " \n")), max_new_tokens=64
    )
    assert found["orm_status"].to_list() == ["skipped"] and not engine.requests


def test_no_paths_give_an_empty_frame_with_types():
    found = judge_texts(
        Scripted(says("")),
        problems(1),
        distinct_trajectories(trajectories()),
        max_new_tokens=8,
        form="binary",
    )
    assert found.schema == JUDGEMENTS and found.height == 0


def test_chunks_give_the_same_as_one_go():
    paths = trajectories(
        *(
            trajectory(number, f"{RIGHT}{sample}", sample)
            for number in range(3)
            for sample in range(3)
        )
    )

    def say(request):
        wrong = int(request.problem_id[0], 16) % 2
        return says(
            'WRONG", "error_step": 1, "error_analysis": "x"}' if wrong else 'CORRECT"}', prob=0.5
        )(request)

    whole = judge_trajectories(Scripted(say), problems(3), paths, max_new_tokens=9)
    distinct = distinct_trajectories(paths)
    chunks = [
        judge_texts(
            Scripted(say), problems(3), distinct[at : at + 2], max_new_tokens=9, form="diagnostic"
        )
        for at in range(0, 9, 2)
    ]
    joined = join_judgements(paths, pl.concat(chunks))
    assert joined.select(whole.columns).equals(whole)


def test_the_order_of_the_trajectories_does_not_change_the_chunks():
    paths = trajectories(
        *(trajectory(number, RIGHT, sample) for number in range(3) for sample in range(2))
    )
    assert distinct_trajectories(paths).equals(distinct_trajectories(paths.reverse()))


def test_a_path_of_an_unknown_problem_is_named():
    with pytest.raises(DataError, match=problem_id(5)):
        judge_trajectories(
            Scripted(says("")), problems(2), trajectories(trajectory(5, RIGHT)), max_new_tokens=8
        )


def test_the_solver_solves_and_the_engine_judges():
    engine, solver = Scripted(says("")), Scripted(says("1. 3+4=7."))
    judge = Judge(engine, problems(1), "stepwise", 9, solver=solver)
    judge(trajectories(trajectory(0, RIGHT)))
    judge(trajectories(trajectory(0, WRONG)))
    assert [request.task for request in solver.requests] == ["solve"], "once for both"
    assert [request.task for request in engine.requests] == ["judge", "judge"]
