"""Benchmarks: MATH-Vision, MathVista, MathVerse. They are for evaluation; none has a training split."""

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
from mathse.datasets.protocol import BadRow, DataFile, RawProblem, Row, Source

_NUMBERED = re.compile(r"<image\d+>")
_LANGUAGES = {"english": "en", "chinese": "zh", "persian": "fa"}
_GPS = "geometry problem solving"


def split_files(
    root: Path, splits: Sequence[str], *, images: Sequence[str] = ("", "images")
) -> list[DataFile]:
    """List SPLIT.jsonl, SPLIT.json or SPLIT*.parquet for each split, in the folder or its data/."""
    found = []
    for split in splits:
        for folder in (root, root / "data"):
            roots = tuple(base / name for base in (root, folder) for name in images)
            named = [folder / f"{split}{suffix}" for suffix in (".jsonl", ".json", ".parquet")]
            files = [path for path in named if path.is_file()][:1] or sorted(
                folder.glob(f"{split}-*.parquet")
            )
            if files:
                found += [DataFile(path, split, roots) for path in files]
                break
    return found


def math_vision_files(root: Path) -> Sequence[DataFile]:
    """List test and testmini; where both are there, testmini is a part of test and left out."""
    return split_files(root, ["test"]) or split_files(root, ["testmini"])


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


def math_vista_files(root: Path) -> Sequence[DataFile]:
    """List testmini and test."""
    return split_files(root, ["testmini", "test"])


def math_vista_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a MathVista row into a problem; meta tells what its scoring needs and whether it is of the GPS subset."""
    about = struct(row, "metadata")
    choices = texts(row, "choices")
    kind = text(row, "answer_type", default="text")
    answer_type = (
        "choice"
        if choices
        else {"integer": "number", "float": "number", "list": "set"}.get(kind, "text")
    )
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


def math_verse_files(root: Path) -> Sequence[DataFile]:
    """List testmini (five versions of each problem) and testmini_text_only (the sixth, without images)."""
    return split_files(root, ["testmini", "testmini_text_only"], images=("images", ""))


def math_verse_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a MathVerse row into a problem; `problem_version` is in meta.

    Where the choices stand in the picture alone (Vision Only), the letters are the choices, and
    meta has their texts.
    """
    about = struct(row, "metadata")
    version = text(row, "problem_version").replace("_", " ")
    asked = text(row, "question", default="").strip() or text(row, "query_wo", default="")
    question, choices = cut_prompt(asked)
    full = text(row, "question_for_eval", default="")
    shown = cut_prompt(full)[1]
    kind = text(row, "question_type", default="")
    answer = text(row, "answer", default="")
    meta = {
        **about,
        "id": text(row, "sample_index"),
        "problem_index": text(row, "problem_index", default=""),
        "problem_version": version,
        "question_type": kind,
    }
    if kind.startswith("multi") and not choices:
        count = len(shown) or 4
        if bare_letter(answer) is None:
            raise BadRow(
                "choice letter exists",
                "answer",
                answer,
                "a multiple choice is answered by a letter",
            )
        choices = [letter(at) for at in range(count)]
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
    expects="a folder with data/testmini-*.parquet (and test-*), or with data/testmini.json and images/",
    home="https://huggingface.co/datasets/AI4Math/MathVista",
    licence="CC BY-SA 4.0",
    files=math_vista_files,
    adapt=math_vista_problem,
    note="The answers of its test split are not public: those rows are quarantined. meta.gps marks the GPS subset.",
)
MATH_VERSE = Source(
    name="mathverse",
    title="MathVerse",
    kind="benchmark",
    expects="a folder with testmini.json (and testmini_text_only.json) and images/, or with testmini.parquet",
    home="https://huggingface.co/datasets/AI4Math/MathVerse",
    licence="MIT",
    files=math_verse_files,
    adapt=math_verse_problem,
    note="Versions that ask the same with the same picture are one problem: meta.also lists the other versions.",
)
