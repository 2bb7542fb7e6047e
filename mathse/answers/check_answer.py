"""One answer against one gold: find it, compare it, say why."""

from __future__ import annotations

import atexit
import itertools
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
_BARE = read_options(tuple("ABCDEFGH"))
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

    def settle(self, reply: Reply) -> Verdict:
        """Return the verdict of SymPy's reply."""
        return Verdict(reply.state, self.found, reply.reason, self.where)


@dataclass(frozen=True)
class Task:
    """One answer to check, with what is known of its problem.

    Attributes:
        gold: the right answer: a value, an option's letter or an option's text.
        response: the response as generated, or the bare answer.
        question_type: `multi_choice` or `free_form`.
        answer_type: number, choice, expression, text, set, integer, float or list.
        choices: the options of a multiple-choice problem.
        unit: the unit that the problem asks for.
        precision: digits after the point to which a float counts.
    """

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


def _options(task: Task) -> Options | None:
    """Return the options of a multiple-choice problem; bare letters if their texts are unknown."""
    question_type = task.question_type or ""
    if question_type.startswith("free"):
        return None
    if task.choices:
        return read_options(task.choices)
    return _BARE if task.answer_type == "choice" or question_type.startswith("multi") else None


def find_answer(
    response: str,
    *,
    question_type: str | None = None,
    answer_type: str | None = None,
    choices: Sequence[str] = (),
) -> str | None:
    """Find the final answer in a response, without knowing gold; see `Task` for the arguments.

    Returns:
        The option's letter in multiple choice, else the answer's text; None if there is none.
    """
    task = Task("", response, question_type, answer_type, tuple(choices))
    return _find(response, _options(task), answer_type in _NUMBER_KINDS)[0]


def _find(response: str, options: Options | None, wants_number: bool) -> tuple[str | None, str]:
    """Return the answer and the rule that found it; none if the response answers two problems."""
    found, other = (
        find_free_form(text, wants_number=wants_number)
        if options is None
        else find_option(text, options)
        for text in split_response(response)
    )
    if found is None or not found.text.strip():
        several = found is not None and found.rule == "several_answers"
        return None, "several_answers" if several else ""
    # An answer to a second problem; in multiple choice it may be no option.
    second = other is not None and other.rule in _STATED and (options or other.text.strip())
    if second and other and not compare(found.text.strip(), other.text.strip()).equal:
        return None, "several_answers"
    return found.text.strip(), found.rule


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
    options = _options(task)
    kind = task.answer_type if task.answer_type in _KINDS else None
    gold = gold_value(task.gold)
    if options is not None:
        several = listed_labels(task.gold, options)
        if several is not None and task.gold.strip() not in options.texts:
            return _judge_choice(task, options, several, several=True)
        if wanted := _gold_labels(task.gold, options):
            return _judge_choice(task, options, wanted)
    elif kind is None and gold.strip("() .") in _BARE.labels:
        return _judge_choice(task, _BARE, _gold_labels(gold, _BARE))
    # Free form: the declared kind counts only if gold is of that kind.
    kind = None if kind in _NUMBER_KINDS else kind
    found, where = _find(task.response, None, kind is None and read_number(gold) is not None)
    if found is None:
        return Verdict("no_answer", None, where or "no_answer_found")
    # Compare by rules; what they leave open goes to SymPy.
    outcome = compare(gold, found, kind=kind, unit=task.unit, precision=task.precision)
    if outcome.equal is None and outcome.reason == "unread":
        if len(found) > MAX_SYMPY_CHARS:
            return Verdict("error", found[:MAX_SYMPY_CHARS], "answer_too_long", where)
        latex = [plain_math(text).replace(ROW, "\\\\") for text in (gold, found)]
        digits = task.precision if task.precision is not None else 6
        return Pending(found, Question(latex[0], latex[1], digits), where)
    state = {True: "match", False: "mismatch", None: "unknown"}[outcome.equal]
    state = "unreadable" if outcome.reason == "base" else state
    return Verdict(state, found, outcome.reason, where)


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


def _gold_labels(gold: str, options: Options) -> frozenset[str]:
    """Return the labels of the option that gold names, and of those with the same words."""
    index = option_of(split_response(gold)[0], options)
    same = [] if index is None else [text == options.texts[index] for text in options.texts]
    return frozenset(itertools.compress(options.labels, same))


def _judge_choice(
    task: Task, options: Options, wanted: frozenset[str], *, several: bool = False
) -> Verdict:
    """Compare with the labels that are right: one of them, or if several all and no other."""
    span = find_options(split_response(task.response)[0], options) if several else None
    found, where = (span.text, span.rule) if span else _find(task.response, options, False)
    if found is None:
        return Verdict("no_answer", None, where or "no_option_named")
    same = set(found) == wanted if several else found in wanted
    state, reason = ("match", "same_option") if same else ("mismatch", "different_option")
    return Verdict(state, found, reason + "s" * several, where)


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

    The arguments are those of `Task`, with choices as a list or a JSON list; the wall-clock limit
    for SymPy, and the memory cap of its process.
    """
    task = Task(gold, response, question_type, answer_type, parse_choices(choices), unit, precision)
    result, by = judge(task), "rules"
    if isinstance(result, Pending):
        by = "Math-Verify"
        result = result.settle(_shared_sandbox(timeout_s, memory_mb).decide([result.question])[0])
    found = "nothing" if result.found is None else result.found
    explain = (
        f"verdict: {result.state} ({result.reason.replace('_', ' ')}, decided by {by})\n"
        f"gold:    {gold.strip()}\n"
        f"found:   {found}" + (f"  (in: {result.explain})" if result.explain else "")
    )
    return replace(result, explain=explain)
