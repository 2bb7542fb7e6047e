"""Each rule of best-of-n by hand, equal answers, and the command with engines of known answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

import bench.best_of_n
import schemas
from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.stage_tables import write
from mathse.engines.protocol import Completion, Request
from mathse.figures.source import build_tables
from mathse.judge.best_of_n import RULES as ALL_RULES
from mathse.judge.best_of_n import measure_best_of_n, with_answer_groups
from mathse.judge.judging import Judge
from mathse.prompts import solve_messages
from tests.closure import ROOT
from tests.judge.trajectories import Scripted, problem_id, problems, says

RULES = [rule for rule in ALL_RULES if rule not in ("selected", "orm_solves")]
SAMPLES = {"problem_id": pl.String, "sample_idx": pl.Int64, "answer": pl.String}
SAMPLES |= {"p_correct": pl.Float64, "correct": pl.Boolean}

# Answers and P(correct) of the samples of a problem whose gold is 7, and which rules are right.
CASES: list[tuple[list[tuple[str | None, float | None]], set[str]]] = [
    ([("6", 0.1), ("7", 0.9), ("6", 0.2), ("6", 0.3)], {"orm_best", "weighted_vote", "pass"}),
    ([("7", 0.1), ("7", 0.1), ("6", 0.15), ("5", 0.0)], {"majority", "weighted_vote", "pass"}),
    ([("7", 0.3), ("6", 0.3), ("6", 0.0), ("7", 0.0)], {*RULES} - {"greedy", "random"}),  # ties
    ([("6", 0.3), ("7", 0.3), ("6", 0.0), ("7", 0.0)], {"pass"}),
    ([("6", None), ("7", 0.0), ("6", None), ("5", None)], {"orm_best", "pass"}),
    ([(None, 0.9), (None, 0.9), ("7", 0.1), ("6", 0.0)], {"majority", "weighted_vote", "pass"}),
    ([(None, 0.9), (None, None), (None, None), (None, None)], set()),
    ([("6", 0.9), ("6", 0.9), ("6", 0.9), ("7", 0.1)], {"pass"}),
]


def measure(cases: Any, sizes: tuple[int, ...] = (4,), **chosen: Any) -> dict[str, Any]:
    """Measure problems by their samples; the greedy answers to the first two are right."""
    names = [problem_id(number) for number in range(len(cases))]
    rows = [
        (name, index, answer, p_correct, answer == "7")
        for name, case in zip(names, cases, strict=True)
        for index, (answer, p_correct) in enumerate(case)
    ]
    samples = pl.DataFrame(rows, schema=SAMPLES, orient="row").sample(fraction=1, shuffle=True)
    greedy = pl.DataFrame({"problem_id": names, "correct": [i < 2 for i in range(len(names))]})
    clusters = pl.DataFrame({"problem_id": names, "cluster": names})
    return measure_best_of_n(samples, greedy, clusters, sizes=sizes, seed=0, **chosen)


@pytest.mark.parametrize("number", range(len(CASES)))
def test_each_rule_chooses_by_hand(number: int) -> None:
    samples, right = CASES[number]
    found = measure([samples])["4"]
    ruled = {rule for rule in RULES if found[rule]["accuracy"] == 1}
    assert ruled - {"greedy"} == right
    assert found["random"]["accuracy"] == sum(answer == "7" for answer, _ in samples) / 4


def test_accuracies_and_differences_have_n_and_an_interval() -> None:
    found = measure([samples for samples, _ in CASES])["4"]
    for rule in set(RULES) - {"greedy", "random"}:
        assert found[rule]["accuracy"] == sum(rule in right for _, right in CASES) / 8
    assert found["greedy"]["accuracy"] == 2 / 8 and found["random"]["accuracy"] == 10 / 32
    for rule in RULES:
        assert found[rule]["n"] == 8
        assert 0 <= found[rule]["low"] <= found[rule]["accuracy"] <= found[rule]["high"] <= 1
    for rule, value in {"random": 3 / 8 - 10 / 32, "majority": 0.0, "greedy": 1 / 8}.items():
        difference = found["differences"][f"orm_best - {rule}"]
        assert difference["value"] == value and difference["n"] == 8
        assert difference["low"] < value < difference["high"] and 0 < difference["p_value"] <= 1


def test_a_smaller_n_takes_the_first_samples() -> None:
    samples = [("6", 0.1), ("6", 0.2), ("7", 0.9), ("7", 0.8)]
    found = measure([samples] * 3, sizes=(4, 1, 2))
    assert list(found) == ["1", "2", "4"]
    assert [found[n]["pass"]["accuracy"] for n in found] == [0, 0, 1]
    assert [found[n]["random"]["accuracy"] for n in found] == [0, 0, 0.5]
    with pytest.raises(DataError, match="the fewest are 4"):
        measure([samples], sizes=(4, 5))


def test_what_the_student_selects_is_one_of_the_rules() -> None:
    case = [("6", 0.9), ("7", 0.1), ("6", 0.2), ("5", 0.3)]
    first, second = problem_id(0), problem_id(1)
    chosen = {2: {first: 1, second: 0}, 4: {first: 1, second: 3}}
    found = measure([case, case], sizes=(2, 4), selected=chosen)
    assert [found[n]["selected"]["accuracy"] for n in ("2", "4")] == [0.5, 0.5]
    assert found["4"]["differences"]["selected - majority"]["value"] == 0.5
    assert found["4"]["differences"]["selected - random"]["value"] == 0.25
    assert {*found["4"]} == {*RULES, "selected", "differences"}
    assert "selected" not in measure([case])["4"]


def test_what_the_orm_solves_itself_is_one_of_the_rules() -> None:
    case = [("6", 0.9), ("7", 0.1), ("6", 0.2), ("5", 0.3)]
    solved = {problem_id(0): True, problem_id(1): False}
    found = measure([case, case], sizes=(4,), solved=solved)["4"]
    assert found["orm_solves"]["accuracy"] == 0.5
    assert "orm_best - orm_solves" in found["differences"]
    without = measure([case])["4"]
    assert "orm_solves" not in without and "orm_best - orm_solves" not in without["differences"]


def test_problems_of_one_figure_are_one_cluster() -> None:
    """As many problems about the same figure tell less than about different ones."""
    right, wrong = [("7", 0.9)] * 2, [("6", 0.9)] * 2
    names = [problem_id(number) for number in range(20)]
    widths = []
    for size in (1, 5):
        rows = [
            (name, index, answer, p_correct, answer == "7")
            for number, name in enumerate(names)
            for index, (answer, p_correct) in enumerate(right if number // 5 % 2 else wrong)
        ]
        found = measure_best_of_n(
            pl.DataFrame(rows, schema=SAMPLES, orient="row"),
            pl.DataFrame({"problem_id": names, "correct": [False] * 20}),
            pl.DataFrame({"problem_id": names, "cluster": [str(i // size) for i in range(20)]}),
            sizes=[2],
            seed=0,
        )["2"]
        difference = found["differences"]["orm_best - greedy"]
        assert found["orm_best"]["accuracy"] == difference["value"] == 0.5
        shares = [found[rule] for rule in ("orm_best", "random")] + [difference]
        widths.append([one["high"] - one["low"] for one in shares])
        assert size > 1 or widths[0][0] == pytest.approx(widths[0][1], rel=0.05)
    assert all(one < other for one, other in zip(*widths, strict=True))


def test_equal_answers_are_one_however_they_are_written() -> None:
    written = {0: ["1/2", "0.5", None, "\\frac{1}{2}", "3", "0.50"], 1: ["B", "A", "B"]}
    rows = [
        (problem_id(number), index, found)
        for number, answers in written.items()
        for index, found in enumerate(answers)
    ]
    checked = pl.DataFrame(rows, schema=["problem_id", "sample_idx", "found"], orient="row")
    grouped = with_answer_groups(checked.reverse(), problems(2)).reverse()
    assert grouped.drop("answer").equals(checked)
    assert grouped["answer"].to_list() == ["1/2", "1/2", None, "1/2", "3", "1/2", "B", "A", "B"]
    letters = with_answer_groups(checked[6:], problems(2))
    assert letters["answer"].equals(letters["found"])


def test_the_command_samples_judges_and_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["train_orm"]["form"] = "diagnostic"
    Path("params.yaml").write_text(yaml.safe_dump(values))
    layout = Layout()
    drawn, _ = build_tables({"eval": 12}, seed=5)
    drawn = drawn.filter(pl.col("choices").list.len() == 0)
    assert drawn.height > 4
    types = schemas.column_types(schemas.Problem)
    pool = drawn.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    write(pool, layout.problems, schemas.Problem, sort_by=["problem_id"])
    gold = dict(pool.select("problem_id", "solution").iter_rows())
    wrong = "1. I cannot see.\nThe answer to this problem is 987."
    # The greedy answers are right, but for the first problem's.
    names = sorted(gold)
    answered = [
        {"problem_id": name, "response": gold[name] if name != names[0] else wrong}
        for name in names[:4]
    ]
    predictions = pl.DataFrame(answered).with_columns(
        round=pl.lit("r1"), split=pl.lit("eval"), finish_reason=pl.lit("stop"), error=pl.lit(None),
        error_kind=pl.lit(None), response_tokens=pl.lit(9),
    )  # fmt: skip
    out = layout.eval("r1").predictions
    write(predictions, out, schemas.Prediction, sort_by=["problem_id"])

    def sample(request: Request) -> Completion:
        is_third = request.key == content_id(request.problem_id, 2)
        return says(gold[request.problem_id] if is_third else wrong)(request)

    def judge(request: Request) -> Completion:
        is_right = request.context["response"] != wrong
        return says('CORRECT"}', prob=0.9 if is_right else 0.2)(request)

    student, orm = Scripted(sample), Scripted(judge)
    monkeypatch.setattr(bench.best_of_n, "load_journaled", lambda *_: student)
    monkeypatch.setattr(
        bench.best_of_n,
        "load_judge",
        lambda _, params, pool, label, after: Judge(orm, pool, "binary", 9),
    )
    runner, app = CliRunner(), bench.best_of_n.typer.Typer()
    app.command()(bench.best_of_n.main)
    words = ["r1", "--n", "2", "--n", "4", "--problems", "3"]
    done = runner.invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert (found["problems"], found["samples"], found["without_p_correct"]) == (3, 12, 0)
    # The first three problems by content hash: the greedy answers to two are right.
    assert {one.problem_id for one in student.requests} == set(names[:3])
    assert {one.sampling.temperature for one in student.requests} == {1.0}
    assert len({one.sampling.seed for one in student.requests}) == 12
    shares = {
        n: {rule: found["best_of"][n][rule]["accuracy"] for rule in RULES} for n in ("2", "4")
    }
    assert shares["2"] == dict.fromkeys(RULES, 0.0) | {"greedy": pytest.approx(2 / 3)}
    assert shares["4"] == {
        "greedy": pytest.approx(2 / 3), "random": 0.25, "majority": 0.0, "orm_best": 1.0,
        "weighted_vote": 1.0, "pass": 1.0,
    }  # fmt: skip
    assert found["best_of"]["4"]["differences"]["orm_best - random"]["value"] == 0.75

    # The student chooses too, among the two answers; `select` below is one that sees the right one.
    def select(request: Request) -> Completion:
        if request.task != "select":
            return sample(request)
        parts = request.messages[0]["content"][-1]["text"].split("Solution ")[1:]
        index = next((i for i, part in enumerate(parts, start=1) if "987" not in part), 1)
        return says(f"The right solution is {index}.")(request)

    student.say = select
    asked = json.loads(runner.invoke(app, [*words, "--candidates", "3"]).stdout)["best_of"]
    assert asked["4"]["selected"]["accuracy"] == 1 and asked["2"]["selected"]["accuracy"] == 0
    assert asked["4"]["selection"] == {"asked": 3, "unclear": 0}
    assert asked["2"]["selection"] == {"asked": 0, "unclear": 0}, "one answer: nothing to choose"
    # To a file; a split that was not answered is named.
    assert runner.invoke(app, [*words, "--out", "found.json"]).stdout == ""
    assert json.loads(Path("found.json").read_text()) == found
    refused = runner.invoke(app, ["r1", "--split", "eval_hard"])
    assert refused.exit_code == 1 and "no problem of the split eval_hard" in str(refused.exception)


def test_a_likelihood_judge_solves_as_it_learned_to() -> None:
    engine = Scripted(says("1. Both are 3.\nThe answer to this problem is 6."))
    own = bench.best_of_n.solve_as_judge(Judge(engine, problems(3), "likelihood", 9), problems(2))
    assert own is not None
    assert own["problem_id"].to_list() == [problem_id(0), problem_id(1)]
    assert own["response"].str.ends_with("is 6.").all()
    # The prompt of a solver, greedily, once for each problem.
    known = {row["problem_id"]: row for row in problems(2).iter_rows(named=True)}
    for request in engine.requests:
        row = known[request.problem_id]
        asked = solve_messages(row["question"], row["choices"], len(row["image_ids"]))
        assert request.messages == asked
        assert (request.sampling.temperature, request.sampling.max_new_tokens) == (0.0, 9)
    assert len(engine.requests) == 2
    # A judge that learned to write verdicts has no solution.
    for form in ("diagnostic", "binary"):
        assert (
            bench.best_of_n.solve_as_judge(Judge(engine, problems(2), form, 9), problems(2)) is None
        )
