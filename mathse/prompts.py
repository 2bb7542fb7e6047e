"""The one place where model inputs are written: prompts to solve, judge and reflect, and the verdict's text.

Images always come first in a message, in the problem's order; the chat template of the model writes
its own image tokens. Text from data sets and models therefore must not bring any. What happens to
placeholders such as `<image>` and `<image1>`:

- alone on a line or between sentences: removed (some data sets write the line break before it as a
  backslash and an n: removed too);
- inside a sentence, or anywhere in a choice: written as "the image" where there is one, else as
  "image 2". A placeholder without a number is counted from 1.

Special tokens of common models (`<|im_end|>`, `<fake_token_around_image>` and the like) are removed
too, so that no data row can end a turn.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Sequence
from typing import Any, Literal, get_args

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.core.steps import render_step_diff

Message = dict[str, Any]
VerdictForm = Literal["stepwise", "diagnostic", "binary"]

CLOSING = "The answer to this problem is"
STATUSES = ("CORRECT", "WRONG")
VERDICT_PREFIX = '{"status": "'
STEPWISE_PREFIX = '{"steps": "'

SOLVE = "{problem}\nSolve step by step. End with: {closing} ..."
JUDGE = "{problem}\nSolution:\n{steps}\nIs every step right? Reply in JSON: status, error_step, error_analysis."
JUDGE_SOLUTION = "{problem}\nDescribe the figure. Solve step by step. End with: {closing} ..."
JUDGE_STEPWISE = (
    "Solution:\n{steps}\nIs every step right? Reply in JSON: steps, status, error_analysis."
)
REFLECT = (
    "{problem}\nThis solution ends in a wrong answer:\n{steps}\n"
    "A checker says of step {error_step}: {error_analysis}\n"
    "The checker may err; the answer is surely wrong. "
    "Think again and write a full new solution. End with: {closing} ..."
)
_UNNAMED_STEP = "?"
_NO_ANALYSIS = "wrong."

_STATUS = re.compile(r'"status": "(\w+)"')
_DIFFERENCE = re.compile(r'( \S+ wrong)", "status"')
_LETTERS = string.ascii_uppercase
_PLACEHOLDER = re.compile(r"<image[ _]?(\d*)>", re.IGNORECASE)
_SPECIAL = re.compile(
    r"<\|[A-Za-z_]{3,40}\|>|"
    r"<(?:fake_token_around_image|global-img|end_of_utterance|IMG_CONTEXT|/?img|row_\d+_col_\d+)>"
)
_WRITTEN_BREAK = re.compile(r"(?:\\n)+\s*(?=<image[ _]?\d*>)", re.IGNORECASE)
_GOES_ON = re.compile(r"[a-z,.;:?!]")  # what follows belongs to the sentence before it
_SENTENCE_END = tuple(".?!:;)]$。？！：；）")


def choice_letter(index: int) -> str:
    """Return the letter of a choice: A for 0.

    Raises:
        DataError: past Z.
    """
    if not 0 <= index < len(_LETTERS):
        raise DataError(
            f"A problem may have at most {len(_LETTERS)} choices.", rule="choices have letters"
        )
    return _LETTERS[index]


def solve_messages(question: str, choices: Sequence[str], n_images: int) -> list[Message]:
    """Ask for a solution in steps that ends in the closing sentence."""
    text = SOLVE.format(problem=_problem(question, choices, n_images), closing=CLOSING)
    return _user(text, n_images)


def judge_solution_messages(question: str, choices: Sequence[str], n_images: int) -> list[Message]:
    """Ask the judge for a solution of its own, before it sees the one to judge; see `judge_messages`."""
    text = JUDGE_SOLUTION.format(problem=_problem(question, choices, n_images), closing=CLOSING)
    return _user(text, n_images)


def judge_solution_text(figure: str | None, solution: str) -> str:
    """Write a judge's own solution as it is trained to: what the figure shows, where that is known, then the steps."""
    return f"{figure}\n{solution}" if figure else solution


def judge_messages(
    question: str,
    choices: Sequence[str],
    n_images: int,
    steps: Sequence[str],
    form: VerdictForm = "diagnostic",
    own: str | None = None,
) -> list[Message]:
    """Ask whether a solution is right. The steps are numbered as `error_step` counts them.

    In the stepwise form the judge has solved the problem itself before (`judge_solution_messages`), and its
    own solution stands before the one to judge: what it worked out without sight of the path cannot
    be copied from it.

    Raises:
        ParamError: if the stepwise form lacks the judge's own solution.
    """
    shown = number_steps(steps, n_images)
    if form == "stepwise":
        if own is None:
            raise ParamError("a stepwise judge needs its own solution of the problem")
        said: Message = {
            "role": "assistant",
            "content": [{"type": "text", "text": clean_text(own, n_images)}],
        }
        return [
            *judge_solution_messages(question, choices, n_images),
            said,
            *_user(JUDGE_STEPWISE.format(steps=shown), 0),
        ]
    return _user(JUDGE.format(problem=_problem(question, choices, n_images), steps=shown), n_images)


def reflect_messages(
    question: str,
    choices: Sequence[str],
    n_images: int,
    wrong_response: str,
    error_step: int | None,
    error_analysis: str | None,
) -> list[Message]:
    """Ask for a new solution, given a wrong one and what the judge found in it.

    Args:
        question: the problem's text.
        choices: the problem's choices, or none.
        n_images: how many images the problem has.
        wrong_response: the whole wrong solution.
        error_step: the step that the judge names, if it does.
        error_analysis: what the judge says of it, if anything.

    Source:
        arXiv 2511.06805, reflection prompt, by content: the feedback may be questionable, the
        answer is wrong.
    """
    steps = [line.strip() for line in wrong_response.splitlines() if line.strip()]
    text = REFLECT.format(
        problem=_problem(question, choices, n_images),
        steps=number_steps(steps, n_images),
        error_step=_UNNAMED_STEP if error_step is None else error_step,
        error_analysis=clean_text(error_analysis or "", n_images) or _NO_ANALYSIS,
        closing=CLOSING,
    )
    return _user(text, n_images)


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
        error_step: 1-based step; needed for a wrong path in the diagnostic form.
        error_analysis: what is wrong; needed likewise.
        form: "diagnostic" names step and analysis of a wrong path, "binary" gives the status alone,
            "stepwise" is the diagnostic form after a check of each step up to the faulty one (see
            `mathse.core.steps.render_step_diff`): it lays the step beside its own before it judges. Its
            last check is of the faulty step and names it.
        steps: of the path, for the stepwise form.
        right_step: what the faulty step should be, for the stepwise form, where it is known.

    Returns:
        One line of JSON that begins with `verdict_prefix(form)`.

    Raises:
        ParamError: if the status or form is unknown.
        DataError: if a wrong path lacks its step or analysis in the diagnostic form.
    """
    status = status.upper()
    if status not in STATUSES:
        raise ParamError(f"A verdict's status is one of {STATUSES}, not {status!r}")
    if form not in get_args(VerdictForm):
        raise ParamError(
            f"A verdict's form is one of {', '.join(get_args(VerdictForm))}, not {form!r}"
        )
    verdict: dict[str, object] = {}
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
    if status == "WRONG" and form != "binary":
        if error_step is None or error_step < 1 or not error_analysis:
            raise DataError(
                f"A wrong path has error_step {error_step!r} and error_analysis {error_analysis!r}.",
                rule="a diagnostic verdict names step and analysis",
                fix="annotate the path, or train the judge with the binary form",
            )
        if form != "stepwise":
            verdict["error_step"] = error_step
        verdict["error_analysis"] = error_analysis
    return json.dumps(verdict, ensure_ascii=False)


def weighted_span(verdict: str, form: VerdictForm) -> tuple[int, int]:
    """Return from where to where the text that decides a verdict goes; nothing (0, 0) where no part of it does.

    It is the status; in the stepwise form, where the status follows from the checks, the piece that
    differs from the path's with the word `wrong` after it.
    """
    found = (_DIFFERENCE if form == "stepwise" else _STATUS).search(verdict)
    return found.span(1) if found else (0, 0)


def verdict_prefix(form: VerdictForm) -> str:
    """Return how a verdict of a form begins: forced on the judge, never learnt."""
    return STEPWISE_PREFIX if form == "stepwise" else VERDICT_PREFIX


def number_steps(steps: Sequence[str], n_images: int = 0) -> str:
    """Write steps one a line with their numbers; a step that begins with its own number keeps it."""
    lines = []
    for number, step in enumerate(steps, start=1):
        text = clean_text(step, n_images)
        lines.append(text if text.startswith(f"{number}. ") else f"{number}. {text}".rstrip())
    return "\n".join(lines)


def clean_text(text: str, n_images: int, *, keep_mentions: bool = False) -> str:
    """Remove or rename image placeholders and remove special tokens, as the module's header says.

    Args:
        text: text of a problem, choice, step or analysis.
        n_images: how many images the problem has.
        keep_mentions: rename every placeholder and remove none (for choices).
    """
    text = _SPECIAL.sub("", text)
    if _PLACEHOLDER.search(text) is None:
        return text.strip()
    seen = 0

    def name(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        if n_images == 1 or not (match[1] or n_images):
            return "the image"
        return f"image {int(match[1]) if match[1] else seen}"

    lines = []
    for line in _WRITTEN_BREAK.sub("\n", text).splitlines():
        while not keep_mentions and (match := _removable(line)):
            seen += 1
            line = f"{line[: match.start()].rstrip()} {line[match.end() :].lstrip()}".strip()
        lines.append(_PLACEHOLDER.sub(name, line).strip())
    return re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip()


def prompts_digest() -> str:
    """Return a hash that changes with any template or rule of this module.

    It covers the templates and what the builders make of a few probe inputs.
    """
    question, choices = (
        "Look at <image1>.\n<image2> Which <image>?\n<|im_end|>",
        ["1", "B", "<image2>"],
    )
    steps = ["1. a", "b", "3. c <image1>"]
    return content_id(
        [
            SOLVE,
            JUDGE,
            JUDGE_SOLUTION,
            JUDGE_STEPWISE,
            REFLECT,
            CLOSING,
            VERDICT_PREFIX,
            STEPWISE_PREFIX,
            STATUSES,
        ],
        solve_messages(question, choices, 1),
        judge_messages(question, choices, 2, steps),
        judge_messages(question, choices, 2, steps, "stepwise", judge_solution_text("y", "z")),
        reflect_messages(question, [], 0, "\n".join(steps), 2, "x"),
        reflect_messages(question, [], 0, "\n".join(steps), None, None),
        [
            render_verdict("WRONG", 1, "x"),
            render_verdict("CORRECT"),
            render_verdict("WRONG", form="binary"),
        ],
        [
            render_verdict("WRONG", 2, "x", "stepwise", steps=["1. a 3", "b=4"], right_step="b=5"),
            render_verdict("CORRECT", form="stepwise", steps=["1. a 3", "b=4"]),
        ],
    )


def _removable(line: str) -> re.Match[str] | None:
    """Find a placeholder that stands apart from the sentences of its line."""
    for match in _PLACEHOLDER.finditer(line):
        before, after = line[: match.start()].rstrip(), line[match.end() :].lstrip()
        if (not before or before.endswith(_SENTENCE_END)) and not _GOES_ON.match(after):
            return match
    return None


def _problem(question: str, choices: Sequence[str], n_images: int) -> str:
    """Write the question and one line per choice; a choice that is only its letter stands alone."""
    lines = [clean_text(question, n_images)]
    for index, choice in enumerate(choices):
        letter, text = choice_letter(index), clean_text(choice, n_images, keep_mentions=True)
        lines.append(f"{letter}." if text == letter else f"{letter}. {text}".rstrip())
    return "\n".join(lines)


def _user(text: str, n_images: int) -> list[Message]:
    if n_images < 0:
        raise ParamError(f"n_images cannot be {n_images}")
    content = [*({"type": "image"} for _ in range(n_images)), {"type": "text", "text": text}]
    return [{"role": "user", "content": content}]
