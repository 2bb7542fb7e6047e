"""Small problems, trajectories and verdicts for the tests, and an engine with given texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl

from mathse.core.ids import content_id
from mathse.core.steps import split_steps
from mathse.engines.protocol import Completion, Engine, Request
from mathse.judge.acceptance import VERDICT
from mathse.judge.judgements import JUDGEMENTS
from mathse.judge.judging import Judge
from mathse.trajectories import TRAJECTORY

RIGHT = "1. The bar shows 3.\n2. 3+4=7.\nThe answer to this problem is 7."
WRONG = "1. The bar shows 2.\n2. 2+4=6.\nThe answer to this problem is 6."

PROBLEM = {
    "problem_id": pl.String,
    "source": pl.String,
    "split": pl.String,
    "subject": pl.String,
    "level": pl.Int64,
    "family": pl.String,
    "question": pl.String,
    "choices": pl.List(pl.String),
    "answer": pl.String,
    "answer_type": pl.String,
    "unit": pl.String,
    "precision": pl.Int64,
    "image_ids": pl.List(pl.String),
    "language": pl.String,
    "solution": pl.String,
    "meta": pl.String,
}


def problem_id(number: int) -> str:
    return content_id("problem", number)


def problems(
    count: int, families: Sequence[str | None] = ("bars", "coins", "clock")
) -> pl.DataFrame:
    rows = [
        {
            "problem_id": problem_id(number),
            "source": "test",
            "split": "train",
            "subject": "arithmetic",
            "level": 1,
            "family": families[number % len(families)],
            "question": f"Question {number}?",
            "choices": ["6", "7"] if number % 2 else [],
            "answer": "7",
            "answer_type": "number",
            "image_ids": [f"{number:064x}"],
            "language": "en",
        }
        for number in range(count)
    ]
    return pl.DataFrame(rows, schema=PROBLEM)


def trajectory(number: int, response: str, sample_idx: int = 0, **changes: Any) -> dict[str, Any]:
    row = {
        "problem_id": problem_id(number),
        "round": "r1",
        "sample_idx": sample_idx,
        "origin": "student",
        "parent_id": None,
        "input_fingerprint": "c",
        "model": "m",
        "sampling": "{}",
        "seed": 0,
        "response": response,
        "steps": split_steps(response),
        "finish_reason": "stop",
        "error": None,
        "error_kind": None,
        "prompt_tokens": 10,
        "response_tokens": 20,
    }
    row |= changes
    row.setdefault(
        "trajectory_id",
        content_id(row["problem_id"], row["round"], row["origin"], sample_idx, row["response"]),
    )
    return row


def trajectories(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=TRAJECTORY)


def verdict(path: dict[str, Any], accepted: bool, **changes: Any) -> dict[str, Any]:
    row = {
        "trajectory_id": path["trajectory_id"],
        "problem_id": path["problem_id"],
        "round": path["round"],
        "answer_state": "match" if accepted else "mismatch",
        "predicted_answer": "7" if accepted else "6",
        "orm_status": "correct" if accepted else "wrong",
        "p_correct": 0.9 if accepted else 0.1,
        "error_step": None if accepted else 1,
        "error_analysis": None if accepted else "The bar was misread.",
        "error_kind": None,
        "accepted": accepted,
        "reason": None if accepted else "answer_mismatch",
    }
    return row | changes


def verdicts(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=VERDICT)


class Scripted:
    """An engine whose completions are made by a function; it keeps the requests that it got."""

    digest = "engine"
    input_fingerprint = "fingerprint"

    def __init__(self, say: Callable[[Request], Completion]) -> None:
        self.say = say
        self.requests: list[Request] = []

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        self.requests += requests
        yield from map(self.say, requests)

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        return [[index] for index in range(len(requests))]

    def close(self) -> None:
        pass


def judge_trajectories(
    engine: Engine,
    problems: pl.DataFrame,
    trajectories: pl.DataFrame,
    *,
    max_new_tokens: int,
    form: Any = "diagnostic",
) -> pl.DataFrame:
    """Return trajectory_id, problem_id and what the ORM found."""
    columns = [name for name in JUDGEMENTS.names() if name != "text_id"]
    judge = Judge(engine, problems, form, max_new_tokens)
    return judge.judge(trajectories).select("trajectory_id", "problem_id", *columns)


def says(
    text: str, finish_reason: str = "stop", prob: float | None = None
) -> Callable[[Request], Completion]:
    if finish_reason == "error":
        return lambda request: Completion.failed(request.key, "the engine failed")
    return lambda request: Completion(request.key, text, finish_reason, 5, 5, scored_prob=prob)  # type: ignore[arg-type]
