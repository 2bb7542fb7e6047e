"""The built-in teacher: it knows the worked solutions, and takes GPT-4o's roles of the paper.

It solves (for distillation), annotates wrong trajectories, and writes reflections. It is an
`Engine` like a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.steps import diff_steps, split_steps, step_tokens
from mathse.engines.protocol import Completion, Request
from mathse.figures.items import Step, worked_lines
from mathse.prompts import PROMPTS_VERSION

VERSION = 4
"""Raise it when the teacher's texts change: journals and trajectories are keyed by it."""

ANALYSES = {
    "vision": "{about} are not read as the figure shows.",
    "question": "This is not what the question asks for.",
    "knowledge": "The rule used here is wrong.",
    "reasoning": "This does not follow from the steps before.",
    "calculation": "The calculation is wrong.",
}
# `2. `
_NUMBERED = re.compile(r"^\d+\.\s+")
# `7+4=`
_SUM = re.compile(r"(\d+)([+*])(\d+)=")
# `6/8=3/4.`
_EQUATION = re.compile(r"^(-?\d+)([-+*/])(-?\d+)=(-?\d+(?:/\d+)?)\.?$")


@dataclass(frozen=True)
class Fault:
    """The first faulty step of a trajectory (from 1): kind of error, analysis, right step."""

    step: int
    kind: str
    analysis: str
    right: str


class FiguresTeacher:
    """An engine that answers from the worked solutions of built-in problems, kept in their meta."""

    def __init__(self, problems: pl.DataFrame) -> None:
        self.digest = content_id("figures teacher", VERSION)
        self.input_fingerprint = PROMPTS_VERSION
        self._known: dict[str, tuple[tuple[Step, ...], str, str]] = {}
        for name, meta, answer in problems.select("problem_id", "meta", "answer").iter_rows():
            if meta is None or "steps" not in (facts := json.loads(meta)):
                raise DataError(
                    f"Problem {name} has no worked steps.",
                    rule="the built-in teacher knows the built-in problems only",
                    fix="choose another teacher for these problems",
                )
            steps = tuple(Step(*step) for step in facts["steps"])
            self._known[name] = steps, answer, facts["description"]

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Answer each request by its task: solve, annotate, reflect."""
        yield from map(self._complete, requests)

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Each request stands alone."""
        return [[index] for index in range(len(requests))]

    def close(self) -> None:
        """Do nothing."""

    def _complete(self, request: Request) -> Completion:
        key, name, context = request.key, request.problem_id, request.context
        if name not in self._known:
            return Completion.failed(key, f"the teacher does not know problem {name!r}")
        steps, answer, figure = self._known[name]
        if request.task == "solve":
            text = "\n".join(worked_lines(steps, answer))
        elif request.task == "annotate":
            text = _verdict(first_fault(str(context["response"]), steps, answer), figure)
        elif request.task == "reflect":
            step = context.get("error_step")
            step = step if isinstance(step, int) else None
            text = reflect(str(context["response"]), step, steps, answer)
        else:
            return Completion.failed(key, f"the teacher has no task {request.task!r}")
        return Completion(key, text, "stop", 0, 0)


def first_fault(response: str, steps: Sequence[Step], answer: str) -> Fault | None:
    """Compare a trajectory line by line with the worked solution.

    The terms of a sum or product may come in any order. The kind of error depends on the right line
    and on whether the wrong one is true in itself.

    Returns:
        The first fault, or None if every line is right.
    """
    lines, right = split_steps(response), worked_lines(steps, answer)
    for index, wanted in enumerate(right):
        written = lines[index] if index < len(lines) else ""
        if _canonical(written) == _canonical(wanted):
            continue
        number = min(index, max(0, len(lines) - 1)) + 1
        step = steps[index] if index < len(steps) else None
        kind = _kind_of(written, step)
        analysis = ANALYSES[kind].format(about=step.about if step else "")
        orders = [wanted, _SUM.sub(r"\3\2\1=", wanted, count=1)]
        nearest = max(orders, key=lambda line: len(diff_steps(line, written)))
        return Fault(number, kind, analysis[0].upper() + analysis[1:], nearest)
    if len(lines) > len(right):
        return Fault(len(right) + 1, "reasoning", ANALYSES["reasoning"], "")
    return None


def reflect(response: str, error_step: int | None, steps: Sequence[Step], answer: str) -> str:
    """Keep the lines before the named step, then continue correctly.

    The kept lines are not checked: the second judging must find a fault that the feedback missed.
    """
    right = worked_lines(steps, answer)
    keep = 0 if error_step is None else min(error_step, len(right)) - 1
    return "\n".join([*split_steps(response)[:keep], *right[keep:]])


def _canonical(line: str) -> list[str]:
    def ordered(found: re.Match[str]) -> str:
        one, sign, two = found.groups()
        low, high = sorted((one, two), key=lambda digits: (len(digits), digits))
        return f"{low}{sign}{high}="

    return step_tokens(_SUM.sub(ordered, _NUMBERED.sub("", line.strip())))


def _kind_of(written: str, wanted: Step | None) -> str:
    text = _NUMBERED.sub("", written.strip())
    if wanted is None:
        return "reasoning"
    if wanted.kind == "vision":
        words = [re.sub(r"\d+", "0", part) for part in (text, wanted.text)]
        return "vision" if words[0] == words[1] else "question"
    if wanted.kind == "question":
        return "question"
    if (equation := _EQUATION.match(text)) and not _is_true(equation):
        return "calculation"
    return "knowledge" if wanted.kind == "knowledge" else "reasoning"


def _is_true(equation: re.Match[str]) -> bool:
    one, sign, two, result = equation.groups()
    a, b = int(one), int(two)
    if sign == "/":
        top, _, bottom = result.partition("/")
        return b != 0 and a * int(bottom or 1) == b * int(top)
    if "/" in result:
        return False
    return {"+": a + b, "-": a - b, "*": a * b}[sign] == int(result)


def _verdict(fault: Fault | None, figure: str) -> str:
    if fault is None:
        return json.dumps({"figure": figure, "status": "CORRECT"})
    found = {"error_step": fault.step, "error_analysis": fault.analysis, "error_kind": fault.kind}
    return json.dumps({"figure": figure, "status": "WRONG", **found, "right_step": fault.right})
