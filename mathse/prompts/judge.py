"""The prompts of the judge, and the text of a verdict."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import get_args

from mathse.core.errors import DataError, ParamError
from mathse.core.params import VerdictForm
from mathse.core.steps import render_step_diff
from mathse.prompts.solve import CLOSING
from mathse.prompts.text import Message, clean_text, number_steps, problem_text, user_messages

STATUSES = ("CORRECT", "WRONG")
VERDICT_PREFIX = '{"status": "'
STEPWISE_PREFIX = '{"steps": "'

JUDGE = (
    "{problem}\nSolution:\n{steps}\n"
    "Is every step right? Reply in JSON: status, error_step, error_analysis."
)
JUDGE_SOLUTION = "{problem}\nDescribe the figure. Solve step by step. End with: {closing} ..."
JUDGE_STEPWISE = (
    "Solution:\n{steps}\nIs every step right? Reply in JSON: steps, status, error_analysis."
)

# {"status": "WRONG", …
_STATUS = re.compile(r'"status": "(\w+)"')
# … 2. 12|12 =17|=18 wrong", "status" …
_DIFFERENCE = re.compile(r'( \S+ wrong)", "status"')


def judge_solution_messages(question: str, choices: Sequence[str], n_images: int) -> list[Message]:
    """Ask the judge for a solution of its own, before it sees the one to judge."""
    text = JUDGE_SOLUTION.format(problem=problem_text(question, choices, n_images), closing=CLOSING)
    return user_messages(text, n_images)


def judge_solution_text(figure: str | None, solution: str) -> str:
    """Write a judge's solution: what the figure shows, if that is known, then the steps."""
    return f"{figure}\n{solution}" if figure else solution


def judge_messages(
    question: str,
    choices: Sequence[str],
    n_images: int,
    steps: Sequence[str],
    form: VerdictForm = "diagnostic",
    solution_text: str | None = None,
) -> list[Message]:
    """Ask whether a solution is right. The steps are numbered as `error_step` counts them.

    In the stepwise form the judge has solved the problem before (`judge_solution_messages`), and
    its own solution stands before the one to judge: it cannot be a copy of that.

    Raises:
        ParamError: if the stepwise form lacks the judge's own solution.
    """
    shown = number_steps(steps, n_images)
    if form == "stepwise":
        if solution_text is None:
            raise ParamError("a stepwise judge needs its own solution of the problem")
        solution: Message = {
            "role": "assistant",
            "content": [{"type": "text", "text": clean_text(solution_text, n_images)}],
        }
        return [
            *judge_solution_messages(question, choices, n_images),
            solution,
            *user_messages(JUDGE_STEPWISE.format(steps=shown), 0),
        ]
    return user_messages(
        JUDGE.format(problem=problem_text(question, choices, n_images), steps=shown), n_images
    )


def render_verdict(
    status: str,
    error_step: int | None = None,
    error_analysis: str | None = None,
    form: VerdictForm = "diagnostic",
    *,
    steps: Sequence[str] = (),
    right_step: str | None = None,
) -> str:
    """Write a verdict as the judge is trained to write it.

    Args:
        status: CORRECT or WRONG, in any case.
        error_step: 1-based step; needed for a wrong trajectory in the diagnostic form.
        error_analysis: what is wrong; needed likewise.
        form: "diagnostic" names step and analysis of a wrong trajectory, "binary" gives the status
            alone, "stepwise" is the diagnostic form after a diff of each step up to the faulty one
            (see `mathse.core.steps.render_step_diff`); its last diff names the faulty step.
        steps: of the trajectory, for the stepwise form.
        right_step: what the faulty step should be, for the stepwise form, where it is known.

    Returns:
        One line of JSON that begins with `verdict_prefix(form)`.

    Raises:
        ParamError: if the status or form is unknown.
        DataError: if a wrong trajectory lacks its step or analysis in the diagnostic form.
    """
    status = status.upper()
    if status not in STATUSES:
        raise ParamError(f"A verdict's status is one of {STATUSES}, not {status!r}")
    if form not in get_args(VerdictForm):
        raise ParamError(
            f"A verdict's form is one of {', '.join(get_args(VerdictForm))}, not {form!r}"
        )
    verdict: dict[str, object] = {}
    # The checks come before the status: the judge compares each step and then decides.
    if form == "stepwise":
        wrong = error_step if status == "WRONG" else None
        right = list(steps[: wrong - 1] if wrong else steps)
        checks = [
            render_step_diff(number, step, step) for number, step in enumerate(right, start=1)
        ]
        if wrong:
            checks.append(
                f"{wrong}. wrong"
                if right_step is None
                else render_step_diff(wrong, right_step, steps[wrong - 1])
            )
        verdict["steps"] = ", ".join(checks)
    verdict["status"] = status
    # In the stepwise form the last check is the faulty step, so it is not named a second time.
    if status == "WRONG" and form != "binary":
        if error_step is None or error_step < 1 or not error_analysis:
            raise DataError(
                f"A wrong one has error_step {error_step!r} and error_analysis {error_analysis!r}.",
                rule="a diagnostic verdict names step and analysis",
                fix="annotate the trajectory, or train the judge with the binary form",
            )
        if form != "stepwise":
            verdict["error_step"] = error_step
        verdict["error_analysis"] = error_analysis
    return json.dumps(verdict, ensure_ascii=False)


def weighted_span(verdict: str, form: VerdictForm) -> tuple[int, int]:
    """Return the span of the text that decides a verdict; (0, 0) if no part of it does.

    It is the status; in the stepwise form, where the status follows from the checks, the token pair
    that differs with the word `wrong` after it.
    """
    found = (_DIFFERENCE if form == "stepwise" else _STATUS).search(verdict)
    return found.span(1) if found else (0, 0)


def analysis_prefix(step: int) -> str:
    """Return how the verdict on a wrong trajectory begins whose faulty step is known."""
    return f'{VERDICT_PREFIX}WRONG", "error_step": {step}, "error_analysis": "'


def verdict_prefix(form: VerdictForm) -> str:
    """Return how a verdict of a form begins: forced on the judge, never learnt."""
    return STEPWISE_PREFIX if form == "stepwise" else VERDICT_PREFIX
