"""Which feedback a reflector gets with each mistake, and what stays as it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import mathse.reflection
import schemas
import stages.reflect
from mathse.core.errors import ParamError
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params
from mathse.core.stage_tables import write
from mathse.core.tables import write_table
from mathse.curation.ledger import initial_ledger
from mathse.curation.training_rows import TRAIN
from mathse.engines.protocol import Completion, Request, SamplingParams
from mathse.figures.source import build_tables
from mathse.figures.teacher import FiguresTeacher
from mathse.judge.feedback import Annotator, with_feedback
from mathse.judge.judging import Judge
from mathse.loop import RoundState, run_round
from mathse.prompts import reflect_messages, solve_messages
from mathse.prompts.roles import BUILT_IN, RolePrompts
from mathse.reflection import MISTAKES, Reflector, load_reflector, reflect, reflect_requests
from tests.closure import ROOT, oracle_params
from tests.judge.trajectories import WRONG, Scripted, problem_id, problems, says

VALUES = oracle_params()
SAMPLING = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=8)
FEEDBACK = ["error_step", "error_analysis", "error_kind"]
API = {"engine": "openai", "model": "m", "max_new_tokens": 64}
PROMPTS = RolePrompts(BUILT_IN)


def params(feedback: str, **annotator: Any) -> Params:
    section = {**VALUES["reflect"], "feedback": feedback}
    roles = {"annotator": {**VALUES["annotator"], **annotator}}
    return Params.model_validate({**VALUES, **roles, "reflect": section})


def mistakes(*numbers: int, steps: int = 3, copies: int = 1) -> pl.DataFrame:
    """Return a mistake of each problem number; its feedback names the row that it was written for.

    Responses have as many lines as `steps`; every third mistake is without feedback.
    """
    rows = []
    for row, number in enumerate(numbers):
        named = row % 3 != 2
        response = "\n".join([*WRONG.split("\n"), *map(str, range(9))][:steps])
        feedback = (row % 3 + 1, f"Analysis {row}.", "vision") if named else (None, None, None)
        for _ in range(copies):
            index = sum(one[1] == problem_id(number) for one in rows)
            rows.append((content_id("path", row), problem_id(number), index, response, *feedback))
    return pl.DataFrame(rows, schema=MISTAKES, orient="row")


def replaced(rows: pl.DataFrame, kind: str, round_name: str = "r1") -> pl.DataFrame:
    return with_feedback(rows, problems(20), params(kind), round_name)


def test_the_orm_s_feedback_stays_as_it_is() -> None:
    rows = mistakes(0, 1, 1, 2)
    assert replaced(rows, "orm") is rows
    assert VALUES["reflect"]["feedback"] == "orm"


def test_without_feedback_messages_and_context_have_the_wrong_solution_alone() -> None:
    rows = mistakes(0, 1, copies=2)
    found = replaced(rows, "none")
    assert found.schema == MISTAKES and found.drop(FEEDBACK).equals(rows.drop(FEEDBACK))
    for request in reflect_requests(
        reflect_messages, found, problems(2), sampling=SAMPLING, round_name="r1"
    ):
        text = request.messages[0]["content"][-1]["text"]
        assert "2+4=6." in text and "Analysis" not in text
        assert request.context == {"response": WRONG, "error_step": None, "error_analysis": None}


@pytest.mark.parametrize("engine", ["openai", "student"])
@pytest.mark.parametrize("kind", ["none", "solve_again"])
def test_solving_again_shows_the_problem_alone(
    monkeypatch: pytest.MonkeyPatch, engine: str, kind: str
) -> None:
    asked = Scripted(says(WRONG))
    monkeypatch.setattr(mathse.reflection, "load_role", lambda *_: asked)
    monkeypatch.setattr(mathse.reflection, "load_journaled", lambda *_: asked)
    values = params(kind).model_dump(mode="json")
    values["reflector"] |= API | {"engine": engine}
    how = Params.model_validate(values)
    pool, rows = problems(2), replaced(mistakes(0, 1), kind)
    reflector = load_reflector(Layout(ROOT), how, pool, Path("m"), "reflect")
    written = reflect(reflector, pool, rows, sampling=SAMPLING, round_name="r1")
    # The answers are reflections on these mistakes, whatever the prompt showed.
    assert written["parent_id"].to_list() == rows["parent_id"].to_list()
    solve = PROMPTS.solve if engine == "openai" else solve_messages
    for request, problem in zip(asked.requests, pool.iter_rows(named=True), strict=True):
        number = len(problem["image_ids"])
        alone = solve(problem["question"], problem["choices"], number)
        assert (request.messages == alone) == (kind == "solve_again")
        assert (WRONG.split("\n")[0] in str(request.messages)) == (kind == "none")


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=12),
    st.integers(1, 2),
    st.randoms(use_true_random=False),
)
def test_shuffled_feedback_is_that_of_another_problem(drawn, copies, random):
    rows = mistakes(*drawn, copies=copies)
    found = replaced(rows, "shuffled")
    assert found.schema == MISTAKES and found.drop(FEEDBACK).equals(rows.drop(FEEDBACK))
    # Whose feedback each mistake has: nobody's where there is one problem alone.
    written_for = {f"Analysis {row}.": problem_id(number) for row, number in enumerate(drawn)}
    for row in found.drop_nulls("error_analysis").iter_rows(named=True):
        assert written_for[row["error_analysis"]] != row["problem_id"]
    if len(set(drawn)) == 1:
        assert found["error_analysis"].null_count() == found.height
    # A fixed permutation where each problem has one mistake; the order of the rows counts nothing.
    if len(set(drawn)) == len(drawn) > 1:
        assert sorted(found["error_analysis"], key=str) == sorted(rows["error_analysis"], key=str)
    order = random.sample(range(rows.height), rows.height)
    assert replaced(rows[order], "shuffled").equals(found[order])


def test_rounds_shuffle_in_another_order() -> None:
    rows = mistakes(*range(12))
    assert not replaced(rows, "shuffled", "r1").equals(replaced(rows, "shuffled", "r2"))


def test_a_shuffled_step_beyond_the_last_becomes_the_last() -> None:
    long = mistakes(0).with_columns(error_step=pl.lit(7, pl.Int64))
    short = mistakes(1, 1, 1, steps=2)[1:2]
    found = replaced(pl.concat([long, short]), "shuffled")
    assert found["error_step"].to_list() == [2, 2]
    assert found["error_analysis"].to_list() == ["Analysis 1.", "Analysis 0."]


def test_the_annotator_s_feedback_replaces_the_orm_s_where_it_can_be_used() -> None:
    wrong = {"status": "WRONG", "error_step": 2, "error_analysis": "The rule is another one."}
    replies: list[Any] = [
        wrong,
        {"status": "CORRECT"},
        wrong | {"error_analysis": "It should be 7."},  # gold
        wrong | {"error_step": 9},
        "I cannot say.",
    ]

    def say(request: Request) -> Completion:
        reply = replies[[problem_id(n) for n in range(5)].index(request.problem_id)]
        return says(reply if isinstance(reply, str) else json.dumps(reply))(request)

    engine = Scripted(say)
    rows = mistakes(*range(5), copies=2)
    settings_ = params("annotator", **API)
    found = with_feedback(rows, problems(5), settings_, "r1", Annotator(engine, PROMPTS))
    assert found.schema == MISTAKES and found.drop(FEEDBACK).equals(rows.drop(FEEDBACK))
    kept = found.drop_nulls("error_step").select("problem_id", *FEEDBACK[:2]).rows()
    assert kept == [(problem_id(0), 2, wrong["error_analysis"])] * 2
    assert found["error_analysis"].null_count() == 8
    # One request for each trajectory; it has gold, which the annotation may not give away.
    assert len(engine.requests) == 5 and {one.task for one in engine.requests} == {"annotate"}
    assert "Standard answer: 7" in engine.requests[0].messages[0]["content"][-1]["text"]
    with pytest.raises(ParamError, match=r"reflect\.feedback"):
        with_feedback(rows, problems(5), settings_, "r1")


def test_the_step_verifier_annotates_mistakes_of_built_in_problems() -> None:
    drawn, _ = build_tables({"train": 1}, seed=5)
    [row] = drawn.iter_rows(named=True)
    worked = row["solution"].split("\n")
    response = "\n".join([re.sub(r"(?<=\D)\d+", "999", worked[0], count=1), *worked[1:]])
    rows = mistakes(0).with_columns(
        problem_id=pl.lit(row["problem_id"]), response=pl.lit(response), error_step=pl.lit(3)
    )
    annotator = Annotator(FiguresTeacher(drawn), PROMPTS)
    found = with_feedback(rows, drawn, params("annotator"), "r1", annotator)
    assert found["error_step"].to_list() == [1]
    assert found["error_analysis"][0] != rows["error_analysis"][0]


@pytest.mark.parametrize("kind", ["orm", "none", "solve_again"])
def test_a_round_reflects_from_the_feedback_and_keeps_what_the_orm_said(kind: str) -> None:
    pool = problems(3)
    said = says('WRONG", "error_step": 2, "error_analysis": "Analysis."}', prob=0.1)
    judge = Judge(Scripted(said), pool, "diagnostic", 100)
    reflector = Scripted(says(WRONG))
    names = pool["problem_id"].to_list()
    empty = pl.DataFrame(schema=MISTAKES)
    state = RoundState("r0", pl.DataFrame(schema=TRAIN), initial_ledger(names, []), empty)
    found = run_round(
        "r1",
        state,
        pool,
        student=Scripted(says(WRONG)),
        judge=judge,
        reflector=Reflector(reflector),
        params=params(kind),
    )
    assert found.mistakes["error_step"].to_list() == [2, 2, 2]
    assert len(reflector.requests) == 3
    wanted = 2 if kind == "orm" else None
    assert {request.context["error_step"] for request in reflector.requests} == {wanted}


@pytest.mark.parametrize(
    ("kind", "kept", "without"),
    [
        ("orm", 1, None),
        ("none", 0, 2),
        ("shuffled", 2, 0),
        ("annotator", 0, 0),
        ("solve_again", 0, 2),
    ],
)
def test_the_stage_reflects_from_the_feedback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, kept: int, without: int | None
) -> None:
    """The built-in reflector keeps the lines before the named step: the count shows the step."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(params(kind).model_dump(mode="json")))
    layout = Layout()
    drawn, _ = build_tables({"train": 8}, seed=5)
    drawn = drawn.filter(pl.col("solution").str.count_matches("\n") > 2).sort("problem_id").head(2)
    types = schemas.column_types(schemas.Problem)
    pool = drawn.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    write(pool, layout.problems, schemas.Problem, sort_by=["problem_id"])
    # Two wrong solutions, the first step of which is wrong; the ORM says the second and the third.
    wrong = [
        re.sub(r"(?<=\D)\d+", "999", text, count=1) + "\nMarked." for text in drawn["solution"]
    ]
    rows = mistakes(0, 1).with_columns(
        problem_id=pool["problem_id"], response=pl.Series(wrong), error_step=pl.Series([2, 3])
    )
    write_table(rows, layout.round("r1").mistakes, sort_by=["problem_id"])
    before = layout.round("r1").mistakes.read_bytes()
    judge = Judge(Scripted(says('CORRECT"}', prob=0.9)), pool, "diagnostic", 100)
    monkeypatch.setattr(stages.reflect, "load_judge", lambda *_, after, by_student: judge)
    stages.reflect.reflect_stage(layout, "r1")
    reflected = pl.read_parquet(layout.round("r1").reflections).sort("problem_id")["steps"]
    lines = reflected[0].to_list()
    assert lines[:kept] == wrong[0].split("\n")[:kept]
    assert lines[kept:] == drawn["solution"][0].split("\n")[kept:]
    counts = json.loads(layout.metrics("reflect", "r1").read_text())["r1"]
    assert counts.get("without_feedback") == without and counts["accepted"] == 2
    assert layout.round("r1").mistakes.read_bytes() == before


def test_the_annotator_may_name_the_last_step() -> None:
    wrong = {"status": "WRONG", "error_step": 3, "error_analysis": "The rule is another one."}
    annotator = Annotator(Scripted(says(json.dumps(wrong))), PROMPTS)
    rows = mistakes(0, steps=3)
    found = with_feedback(rows, problems(1), params("annotator", **API), "r1", annotator)
    assert found["error_step"].to_list() == [3]


def test_several_mistakes_of_a_problem_get_different_feedback_of_another() -> None:
    rows = mistakes(0, 0, 1, 1)
    found = replaced(rows, "shuffled")
    assert sorted(found["error_analysis"], key=str) == sorted(rows["error_analysis"], key=str)
