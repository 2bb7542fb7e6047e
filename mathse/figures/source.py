"""The built-in problems as Problem and Image tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

import polars as pl

from mathse.core.ids import content_id
from mathse.core.progress import track
from mathse.figures.canvas import SIZE
from mathse.figures.catalogue import FigureProblem, stream

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
    image = image_row(figure.png)
    meta = {
        "facts": figure.facts,
        "description": figure.description,
        "steps": [[step.text, step.kind, step.about] for step in worked.steps],
    }
    choices, image_ids = list(item.choices), [image["image_id"]]
    problem = {
        "problem_id": content_id(worked.question, choices, worked.answer, image_ids),
        "source": SOURCE,
        "split": split,
        "subject": item.subject,
        "level": figure.level,
        "family": figure.family,
        "question": worked.question,
        "choices": choices,
        "answer": worked.answer,
        "answer_type": worked.answer_type,
        "unit": worked.unit,
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
