"""The oracle: an engine that knows the built-in problems' facts and answers.

It solves (for distillation), annotates trajectories with the step verifier, and writes reflections.
It is an `Engine` like a model, but it cannot err where it solves or annotates.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import polars as pl

from mathse.core.ids import content_id
from mathse.core.steps import split_steps
from mathse.engines.protocol import Completion, Request
from mathse.figures.source import key_of
from mathse.figures.verifier import Key, Unreadable, verify
from mathse.prompts import PROMPTS_VERSION

VERSION = 5
"""Raise it when the teacher's texts change: journals and trajectories are keyed by it."""


class FiguresTeacher:
    """An engine that answers from the facts of built-in problems, kept in their meta."""

    def __init__(self, problems: pl.DataFrame) -> None:
        self.digest = content_id("figures teacher", VERSION)
        self.input_fingerprint = PROMPTS_VERSION
        columns = "problem_id", "source", "family", "question", "choices", "answer", "meta"
        self._known: dict[str, tuple[Key, str, str]] = {}
        for row in problems.select(*columns, "solution").iter_rows(named=True):
            key = key_of(row)
            figure = json.loads(row["meta"])["description"]
            self._known[row["problem_id"]] = key, row["solution"], figure

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Answer each request by its task: solve, annotate, reflect."""
        yield from map(self._complete, requests)

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Each request stands alone."""
        return [[index] for index in range(len(requests))]

    def close(self) -> None:
        """Do nothing."""

    def _complete(self, request: Request) -> Completion:
        name, context = request.problem_id, request.context
        if name not in self._known:
            return Completion.failed(request.key, f"the teacher does not know problem {name!r}")
        key, solution, figure = self._known[name]
        if request.task == "solve":
            text = solution
        elif request.task == "annotate":
            try:
                text = annotation(key, str(context["response"]), solution, figure)
            except Unreadable as error:
                text = str(error)  # no verdict: the annotation is not used
        elif request.task == "reflect":
            step = context.get("error_step")
            step = step if isinstance(step, int) else None
            text = reflect(str(context["response"]), step, solution)
        else:
            return Completion.failed(request.key, f"the teacher has no task {request.task!r}")
        return Completion(request.key, text, "stop", 0, 0)


def annotation(key: Key, response: str, solution: str, figure: str) -> str:
    """Return the step verifier's verdict on a trajectory as JSON.

    Where the verifier cannot say what the faulty step should be, that of the worked solution
    stands.
    """
    fault = verify(key, response)
    if fault is None:
        return json.dumps({"figure": figure, "status": "CORRECT"})
    lines = solution.split("\n")
    right = fault.right or lines[min(fault.step, len(lines)) - 1]
    found = {"error_step": fault.step, "error_analysis": fault.analysis, "error_kind": fault.kind}
    return json.dumps({"figure": figure, "status": "WRONG", **found, "right_step": right})


def reflect(response: str, error_step: int | None, solution: str) -> str:
    """Keep the lines before the named step, then continue with the worked solution.

    The kept lines are not checked: the second judging must find a fault that the feedback missed.
    """
    right = solution.split("\n")
    keep = 0 if error_step is None else min(error_step, len(right)) - 1
    return "\n".join([*split_steps(response)[:keep], *right[keep:]])
