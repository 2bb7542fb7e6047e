"""The built-in problems as Problem and Image tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.progress import track
from mathse.figures.canvas import SIZE
from mathse.figures.catalogue import FigureProblem, family, stream
from mathse.figures.items import Question
from mathse.figures.verifier import Key

SOURCE = "figures"


def build_tables(counts: Mapping[str, int], *, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw so many problems of each split: `Problem` rows and `Image` rows.

    A problem that this or an earlier split has already is skipped: no two splits share one. What
    the splits' names stand for is in `mathse.figures.catalogue.stream`.
    """
    problems: dict[str, dict[str, Any]] = {}
    images: dict[str, dict[str, Any]] = {}
    for split, count in counts.items():
        drawn = (rows_of(item, split) for item in stream(split, seed))
        new = (rows for rows in drawn if rows[0]["problem_id"] not in problems)
        first = islice(new, count)
        for problem, image in track(first, total=count, label=f"draw {split}", unit="problems"):
            problems[problem["problem_id"]] = problem
            images[image["image_id"]] = image
    rows = pl.DataFrame([*problems.values()], infer_schema_length=None)
    return rows, pl.DataFrame([*images.values()])


def rows_of(item: FigureProblem, split: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the `Problem` row and the `Image` row of a drawn problem."""
    worked, figure = item.worked, item.figure
    asked = worked.question
    image = image_row(figure.png)
    meta = {
        "facts": figure.facts,
        "description": figure.description,
        "question": {"kind": asked.kind, "given": dict(asked.given)},
    }
    choices, image_ids = list(item.choices), [image["image_id"]]
    problem = {
        "problem_id": content_id(asked.text, choices, worked.answer, image_ids),
        "source": SOURCE,
        "split": split,
        "subject": item.subject,
        "level": figure.level,
        "family": figure.family,
        "question": asked.text,
        "choices": choices,
        "answer": worked.answer,
        "answer_type": asked.answer_type,
        "unit": asked.unit,
        "precision": None,
        "image_ids": image_ids,
        "language": "en",
        "solution": "\n".join(worked.lines()),
        "meta": json.dumps(meta, sort_keys=True),
    }
    return problem, image


def image_row(png: bytes) -> dict[str, Any]:
    """Return the `Image` row of a figure."""
    return {
        "image_id": hashlib.sha256(png).hexdigest(),
        "bytes": png,
        "format": "PNG",
        "width": SIZE,
        "height": SIZE,
    }


def key_of(row: Mapping[str, Any]) -> Key:
    """Return what a solution of a built-in problem is checked against, from its `Problem` row.

    Raises:
        DataError: if the row is no built-in problem's.
    """
    meta = json.loads(row["meta"] or "{}")
    if row["source"] != SOURCE or "question" not in meta:
        raise DataError(
            f"Problem {row['problem_id']} is none of the built-in problems.",
            rule="the oracle and the step verifier know the built-in problems only",
            fix="choose another teacher or annotator for these problems",
        )
    kind = family(row["family"])
    question = Question(text=row["question"], **meta["question"])
    return Key(kind, question, kind.shown(meta["facts"]), tuple(row["choices"]), row["answer"])
