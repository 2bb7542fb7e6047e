"""From a problem to a Problem row: every rule of the Problem table, each broken one with its own reason."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mathse.core.ids import content_id
from mathse.datasets.fields import (
    bare_letter,
    guess_answer_type,
    guess_language,
    letter,
    short_name,
)
from mathse.datasets.file_readers import check_encoding
from mathse.datasets.image_files import read_image
from mathse.datasets.protocol import BadRow, Picture, RawProblem
from schemas import ANSWER_TYPES

MAX_CHOICES = 26
_PLACEHOLDER = re.compile(r"<image[ _]?(\d*)>")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]+)*")

ReadImage = Callable[[Picture], dict[str, Any]]


def build_problem(
    problem: RawProblem, source: str, roots: Sequence[Path], inside: Sequence[Path]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Check a problem and return its Problem row and its Image rows.

    Args:
        problem: the problem as the data set tells it.
        source: name of the data set.
        roots: folders to look for images in.
        inside: folders that image files must lie in.

    Raises:
        BadRow: at the first rule that it breaks.
    """
    check_problem(problem)
    images = [read_image(picture, roots, inside) for picture in problem.images]
    return problem_row(problem, source, [image["image_id"] for image in images]), images


def problem_row(problem: RawProblem, source: str, image_ids: Sequence[str]) -> dict[str, Any]:
    """Return the Problem row of a checked problem whose images are known."""
    question, choices, answer = (
        problem.question.strip(),
        [item.strip() for item in problem.choices],
        problem.answer.strip(),
    )
    return {
        "problem_id": content_id(question, choices, answer, list(image_ids)),
        "source": problem.source or source,
        "split": short_name(problem.split),
        "subject": problem.subject.strip() or "mathematics",
        "level": problem.level,
        "family": (problem.family or "").strip() or None,
        "question": question,
        "choices": choices,
        "answer": answer,
        "answer_type": problem.answer_type or guess_answer_type(answer, choices),
        "unit": (problem.unit or "").strip() or None,
        "precision": problem.precision,
        "image_ids": list(image_ids),
        "language": problem.language or guess_language(question + "".join(choices)),
        "solution": (problem.solution or "").strip() or None,
        "meta": json.dumps(problem.meta, ensure_ascii=False, sort_keys=True),
    }


def check_problem(problem: RawProblem) -> None:
    """Check all that can be checked without the images. An answer that is a bare letter loses its brackets.

    Raises:
        BadRow: at the first broken rule.
    """
    check_encoding(
        {"question": problem.question, "answer": problem.answer, "choices": problem.choices}
    )
    check_encoding(
        {
            "solution": problem.solution,
            "meta": problem.meta,
            "unit": problem.unit,
            "subject": problem.subject,
        }
    )
    if not problem.question.strip():
        raise BadRow("question is not empty", "question", problem.question, "the row asks nothing")
    _check_choices(problem)
    if not problem.answer.strip():
        reason = (
            "the row has no answer: some benchmarks keep those of their test split to themselves"
        )
        raise BadRow("answer is not empty", "answer", problem.answer, reason)
    if problem.answer_type not in (None, *ANSWER_TYPES):
        raise BadRow(
            "answer_type is known", "answer_type", problem.answer_type, f"use one of {ANSWER_TYPES}"
        )
    _check_letter(problem)
    _check_placeholders(problem)
    if problem.level < 0 or (problem.precision or 0) < 0:
        raise BadRow(
            "level and precision are at least 0", "level", problem.level, "a negative number"
        )
    if problem.language is not None and not _LANGUAGE.fullmatch(problem.language):
        raise BadRow(
            "language is a language code",
            "language",
            problem.language,
            "use a code such as en or zh",
        )


def _check_choices(problem: RawProblem) -> None:
    choices = [choice.strip() for choice in problem.choices]
    if len(choices) == 1 or len(choices) > MAX_CHOICES:
        reason = f"a multiple choice has 2 to {MAX_CHOICES} choices, this one {len(choices)}"
        raise BadRow("choices are none or 2 to 26", "choices", choices, reason)
    if not all(choices):
        raise BadRow("choices are not empty", "choices", choices, "one of the choices is blank")
    if len(set(choices)) < len(choices):
        raise BadRow("choices differ", "choices", choices, "two choices are the same")


def _check_letter(problem: RawProblem) -> None:
    """An answer to a multiple choice names one of the choices, by its letter or its text."""
    if not problem.choices and problem.answer_type != "choice":
        return
    if problem.answer_type not in (None, "choice"):
        return
    choices = [choice.strip() for choice in problem.choices]
    answer = problem.answer.strip()
    if answer in choices:
        return
    named = bare_letter(answer)
    if named is not None and (
        named in choices or named in [letter(at) for at in range(len(choices))]
    ):
        problem.answer = named
        return
    same = [choice for choice in choices if choice.casefold() == answer.casefold()]
    if len(same) == 1:
        problem.answer = same[0]
        return
    reason = f"the answer is neither the letter nor the text of one of the {len(choices)} choices"
    raise BadRow("choice letter exists", "answer", answer, reason)


def _check_placeholders(problem: RawProblem) -> None:
    found = _PLACEHOLDER.findall(problem.question)
    numbered = [int(number) for number in found if number]
    plain = len(found) - len(numbered)
    images = len(problem.images)
    if (
        plain not in (0, images)
        or max(numbered, default=0) > images
        or (numbered and min(numbered) < 1)
    ):
        reason = f"the text has {len(found)} image placeholders, the row {images} images"
        raise BadRow("image placeholders fit the images", "question", problem.question, reason)
