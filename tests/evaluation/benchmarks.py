"""A few rows of each benchmark in its own layout, and a model's answers to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.tables import read_table
from mathse.datasets.importing import import_source
from tests.datasets.made import picture, put

GPS = "geometry problem solving"
CHOICES = "\nChoices:\nA:30°\nB:40°\nC:50°\nD:60°"


def vista(pid: str, answer: str, **other: Any) -> dict[str, Any]:
    about = {
        "split": "testmini",
        "language": "english",
        "task": GPS,
        "skills": ["geometry reasoning", "algebra"],
    }
    row = {
        "pid": pid,
        "question": f"What is x in figure {pid}?",
        "image": f"images/{pid}.jpg",
        "choices": None,
        "unit": None,
        "precision": None,
        "answer": answer,
        "question_type": "free_form",
        "answer_type": "integer",
        "metadata": {**about, **other.pop("metadata", {})},
    }
    return {**row, **other}


def verse(index: int, version: str, question: str, picture_of: int, **other: Any) -> dict[str, Any]:
    row = {
        "sample_index": str(index),
        "problem_index": "1",
        "problem_version": version,
        "question": question,
        "image": f"{picture_of}.png" if picture_of else "",
        "answer": "C",
        "question_type": "multi-choice",
        "metadata": {"split": "testmini", "subject": "Plane Geometry", "subfield": "Angle"},
        "query_wo": "Choose by the picture.",
        "question_for_eval": f"Angle 1 is{CHOICES}",
    }
    return {**row, **other}


def vision(
    name: int, question: str, answer: str, subject: str, level: int, options: list[str]
) -> dict[str, Any]:
    return {
        "id": str(name),
        "question": f"{question}\n<image1>",
        "options": options,
        "answer": answer,
        "level": level,
        "subject": subject,
        "image": f"images/{name}.jpg",
        "solution": None,
    }


FIGURE_QA = {"metadata": {"task": "figure question answering", "skills": ["statistical reasoning"]}}
VISTA = [
    vista("1", "15", choices=["12", "15"], question_type="multi_choice", answer_type="text"),
    vista("2", "1.2", answer_type="float", precision=1.0, **FIGURE_QA),
    vista("3", "1.25", answer_type="float", precision=2.0, **FIGURE_QA),
    vista("4", "7"),
    vista("5", "[2, 3]", answer_type="list"),
]
VERSE = [
    verse(1, "Text Dominant", f"Angle 1 is{CHOICES}", 1),
    verse(2, "Text Lite", f"Angle 1 is{CHOICES}", 1),
    verse(3, "Vision Only", "", 3),
    verse(
        4,
        "Vision Dominant",
        "Find AB.",
        4,
        question_type="free-form",
        answer="7",
        question_for_eval="Find AB.",
    ),
]
VERSE_TEXT_ONLY = [verse(5, "Text_Only", f"Angle 1 is{CHOICES}", 0)]
VISION = [
    vision(4, "Which?", "G", "arithmetic", 3, ["1", "2", "4", "6", "7"]),
    vision(5, "What part?", "1/60", "arithmetic", 5, []),
    vision(6, "How many?", "6", "counting", 5, []),
]
VISION[0] |= {"options": ["A", "B", "D", "F", "G"]}

SAID = {
    ("mathvista", "1"): ("The answer is (B).", True),
    ("mathvista", "2"): ("The answer is 1.24.", True),
    ("mathvista", "3"): ("The answer is 1.24.", False),
    ("mathvista", "4"): ("I cannot tell.", False),
    ("mathvista", "5"): ("The answer is [2, 3].", True),
    ("mathverse", "1"): ("The answer is C.", True),
    ("mathverse", "3"): ("The answer is 50°.", True),
    ("mathverse", "4"): ("The answer is 8.", False),
    ("mathverse", "5"): ("The answer is A.", False),
    ("math-vision", "4"): ("The answer is G.", True),
    ("math-vision", "5"): (r"\boxed{1/55}", True),
    ("math-vision", "6"): ("The answer is 7.", False),
}
"""Responses by source and id, and whether the benchmark counts them."""


def bring_benchmarks(root: Path) -> dict[str, Path]:
    """Import the rows above.

    Returns:
        The folder of each import by source.
    """
    put(root / "vista" / "data" / "testmini.json", {row["pid"]: row for row in VISTA})
    put(root / "verse" / "testmini.json", VERSE)
    put(root / "verse" / "testmini_text_only.json", VERSE_TEXT_ONLY)
    put(root / "vision" / "test.jsonl", VISION)
    for row in VISTA:
        put(root / "vista" / "data" / row["image"], picture(int(row["pid"]), "JPEG"))
    for number in (1, 3, 4):
        put(root / "verse" / "images" / f"{number}.png", picture(10 + number))
    for row in VISION:
        put(root / "vision" / row["image"], picture(20 + int(row["id"]), "JPEG"))
    given = {"mathvista": "vista", "mathverse": "verse", "math-vision": "vision"}
    for name, folder in given.items():
        import_source(name, root / folder, root / "import" / name)
    return {name: root / "import" / name for name in given}


def read_benchmarks(folders: dict[str, Path]) -> pl.DataFrame:
    """Return the `Problem` rows of all imports."""
    return pl.concat([read_table(folder / "problems.parquet") for folder in folders.values()])


def said(
    problems: pl.DataFrame, answers: dict[tuple[str, str], tuple[str, bool]] = SAID
) -> pl.DataFrame:
    """Return problem_id, source, response and counts (if it should be right) of each problem."""
    rows = [
        (problem_id, source, *answers[source, json.loads(meta)["id"]])
        for problem_id, source, meta in problems.select("problem_id", "source", "meta").iter_rows()
    ]
    names = ["problem_id", "source", "response", "counts"]
    return pl.DataFrame(rows, schema=names, orient="row")
