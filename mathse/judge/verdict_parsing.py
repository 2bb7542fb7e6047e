"""Read a judge's text strictly: what does not parse is not a pass."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from mathse.core.errors import ParamError
from mathse.core.steps import MISSING, StepDiff, parse_step_diff, step_tokens
from mathse.engines.protocol import Completion
from mathse.prompts import VerdictForm, verdict_prefix
from schemas import ERROR_KINDS

P_CORRECT_DIGITS = 3
"""Digits of P(correct) that are kept: further ones change with the batch size."""

_DIAGNOSIS = {"status", "error_step", "error_analysis", "error_kind", "improvement_suggestion"}
_ALLOWED = {
    "binary": {"status"},
    "diagnostic": {*_DIAGNOSIS, "figure", "right_step"},
    "stepwise": {*_DIAGNOSIS, "steps"} - {"error_step"},
}
# 2. 12|12 =17|=18 wrong
_STEP_DIFF = re.compile(r"(\d{1,4})\.((?: [^\s,|]+\|[^\s,|]+)*) (right|wrong)")

_NUMBER = re.compile(r"\d+(?:\.\d+)?")  # "Step 3"
# What JSON allows after a backslash (group 1), as far as LaTeX would not write it: \\ \" \n, but
# not the backslash of \frac, \beta, \theta, \right, \neq
_BACKSLASH = re.compile(
    r"\\(?:([\\\"/]|[bfrt](?![a-zA-Z])|n(?!(?:eq?|u|abla|ot|i)\b)|u[0-9a-fA-F]{4}))?"
)


@dataclass(frozen=True)
class ParsedVerdict:
    """A verdict as a judge wrote it.

    Attributes:
        status: correct, wrong or unparseable.
        error_step: 1-based step, for a wrong trajectory in the diagnostic form.
        error_analysis: what is wrong with it, likewise.
        error_kind: vision, question, knowledge, reasoning or calculation, where the judge names
            one.
        figure: what the figure shows, if the judge names it.
        right_step: what the faulty step should be, if the judge names it.
        checks: the diff of each checked step, in the stepwise form.
    """

    status: str
    error_step: int | None = None
    error_analysis: str | None = None
    error_kind: str | None = None
    figure: str | None = None
    right_step: str | None = None
    checks: tuple[StepDiff, ...] | None = None


UNPARSEABLE = ParsedVerdict("unparseable")


def parse_verdict(text: str, form: VerdictForm = "diagnostic") -> ParsedVerdict:
    """Read one verdict: a single JSON object and nothing else.

    The object has `status`, CORRECT or WRONG. In the diagnostic form WRONG also has `error_step`, a
    whole number from 1, and `error_analysis`, a text that is not empty; CORRECT has neither, or
    null or empty ones. In the binary form there is only `status`. A diagnostic verdict may also
    have `error_kind`, `figure` (what the figure shows), `right_step` (what the faulty step should
    be) and `improvement_suggestion` (the paper's annotation prompt asks for it; it is not kept).
    The stepwise form has `steps` in place of `error_step`, such as "1. 12|12 right, 2. 12|12
    =17|=18 wrong": numbered from 1, the last one wrong if the status is WRONG (it is the faulty
    step) and none else, and each word at one with its pairs.

    Everything else is unparseable: code fences, text before or after, a cut-off object, a key that
    occurs twice or is not known, another status or type.

    Args:
        text: the judge's whole text, the forced prefix included.
        form: what the judge was trained to write.

    Raises:
        ParamError: if the form is unknown.
    """
    if form not in get_args(VerdictForm):
        raise ParamError(
            f"A verdict's form is one of {', '.join(get_args(VerdictForm))}, not {form!r}"
        )
    # One object with known keys, and texts where texts belong.
    try:
        verdict = json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return UNPARSEABLE
    if not isinstance(verdict, dict) or not {"status"} <= verdict.keys() <= _ALLOWED[form]:
        return UNPARSEABLE
    if not all(
        _is_text_or_none(verdict.get(name))
        for name in ("improvement_suggestion", "figure", "right_step")
    ):
        return UNPARSEABLE
    # In the stepwise form the last check of a wrong one names the faulty step.
    checks = _checks(verdict.get("steps"), str(verdict["status"])) if form == "stepwise" else None
    if form == "stepwise" and checks is None:
        return UNPARSEABLE
    step = (
        len(checks)
        if checks is not None and verdict["status"] == "WRONG"
        else verdict.get("error_step")
    )
    # Feedback belongs to a wrong one alone; CORRECT with feedback contradicts itself.
    feedback = [step, verdict.get("error_analysis"), verdict.get("error_kind")]
    if verdict["status"] == "CORRECT":
        found = (
            ParsedVerdict("correct")
            if all(part in (None, "") for part in feedback)
            else UNPARSEABLE
        )
    elif verdict["status"] != "WRONG":
        return UNPARSEABLE
    else:
        found = ParsedVerdict("wrong") if form == "binary" else _diagnosis(*feedback)
    if found.status != "unparseable":
        figure, right_step = verdict.get("figure") or None, verdict.get("right_step") or None
        found = replace(
            found,
            figure=figure,
            right_step=right_step,
            checks=None if checks is None else tuple(checks),
        )
    return found


def parse_annotation(text: str) -> tuple[ParsedVerdict, str]:
    """Read an annotator's verdict leniently, and its suggestion.

    The last JSON object with a status counts. Around it may stand anything, such as a code fence;
    in it, other keys, numbers in quotes, feedback of a right trajectory, and LaTeX whose
    backslashes are not doubled.

    Returns:
        The verdict in the diagnostic form, and the suggestion or "".
    """
    if not (objects := list(_objects_with_status(text))):
        return UNPARSEABLE, ""
    found = objects[-1]
    found["status"] = str(found["status"]).strip().upper()
    kept = {"status", "figure"} if found["status"] == "CORRECT" else _ALLOWED["diagnostic"]
    verdict = {key: found[key] for key in found.keys() & kept}
    for name in ("error_analysis", "figure", "right_step", "improvement_suggestion"):
        if not isinstance(verdict.get(name), str):
            verdict.pop(name, None)
    if verdict.get("error_kind") not in ERROR_KINDS:
        verdict.pop("error_kind", None)
    verdict["error_step"] = _step_number(verdict.get("error_step"))
    return parse_verdict(json.dumps(verdict)), verdict.get("improvement_suggestion", "")


def _objects_with_status(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects of a text that have a status."""
    text = _BACKSLASH.sub(lambda found: found[0] if found[1] else r"\\", text)
    end = 0
    for brace in re.finditer(r"\{", text):
        if brace.start() < end:
            continue  # within an object that was read
        try:
            found, after = json.JSONDecoder(strict=False).raw_decode(text, brace.start())
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and "status" in found:
            end = after
            yield found


def _step_number(value: object) -> int | None:
    """Return the step that an annotator names as 3, "3" or "Step 3"; None for any other value."""
    text = str(value).strip()
    number = _NUMBER.search(text)
    if number is None or text.startswith("-") or not float(number[0]).is_integer():
        return None
    return int(float(number[0]))


def read_completion(
    completion: Completion, steps: Sequence[str], form: VerdictForm
) -> tuple[ParsedVerdict, float | None]:
    """Turn a judge's completion into a verdict and P(correct); see `judge_texts`."""
    prob = completion.scored_prob
    p_correct = None if prob is None else round(prob, P_CORRECT_DIGITS)
    if p_correct is not None and not 0.0 <= p_correct <= 1.0:
        return UNPARSEABLE, None
    if completion.finish_reason != "stop":
        return UNPARSEABLE, p_correct
    verdict = parse_verdict(verdict_prefix(form) + completion.text, form)
    if verdict.error_step is not None and verdict.error_step > len(steps):
        return UNPARSEABLE, p_correct
    if verdict.checks is not None and not _quotes(verdict, steps):
        return UNPARSEABLE, p_correct
    return verdict, p_correct


def _diagnosis(step: object, analysis: object, kind: object) -> ParsedVerdict:
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        return UNPARSEABLE
    if analysis is None or not _is_text_or_none(analysis) or not str(analysis).strip():
        return UNPARSEABLE
    if kind is not None and kind not in ERROR_KINDS:
        return UNPARSEABLE
    return ParsedVerdict("wrong", step, str(analysis).strip(), None if kind is None else str(kind))


def _checks(words: object, status: str) -> list[StepDiff] | None:
    """Read the checks of the steps; None if they contradict themselves or the status."""
    if not isinstance(words, str):
        return None
    texts = words.split(", ")
    checks: list[StepDiff] = []
    for number, text in enumerate(texts, start=1):
        check = _STEP_DIFF.fullmatch(text)
        if check is None or int(check[1]) != number:
            return None
        pairs, wrong = parse_step_diff(check[2]), check[3] == "wrong"
        differ = [index for index, (right, given) in enumerate(pairs) if right != given]
        faulty = status == "WRONG" and number == len(texts)
        if wrong != faulty or differ != ([len(pairs) - 1] if wrong and pairs else []):
            return None
        checks.append(pairs)
    return checks


def _quotes(verdict: ParsedVerdict, steps: Sequence[str]) -> bool:
    """Return True if the diffs quote the trajectory: all of it where it passes."""
    assert verdict.checks is not None
    if verdict.status == "correct" and len(verdict.checks) != len(steps):
        return False
    for number, pairs in enumerate(verdict.checks, start=1):
        given, quoted = step_tokens(steps[number - 1]), [token for _, token in pairs]
        if number == verdict.error_step:
            given = [*given, MISSING][: len(quoted)]
        if quoted != given:
            return False
    return True


def _is_text_or_none(value: object) -> bool:
    """Return True for null and for text that can be stored: without half a surrogate pair."""
    if value is None:
        return True
    return isinstance(value, str) and not any(
        0xD800 <= ord(character) <= 0xDFFF for character in value
    )


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
