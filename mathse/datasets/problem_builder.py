"""From raw problems to Problem rows: normalized here, checked by the rules of the Problem table."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import polars as pl

import schemas
from mathse.core.ids import content_id
from mathse.datasets.fields import bare_letter, guess_answer_type, guess_language, short_name
from mathse.datasets.file_readers import check_encoding
from mathse.datasets.protocol import BadRow, RawProblem, require
from schemas import LETTERS, Problem, column_types

_ANY_IMAGE = "0" * 64
_LETTER_AND_TEXT = re.compile(r"\s*[(（]?([A-Z])[)）.．、:：]\s*(\S.*)")  # "(B) 7", "B. seven"
_JOINS = re.compile(r"[\s,;、，()（）&和与]+|\band\b")  # between the letters of "A, B and (C)"

# Reasons of broken rules, where the rule's name is not enough.
_REASONS = {
    "question is not empty": "the row asks nothing",
    "answer is not empty": "the row has no answer: some benchmarks do not publish those of their "
    "test split",
    "choices are none or 2 to 26": "a multiple choice has 2 to 26 choices, this one {choices}",
    "choices are not empty": "one of the choices is blank",
    "choices differ": "two choices are the same",
    "choice letter exists": "the answer is neither the letter nor the text of one of the {choices} "
    "choices (an index is not read)",
    "image placeholders fit the images": "the text has another number of image placeholders than "
    "the row has images: {images}",
    "language is a language code": "use a code such as en or zh",
}


def normalize(raw: RawProblem, source: str) -> dict[str, Any]:
    """Return the Problem row of a raw problem, with stand-ins for the ids of its images."""
    check_encoding({**raw.__dict__, "images": None})
    question, answer = raw.question.strip(), raw.answer.strip()
    choices = [choice.strip() for choice in raw.choices]
    answer_type = raw.answer_type or guess_answer_type(answer, choices)
    return {
        "source": raw.source or source,
        "split": short_name(raw.split or ""),
        "subject": raw.subject.strip() or "mathematics",
        "level": raw.level,
        "family": (raw.family or "").strip() or None,
        "question": question,
        "choices": choices,
        "answer": _name_choice(answer, choices) if answer_type == "choice" else answer,
        "answer_type": answer_type,
        "unit": (raw.unit or "").strip() or None,
        "precision": raw.precision,
        "image_ids": [_ANY_IMAGE] * len(raw.images),
        "language": raw.language or guess_language(question + "".join(choices)),
        "solution": (raw.solution or "").strip() or None,
        "meta": json.dumps(raw.meta, ensure_ascii=False, sort_keys=True),
    }


def broken_rules(rows: Sequence[dict[str, Any]]) -> list[BadRow | None]:
    """Return for each normalized row the first rule that it breaks."""
    numbered = [{**row, "problem_id": f"{index:016x}"} for index, row in enumerate(rows)]
    frame = pl.DataFrame(numbered, schema=column_types(Problem))
    _, bad = schemas.split_bad(frame, Problem, file="")
    found: list[BadRow | None] = [None] * len(rows)
    for index, rule, field, reason in bad.select("row", "rule", "field", "reason").iter_rows():
        row = rows[index]
        reason = _REASONS.get(rule, reason)
        reason = reason.format(choices=len(row["choices"]), images=len(row["image_ids"]))
        found[index] = found[index] or BadRow(rule, field, row[field], reason)
    return found


def with_images(row: dict[str, Any], image_ids: list[str]) -> dict[str, Any]:
    """Return a normalized row with the ids of its images and its own."""
    name = content_id(row["question"], row["choices"], row["answer"], image_ids)
    return {**row, "problem_id": name, "image_ids": image_ids}


def _name_choice(answer: str, choices: Sequence[str]) -> str:
    """Write an answer as the choice that it names: "(b)" as "B", "SURPLUS" as "surplus".

    BadRow if it names several, or a letter with another choice's text.
    """
    letter = bare_letter(answer)
    if answer in choices:
        return answer
    if letter is not None and (letter in choices or letter in LETTERS[: len(choices)]):
        return letter
    same = [choice for choice in choices if choice.casefold() == answer.casefold()]
    if len(same) == 1:
        return same[0]
    known = dict(zip(LETTERS, choices, strict=False))
    if match := _LETTER_AND_TEXT.fullmatch(answer):
        reason = "letter and text name different choices"
        fits = known.get(match[1], "").casefold() == match[2].casefold()
        require(fits, "one choice is right", "answer", answer, reason)
        return match[1]
    letters = _JOINS.sub("", answer)
    reason = "several choices are right: write them as problems with one right choice each"
    is_several = len(letters) > 1 and len(set(letters) & set(known)) == len(letters)
    require(not is_several, "one choice is right", "answer", answer, reason)
    return answer
