"""Sentences of the report that follow from the parameters of the run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mathse.report.page.sections import scrub

REASONS = {
    "empty": "nothing was written",
    "cut_off": "it reached the limit of tokens, or the request failed",
    "no_answer": "no final answer was found",
    "answer_unknown": "the answer check says neither right nor wrong",
    "answer_timeout": "the answer check took too long",
    "answer_error": "the answer check failed",
    "answer_mismatch": "the answer is not gold",
    "orm_skipped": "the ORM was not asked",
    "orm_unparseable": "the ORM's verdict could not be read",
    "orm_wrong": "the ORM calls it wrong, and P(correct) is not {score.min_p_correct}",
    "low_p_correct": "the ORM calls it correct, but P(correct) is below {score.min_p_correct}",
    "too_short": "fewer characters than {merge.min_chars}",
    "too_long": "more characters than {merge.max_chars}",
    "identical": "the same text as another one on its problem",
    "near_identical": "almost the text of another one on its problem",
    "over_cap": "its problem has {merge.max_per_problem} rows already",
    "easy": "its problem is easy, and has {merge.easy_max} rows already",
    "over_budget": "surplus, to reach {merge.hard_share}",
}
STATES = {
    "distilled": "solved by the teacher for r0",
    "accepted": "solved by the student",
    "reflected": "by a reflection",
    "hard": "tried, not solved",
    "remaining": "not tried",
    "quarantined": "its row or picture is damaged",
    "contaminated": "also in an evaluation split",
}
# {score.min_p_correct}
_PARAM = re.compile(r"\{([\w.]+)\}")


def explain(names: Iterable[str], meanings: Mapping[str, str], params: Mapping[str, str]) -> str:
    """Return "name: meaning; name: meaning.", with the values of the parameters that are named.

    Args:
        names: those to explain; one without a meaning is left out.
        meanings: by name, with parameters as {section.key}.
        params: values by dotted name, as `sections.settings` has them.
    """
    known = [name for name in dict.fromkeys(names) if name in meanings]
    parts = [f"{name.replace('_', ' ')}: {meanings[name]}" for name in known]
    text = "; ".join(parts) + "." if parts else ""
    return _PARAM.sub(lambda match: f"{match[1]} = {params.get(match[1], '–')}", text)


def uses_worked_solution(params: Mapping[str, Any], role: str) -> bool:
    """Return True if the role is the built-in one, which knows the worked solutions."""
    return (params.get(role) or {}).get("engine") == "figures"


def p_correct_note(params: Mapping[str, Any]) -> str:
    """Say what the ORM's status and P(correct) are, and from which P(correct) on it is accepted."""
    text = "The ORM's status is what it wrote. P(correct) is the probability that it writes the"
    text += " whole verdict “correct”"
    score = params.get("score") or {}
    least = score.get("min_p_correct")
    if least and score.get("accept") != "answer":
        return f"{text}; from score.min_p_correct = {least} on it passes, whatever the status."
    return f"{text}."


def gold_and_teacher(params: Mapping[str, Any]) -> str:
    """Say what of the training data rests on gold, worked solutions or a teacher model."""
    accept, teacher = (params.get("score") or {}).get("accept"), params.get("teacher") or {}
    said = []
    if accept in ("answer", "both"):
        said.append("Accepted training answers are checked against gold.")
    elif accept == "orm":
        said.append("The ORM alone accepts training answers: they are not checked against gold.")
    built_in = [r for r in ("teacher", "annotator", "reflector") if uses_worked_solution(params, r)]
    if built_in:
        verb = "know" if len(built_in) > 1 else "knows"
        said.append(f"The built-in {_join(built_in)} {verb} the worked solution.")
    if teacher.get("engine") == "dataset":
        said.append("The teacher's solutions are those that the data set brings.")
    elif teacher.get("model") and "teacher" not in built_in:
        said.append(f"The teacher is {scrub(str(teacher['model']))}.")
    return " ".join(said)


def _join(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
