"""Failed requests: rows with a reason, counts, a line on the screen, and a stop where many fail."""

from __future__ import annotations

import pytest

from mathse.core.errors import DataError
from mathse.core.failures import check_failures, count_failures
from mathse.engines.protocol import Completion, Request, SamplingParams
from mathse.trajectories import solve
from schemas import Trajectory, validate
from tests.judge.trajectories import RIGHT, Scripted, problem_id, problems

SAMPLING = SamplingParams(1.0, 1.0, 8, 3)
PLAN = [(problem_id(number), sample) for number in range(5) for sample in range(2)]


def sometimes(request: Request) -> Completion:
    if request.problem_id == problem_id(0):
        return Completion.failed(request.key, "Server busy\nmore", kind="retryable")
    if request.problem_id == problem_id(1):
        return Completion.failed(request.key, "The prompt has 2345 tokens.", prompt_tokens=2345)
    return Completion(request.key, RIGHT, "stop", 5, 6)


def test_failures_are_rows_with_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    rows = solve(
        Scripted(sometimes), problems(5), PLAN, sampling=SAMPLING, round_name="r1", origin="student"
    )
    validate(rows, Trajectory, file="rows")
    assert [(row["problem_id"], row["sample_idx"]) for row in rows.to_dicts()] == PLAN
    assert count_failures(rows) == {"permanent": 2, "retryable": 2}
    check_failures(rows, max_share=0.4, label="generate r1")
    line = "generate r1: 4 of 10 requests failed (2 permanent, 2 retryable)"
    again = "`dvc repro -f -s STAGE` tries the retryable ones again"
    assert capsys.readouterr().err == f"{line}; {again}\n"
    permanent = rows.filter(error_kind="permanent")
    check_failures(permanent, max_share=1.0, label="generate r1")
    assert "again" not in capsys.readouterr().err
    with pytest.raises(DataError) as error:
        check_failures(rows, max_share=0.39, label="generate r1")
    text = str(error.value)
    assert line in text and "at most 39%" in text and "errors_max_share" in text
    assert "retryable  Server busy\n" in text and "permanent  The prompt has 2345 tokens." in text


def test_without_failures_nothing_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    rows = solve(
        Scripted(sometimes),
        problems(5),
        PLAN[4:],
        sampling=SAMPLING,
        round_name="r1",
        origin="student",
    )
    check_failures(rows, max_share=0.0, label="generate r1")
    assert count_failures(rows) == {} and capsys.readouterr().err == ""
    assert rows["seed"].n_unique() == 6


def test_unknown_problems_are_named() -> None:
    with pytest.raises(DataError, match=f"2 problems are unknown.*{min(PLAN[6][0], PLAN[8][0])}"):
        solve(
            Scripted(sometimes),
            problems(3),
            PLAN,
            sampling=SAMPLING,
            round_name="r1",
            origin="student",
        )
