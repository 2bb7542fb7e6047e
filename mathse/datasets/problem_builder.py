"""From a draft to a Problem row: every rule of the Problem table, each broken one with its own reason."""

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
from mathse.datasets.protocol import BadRow, Draft, Picture
from schemas import ANSWER_TYPES

MAX_CHOICES = 26
_PLACEHOLDER = re.compile(r"<image[ _]?(\d*)>")
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]+)*")

ReadImage = Callable[[Picture], dict[str, Any]]


def build_problem(
    draft: Draft, source: str, roots: Sequence[Path], inside: Sequence[Path]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Check a draft and return its Problem row and its Image rows.

    Args:
        draft: the problem as the data set tells it.
        source: name of the data set.
        roots: folders to look for images in.
        inside: folders that image files must lie in.

    Raises:
        BadRow: at the first rule that it breaks.
    """
    check_draft(draft)
    images = [read_image(picture, roots, inside) for picture in draft.images]
    return problem_row(draft, source, [image["image_id"] for image in images]), images


def problem_row(draft: Draft, source: str, image_ids: Sequence[str]) -> dict[str, Any]:
    """Return the Problem row of a checked draft whose images are known."""
    question, choices, answer = (
        draft.question.strip(),
        [item.strip() for item in draft.choices],
        draft.answer.strip(),
    )
    return {
        "problem_id": content_id(question, choices, answer, list(image_ids)),
        "source": draft.source or source,
        "split": short_name(draft.split),
        "subject": draft.subject.strip() or "mathematics",
        "level": draft.level,
        "family": (draft.family or "").strip() or None,
        "question": question,
        "choices": choices,
        "answer": answer,
        "answer_type": draft.answer_type or guess_answer_type(answer, choices),
        "unit": (draft.unit or "").strip() or None,
        "precision": draft.precision,
        "image_ids": list(image_ids),
        "language": draft.language or guess_language(question + "".join(choices)),
        "solution": (draft.solution or "").strip() or None,
        "meta": json.dumps(draft.meta, ensure_ascii=False, sort_keys=True),
    }


def check_draft(draft: Draft) -> None:
    """Check all that can be checked without the images. An answer that is a bare letter loses its brackets.

    Raises:
        BadRow: at the first broken rule.
    """
    check_encoding({"question": draft.question, "answer": draft.answer, "choices": draft.choices})
    check_encoding(
        {
            "solution": draft.solution,
            "meta": draft.meta,
            "unit": draft.unit,
            "subject": draft.subject,
        }
    )
    if not draft.question.strip():
        raise BadRow("question is not empty", "question", draft.question, "the row asks nothing")
    _check_choices(draft)
    if not draft.answer.strip():
        reason = (
            "the row has no answer: some benchmarks keep those of their test split to themselves"
        )
        raise BadRow("answer is not empty", "answer", draft.answer, reason)
    if draft.answer_type not in (None, *ANSWER_TYPES):
        raise BadRow(
            "answer_type is known", "answer_type", draft.answer_type, f"use one of {ANSWER_TYPES}"
        )
    _check_letter(draft)
    _check_placeholders(draft)
    if draft.level < 0 or (draft.precision or 0) < 0:
        raise BadRow(
            "level and precision are at least 0", "level", draft.level, "a negative number"
        )
    if draft.language is not None and not _LANGUAGE.fullmatch(draft.language):
        raise BadRow(
            "language is a language code", "language", draft.language, "use a code such as en or zh"
        )


def _check_choices(draft: Draft) -> None:
    choices = [choice.strip() for choice in draft.choices]
    if len(choices) == 1 or len(choices) > MAX_CHOICES:
        reason = f"a multiple choice has 2 to {MAX_CHOICES} choices, this one {len(choices)}"
        raise BadRow("choices are none or 2 to 26", "choices", choices, reason)
    if not all(choices):
        raise BadRow("choices are not empty", "choices", choices, "one of the choices is blank")
    if len(set(choices)) < len(choices):
        raise BadRow("choices differ", "choices", choices, "two choices are the same")


def _check_letter(draft: Draft) -> None:
    """An answer to a multiple choice names one of the choices, by its letter or its text."""
    if not draft.choices and draft.answer_type != "choice":
        return
    if draft.answer_type not in (None, "choice"):
        return
    choices = [choice.strip() for choice in draft.choices]
    answer = draft.answer.strip()
    if answer in choices:
        return
    named = bare_letter(answer)
    if named is not None and (
        named in choices or named in [letter(at) for at in range(len(choices))]
    ):
        draft.answer = named
        return
    same = [choice for choice in choices if choice.casefold() == answer.casefold()]
    if len(same) == 1:
        draft.answer = same[0]
        return
    reason = f"the answer is neither the letter nor the text of one of the {len(choices)} choices"
    raise BadRow("choice letter exists", "answer", answer, reason)


def _check_placeholders(draft: Draft) -> None:
    found = _PLACEHOLDER.findall(draft.question)
    numbered = [int(number) for number in found if number]
    plain = len(found) - len(numbered)
    images = len(draft.images)
    if (
        plain not in (0, images)
        or max(numbered, default=0) > images
        or (numbered and min(numbered) < 1)
    ):
        reason = f"the text has {len(found)} image placeholders, the row {images} images"
        raise BadRow("image placeholders fit the images", "question", draft.question, reason)
