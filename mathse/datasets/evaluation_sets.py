"""Benchmarks without a training split: MATH-Vision, MathVista, MathVerse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from mathse.datasets.fields import (
    bare_letter,
    cut_prompt,
    integer,
    letter,
    optional,
    pictures,
    struct,
    text,
    texts,
)
from mathse.datasets.general_layouts import named_files
from mathse.datasets.protocol import DataFile, RawProblem, Row, Source, require

_NUMBERED = re.compile(r"<image\d+>")  # <image2>
_LANGUAGES = {"english": "en", "chinese": "zh", "persian": "fa"}
_GPS = "geometry problem solving"


def split_files(root: Path, *splits: str, images: Sequence[str] = ("", "images")) -> list[DataFile]:
    """List SPLIT.jsonl, SPLIT.json or SPLIT*.parquet for each split, in the folder or its data/."""
    found = []
    for split in splits:
        names = [f"{split}{end}" for end in (".jsonl", ".json", ".parquet", "-*.parquet")]
        found += named_files(root, ("", "data"), {split: names}, images)
    return found


def math_vision_files(root: Path) -> Sequence[DataFile]:
    """List test and testmini; where both are there, testmini is a part of test and left out."""
    return split_files(root, "test") or split_files(root, "testmini")


def math_vision_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a MATH-Vision row into a problem.

    A question may speak of `<image2>`, but the row has one picture, which shows all parts: so all
    become `<image1>`.
    """
    return RawProblem(
        question=_NUMBERED.sub("<image1>", text(row, "question")),
        answer=text(row, "answer"),
        choices=[_NUMBERED.sub("<image1>", choice) for choice in texts(row, "options")],
        images=pictures(row.get("decoded_image")) or pictures(row.get("image")),
        split=file.split or "test",
        subject=text(row, "subject", default="mathematics"),
        level=integer(row, "level"),
        language="en",
        solution=optional(row, "solution"),
        meta={"id": text(row, "id", default="")},
    )


def math_vista_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a MathVista row into a problem; meta has what scoring needs, and `gps`."""
    about = struct(row, "metadata")
    choices = texts(row, "choices")
    kind = text(row, "answer_type", default="text")
    known = {"integer": "number", "float": "number", "list": "set"}
    answer_type = "choice" if choices else known.get(kind, "text")
    task = text(about, "task", default="")
    return RawProblem(
        question=text(row, "question"),
        answer=text(row, "answer", default=""),
        choices=choices,
        answer_type=answer_type,
        images=pictures(row.get("decoded_image")) or pictures(row.get("image")),
        split=file.split or text(about, "split", default="testmini"),
        subject=task or "mathematics",
        unit=optional(row, "unit"),
        precision=None if row.get("precision") is None else integer(row, "precision"),
        language=_LANGUAGES.get(text(about, "language", default="english").lower()),
        meta={
            **about,
            "id": text(row, "pid", default=text(row, "_key", default="")),
            "question_type": text(row, "question_type", default=""),
            "answer_type": kind,
            "gps": task == _GPS,
        },
    )


def math_verse_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a MathVerse row into a problem; `problem_version` is in meta.

    Where the choices stand in the picture alone (Vision Only), the letters are the choices, and
    meta has their texts.
    """
    about = struct(row, "metadata")
    version = text(row, "problem_version").replace("_", " ")
    kind = text(row, "question_type", default="")
    answer = text(row, "answer", default="")
    meta = {
        **about,
        "id": text(row, "sample_index"),
        "problem_index": text(row, "problem_index", default=""),
        "problem_version": version,
        "question_type": kind,
    }

    # The choices: from the question, else letters for those in the picture.
    asked = text(row, "question", default="").strip() or text(row, "query_wo", default="")
    question, choices = cut_prompt(asked)
    shown = cut_prompt(text(row, "question_for_eval", default=""))[1]
    if kind.startswith("multi") and not choices:
        reason = "a multiple choice is answered by a letter"
        require(bare_letter(answer), "choice letter exists", "answer", answer, reason)
        choices = [letter(index) for index in range(len(shown) or 4)]
        meta["choices"] = shown

    images = [] if version.lower() == "text only" else pictures(row.get("image"))
    return RawProblem(
        question=question,
        answer=answer,
        choices=choices if kind.startswith("multi") else [],
        images=images,
        split=file.split or "testmini",
        subject=text(about, "subject", default="mathematics"),
        family=optional(about, "subfield"),
        language="en",
        meta=meta,
    )


MATH_VISION = Source(
    name="math-vision",
    title="MATH-Vision",
    kind="benchmark",
    expects="a folder with test.jsonl and images/, or with data/test-*.parquet",
    home="https://github.com/mathllm/MATH-V, https://huggingface.co/datasets/MathLLMs/MathVision",
    licence="MIT",
    files=math_vision_files,
    adapt=math_vision_problem,
)
MATH_VISTA = Source(
    name="mathvista",
    title="MathVista",
    kind="benchmark",
    expects="a folder with data/testmini-*.parquet (and test-*), "
    "or with data/testmini.json and images/",
    home="https://huggingface.co/datasets/AI4Math/MathVista",
    licence="CC BY-SA 4.0",
    files=lambda root: split_files(root, "testmini", "test"),
    adapt=math_vista_problem,
    note="The answers of its test split are not public: those rows are quarantined. "
    "meta.gps marks the GPS subset.",
)
MATH_VERSE = Source(
    name="mathverse",
    title="MathVerse",
    kind="benchmark",
    expects="a folder with testmini.json (and testmini_text_only.json) and images/, "
    "or with testmini.parquet",
    home="https://huggingface.co/datasets/AI4Math/MathVerse",
    licence="MIT",
    # testmini has five versions of each problem, the other file the sixth, without images.
    files=lambda root: split_files(root, "testmini", "testmini_text_only", images=("images", "")),
    adapt=math_verse_problem,
    note="Versions that ask the same with the same picture are one problem: "
    "meta.also lists the other versions.",
)
