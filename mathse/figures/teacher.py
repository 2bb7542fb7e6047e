"""The built-in teacher: it knows the worked solution, and plays the part that GPT-4o plays in the paper.

It solves (the distilled paths), annotates wrong paths, and writes reflections. It speaks through
the same `Engine` protocol as a model, so any other engine can take its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.steps import diff_steps, split_steps, step_tokens
from mathse.engines.protocol import Completion, Request, SamplingParams
from mathse.figures.items import Step
from mathse.prompts import CLOSING, prompts_digest

VERSION = 4
"""Raise it when the teacher writes anything differently: the journal and the trajectories carry it."""

ANALYSES = {
    "vision": "{about} are not read as the figure shows.",
    "question": "This is not what the question asks for.",
    "knowledge": "The rule used here is wrong.",
    "reasoning": "This does not follow from the steps before.",
    "calculation": "The calculation is wrong.",
}
_NUMBERED = re.compile(r"^\d+\.\s+")
_SUM = re.compile(r"(\d+)([+*])(\d+)=")
_EQUATION = re.compile(r"^(-?\d+)([-+*/])(-?\d+)=(-?\d+(?:/\d+)?)\.?$")


@dataclass(frozen=True)
class Fault:
    """The first faulty step of a path: its 1-based number, the kind of error, the analysis, and the right step."""

    step: int
    kind: str
    analysis: str
    right: str


class FiguresTeacher:
    """An engine that answers from the worked solutions of the built-in problems.

    Args:
        problems: `Problem` rows of source `figures`; their meta holds the worked steps.
    """

    def __init__(self, problems: pl.DataFrame) -> None:
        self.digest = content_id("figures teacher", VERSION)
        self.input_fingerprint = prompts_digest()
        self._known: dict[str, tuple[tuple[Step, ...], str, str]] = {}
        for name, meta, answer in problems.select("problem_id", "meta", "answer").iter_rows():
            if meta is None or "steps" not in (facts := json.loads(meta)):
                raise DataError(
                    f"Problem {name} has no worked steps.",
                    rule="the built-in teacher knows the built-in problems only",
                    fix="choose another teacher for these problems",
                )
            self._known[name] = (
                tuple(Step(*step) for step in facts["steps"]),
                answer,
                facts["description"],
            )

    def complete(self, requests: Sequence[Request], sampling: SamplingParams) -> list[Completion]:
        """Answer each request by its task: solve, annotate, reflect."""
        return [self._complete(request) for request in requests]

    def _complete(self, request: Request) -> Completion:
        if request.problem_id not in self._known:
            return Completion.failed(
                request.key, f"the teacher does not know problem {request.problem_id!r}"
            )
        steps, answer, figure = self._known[request.problem_id]
        if request.task == "solve":
            text = "\n".join(worked_lines(steps, answer))
        elif request.task == "annotate":
            text = _verdict(first_fault(str(request.context["response"]), steps, answer), figure)
        elif request.task == "reflect":
            step = request.context.get("error_step")
            text = reflect(
                str(request.context["response"]),
                step if isinstance(step, int) else None,
                steps,
                answer,
            )
        else:
            return Completion.failed(request.key, f"the teacher has no task {request.task!r}")
        return Completion(request.key, text, "stop", 0, 0)


def worked_lines(steps: Sequence[Step], answer: str) -> list[str]:
    """Return the numbered lines of the worked solution with the closing sentence."""
    return [
        *(f"{number}. {step.text}" for number, step in enumerate(steps, start=1)),
        f"{CLOSING} {answer}.",
    ]


def first_fault(response: str, steps: Sequence[Step], answer: str) -> Fault | None:
    """Check a path line by line against the worked solution.

    A line is right if it says the same (see `mathse.core.steps.pieces`), whatever the order of the
    terms of a sum or product. The kind of error comes from what the right line does and from
    whether the wrong one is true in itself.

    Args:
        response: the path.
        steps: the worked steps.
        answer: the gold answer as the worked solution writes it.

    Returns:
        The first fault, or None if every line is right.
    """
    path, right = split_steps(response), worked_lines(steps, answer)
    for place, wanted in enumerate(right):
        written = path[place] if place < len(path) else ""
        if _canonical(written) == _canonical(wanted):
            continue
        number = min(place, max(0, len(path) - 1)) + 1
        kind, about = _kind_of(written, steps[place] if place < len(steps) else None)
        analysis = ANALYSES[kind].format(about=about)
        orders = [wanted, _SUM.sub(r"\3\2\1=", wanted, count=1)]
        nearest = max(orders, key=lambda line: len(diff_steps(line, written)))
        return Fault(number, kind, analysis[0].upper() + analysis[1:], nearest)
    if len(path) > len(right):
        return Fault(len(right) + 1, "reasoning", ANALYSES["reasoning"], "")
    return None


def reflect(response: str, error_step: int | None, steps: Sequence[Step], answer: str) -> str:
    """Write a new solution from feedback: keep the lines before the named step, then go on correctly.

    What is kept is not checked: a fault that the feedback missed stays in, for the second judging
    to find.
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


def _kind_of(written: str, wanted: Step | None) -> tuple[str, str]:
    text = _NUMBERED.sub("", written.strip())
    if wanted is None:
        return "reasoning", ""
    if wanted.kind == "vision":
        words = [re.sub(r"\d+", "0", part) for part in (text, wanted.text)]
        return ("vision" if words[0] == words[1] else "question"), wanted.about
    if wanted.kind == "question":
        return "question", wanted.about
    if (equation := _EQUATION.match(text)) and not _holds(equation):
        return "calculation", wanted.about
    return ("knowledge" if wanted.kind == "knowledge" else "reasoning"), wanted.about


def _holds(equation: re.Match[str]) -> bool:
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
    found = {
        "status": "WRONG",
        "error_step": fault.step,
        "error_analysis": fault.analysis,
        "error_kind": fault.kind,
    }
    return json.dumps({"figure": figure, **found, "right_step": fault.right})
