"""One answer against one gold: find it, compare it, say why."""

from __future__ import annotations

import atexit
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from mathse.answers.compare import compare
from mathse.answers.find_choice import find_option, find_options, listed_labels, option_of
from mathse.answers.find_freeform import find_free_form
from mathse.answers.markers import last_boxed
from mathse.answers.options import Options, read_options
from mathse.answers.plain import ROW, plain_math, split_response
from mathse.answers.read import read_number
from mathse.answers.sandbox import Question, Reply, Sandbox

STATES = ("match", "mismatch", "no_answer", "unknown", "unreadable", "timeout", "error")
MAX_SYMPY_CHARS = 3_000
_NUMBER_KINDS = {"number", "integer", "float"}
_STATED = ("marker", "boxed", "conclusion")
_LETTERS = "ABCDEFGH"
_KINDS = _NUMBER_KINDS | {"choice", "expression", "text", "set", "list"}


@dataclass(frozen=True)
class Verdict:
    """The checker's decision on one response.

    Attributes:
        state: one of `STATES`. Only match accepts, only mismatch means wrong.
        found: the answer found in the response (the option's letter in multiple choice), or None.
        reason: the rule that decided, one word with underscores.
        explain: a few lines for a person.
    """

    state: str
    found: str | None
    reason: str
    explain: str = ""


@dataclass(frozen=True)
class Pending:
    """A comparison that only SymPy can decide."""

    found: str
    question: Question
    where: str


@dataclass(frozen=True)
class Task:
    """One answer to check, with what is known of its problem."""

    gold: str
    response: str
    question_type: str | None = None
    answer_type: str | None = None
    choices: tuple[str, ...] = ()
    unit: str | None = None
    precision: int | None = None


def parse_choices(choices: str | Sequence[str] | None) -> tuple[str, ...]:
    """Read choices given as a JSON list or as a list; anything else means none."""
    if choices is None or len(choices) == 0:
        return ()
    if isinstance(choices, str):
        try:
            loaded = json.loads(choices)
        except json.JSONDecodeError:
            return ()
        choices = loaded if isinstance(loaded, list) else []
    return tuple(str(choice) for choice in choices)


def _options(
    choices: tuple[str, ...], question_type: str | None, answer_type: str | None
) -> Options | None:
    """Return the options of a multiple-choice problem; bare letters if their texts are unknown."""
    if question_type is not None and question_type.startswith("free"):
        return None
    if choices:
        return read_options(choices)
    if answer_type == "choice" or (question_type or "").startswith("multi"):
        return read_options(tuple(_LETTERS))
    return None


def find_answer(
    response: str,
    *,
    question_type: str | None = None,
    answer_type: str | None = None,
    choices: Sequence[str] = (),
) -> str | None:
    """Find the final answer in a response, without knowing gold.

    Args:
        response: the response as generated.
        question_type: `multi_choice` or `free_form`, if known.
        answer_type: number, choice, expression, text, set, integer, float or list, if known.
        choices: the options of a multiple-choice problem.

    Returns:
        The option's letter in multiple choice, else the answer's text; None if there is none.
    """
    return _find(response, _options(tuple(choices), question_type, answer_type), answer_type)[0]


def _find(
    response: str, options: Options | None, answer_type: str | None
) -> tuple[str | None, str]:
    """Return the answer and the rule that found it; none if the response answers two problems."""
    text, invented = split_response(response)
    found, where = _find_in(text, options, answer_type)
    if found is not None and invented:
        other, stated = _find_in(invented, options, answer_type)
        if other is not None and stated in _STATED and not compare(found, other).equal:
            return None, "several_answers"
    return found, where


def _find_in(text: str, options: Options | None, answer_type: str | None) -> tuple[str | None, str]:
    if options is not None:
        span = find_option(text, options)
    else:
        span = find_free_form(text, wants_number=answer_type in _NUMBER_KINDS)
    if span is None:
        return None, ""
    if not span.text.strip():
        return None, span.rule if span.rule == "several_answers" else ""
    return span.text.strip(), span.rule


def judge(task: Task) -> Verdict | Pending:
    """Judge by rules alone: `Pending` if they cannot decide, an error if they fail on the input."""
    try:
        return _judge(task)
    except (RecursionError, ArithmeticError, ValueError) as problem:
        return Verdict("error", None, f"rules_{type(problem).__name__}")


def _judge(task: Task) -> Verdict | Pending:
    if not task.gold.strip():
        return Verdict("error", None, "gold_empty")
    # Multiple choice: by the options, or by a bare letter as gold.
    options = _options(task.choices, task.question_type, task.answer_type)
    several = None if options is None else listed_labels(task.gold, options)
    if options is not None and several is not None and task.gold.strip() not in options.texts:
        return _judge_several(task, options, several)
    if options is not None:
        wanted = _gold_options(task.gold, options)
        if wanted:
            return _judge_choice(task, options, wanted)
    kind = task.answer_type if task.answer_type in _KINDS else None
    gold = gold_value(task.gold)
    if options is None and kind is None and _is_letter(gold):
        letters = read_options(tuple(_LETTERS))
        return _judge_choice(task, letters, frozenset([option_of(gold, letters) or 0]))
    # Free form: the declared kind counts only if gold is of that kind.
    wants_number = kind in _NUMBER_KINDS or (kind is None and read_number(gold) is not None)
    if kind in _NUMBER_KINDS and read_number(gold) is None:
        wants_number, kind = False, None
    found, where = _find(task.response, None, "number" if wants_number else kind)
    if found is None:
        return Verdict("no_answer", None, where or "no_answer_found")
    # Compare by rules; what they leave open goes to SymPy.
    outcome = compare(gold, found, kind=kind, unit=task.unit, precision=task.precision)
    if outcome.equal is None and outcome.reason == "unread":
        if len(found) > MAX_SYMPY_CHARS:
            return Verdict("error", found[:MAX_SYMPY_CHARS], "answer_too_long", where)
        digits = task.precision if task.precision is not None else 6
        return Pending(found, Question(_latex(gold), _latex(found), digits), where)
    state = {True: "match", False: "mismatch", None: "unknown"}[outcome.equal]
    state = "unreadable" if outcome.reason == "base" else state
    return Verdict(state, found, outcome.reason, where)


def _latex(text: str) -> str:
    return plain_math(text).replace(ROW, "\\\\")


def gold_value(gold: str) -> str:
    """Return the answer that gold states: its box, or the answer of a whole solution."""
    text = split_response(gold)[0]
    box = last_boxed(text) if "boxed" in text else None
    if box is not None:
        return box.text
    if len(text) > 160 and " " in text:
        span = find_free_form(text, wants_number=False)
        return text if span is None else span.text
    return text


def _is_letter(gold: str) -> bool:
    return gold.strip("() .") in set(_LETTERS)


def _gold_options(gold: str, options: Options) -> frozenset[int]:
    """Return the options that gold names: by its words first, then by letter."""
    gold = split_response(gold)[0]
    same = [index for index, text in enumerate(options.texts) if text == gold.strip()]
    if not same:
        index = option_of(gold, options)
        same = [] if index is None else [index]
    named = {options.texts[index] for index in same}
    return frozenset(index for index, text in enumerate(options.texts) if text in named)


def _judge_choice(task: Task, options: Options, wanted: frozenset[int]) -> Verdict:
    found, where = _find(task.response, options, None)
    if found is None:
        return Verdict("no_answer", None, where or "no_option_named")
    if options.labels.index(found) in wanted:
        return Verdict("match", found, "same_option", where)
    return Verdict("mismatch", found, "different_option", where)


def _judge_several(task: Task, options: Options, wanted: frozenset[str]) -> Verdict:
    """Judge a problem with several right options: all of them, and no other."""
    text = split_response(task.response)[0]
    span = find_options(text, options) or find_option(text, options)
    if span is None:
        return Verdict("no_answer", None, "no_option_named")
    if wanted == set(span.text):
        return Verdict("match", span.text, "same_options", span.rule)
    return Verdict("mismatch", span.text, "different_options", span.rule)


def settle(pending: Pending, reply: Reply) -> Verdict:
    """Return the verdict of SymPy's reply."""
    return Verdict(reply.state, pending.found, reply.reason, pending.where)


@lru_cache(maxsize=4)
def _shared_sandbox(timeout_s: float, memory_mb: int) -> Sandbox:
    sandbox = Sandbox(workers=1, timeout_s=timeout_s, memory_mb=memory_mb)
    atexit.register(sandbox.close)
    return sandbox


def check_one(
    gold: str,
    response: str,
    *,
    question_type: str | None = None,
    answer_type: str | None = None,
    choices: str | Sequence[str] | None = (),
    unit: str | None = None,
    precision: int | None = None,
    timeout_s: float = 5.0,
    memory_mb: int = 1024,
) -> Verdict:
    """Check one response and explain the verdict.

    Args:
        gold: the right answer: a value, an option's letter or an option's text.
        response: the response as generated, or the bare answer.
        question_type: see `find_answer`.
        answer_type: see `find_answer`.
        choices: the options, as a list or a JSON list.
        unit: the unit that the problem asks for.
        precision: digits after the point to which a float counts.
        timeout_s: wall-clock limit for SymPy.
        memory_mb: memory cap for SymPy's process.
    """
    task = Task(gold, response, question_type, answer_type, parse_choices(choices), unit, precision)
    result, by = judge(task), "rules"
    if isinstance(result, Pending):
        by = "Math-Verify"
        result = settle(result, _shared_sandbox(timeout_s, memory_mb).decide([result.question])[0])
    found = "nothing" if result.found is None else result.found
    explain = (
        f"verdict: {result.state} ({result.reason.replace('_', ' ')}, decided by {by})\n"
        f"gold:    {gold.strip()}\n"
        f"found:   {found}" + (f"  (in: {result.explain})" if result.explain else "")
    )
    return replace(result, explain=explain)
