"""Benchmarks without a training split: MATH-Vision, MathVista, MathVerse."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
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
from schemas import NUMBERED_IMAGE

_NUMBERED = re.compile(NUMBERED_IMAGE)  # "<image 2>"
_LANGUAGES = {"english": "en", "chinese": "zh", "persian": "fa"}
_VISTA_TYPES = {"integer": "number", "float": "number", "list": "set"}


def split_files(
    root: Path, splits: Sequence[str], images: Sequence[str] = ("", "images")
) -> list[DataFile]:
    """List SPLIT*.parquet, SPLIT.jsonl or SPLIT.json for each split, in the folder or its data/.

    Parquet has the images inside; the others come first where the images are unpacked.
    """
    folders, kinds = ("", "data"), [(".parquet", "-*.parquet"), (".jsonl", ".json")]
    if any((root / folder / "images").is_dir() for folder in folders):
        kinds.reverse()
    found = []
    for split in splits:
        names = ([f"{split}{end}" for end in ends] for ends in kinds)
        listed = (named_files(root, folders, {split: one}, images) for one in names)
        found += next(filter(None, listed), [])
    return found


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
    task = text(about, "task", default="")
    return RawProblem(
        question=text(row, "question"),
        answer=text(row, "answer", default=""),
        choices=choices,
        answer_type="choice" if choices else _VISTA_TYPES.get(kind, "text"),
        images=pictures(row.get("decoded_image")) or pictures(row.get("image")),
        subject=task or "mathematics",
        unit=optional(row, "unit"),
        precision=None if row.get("precision") is None else integer(row, "precision"),
        language=_LANGUAGES.get(text(about, "language", default="english").lower()),
        meta={
            **about,
            "id": text(row, "pid", default=text(row, "_key", default="")),
            "question_type": text(row, "question_type", default=""),
            "answer_type": kind,
            "gps": task == "geometry problem solving",
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
    is_choice = kind.startswith("multi")
    question, choices = cut_prompt(optional(row, "question") or text(row, "query_wo", default=""))
    shown = cut_prompt(text(row, "question_for_eval", default=""))[1]
    if is_choice and not choices:
        reason = "a multiple choice is answered by a letter"
        require(bare_letter(answer), "choice letter exists", "answer", answer, reason)
        choices = [letter(index) for index in range(len(shown) or 4)]
        meta["choices"] = shown
    return RawProblem(
        question=question,
        answer=answer,
        choices=choices if is_choice else [],
        images=[] if version.lower() == "text only" else pictures(row.get("image")),
        subject=text(about, "subject", default="mathematics"),
        family=optional(about, "subfield"),
        language="en",
        meta=meta,
    )


_benchmark = partial(Source, kind="benchmark")

MATH_VISION = _benchmark(
    name="math-vision",
    title="MATH-Vision",
    expects="a folder with test.jsonl and images/, or with data/test-*.parquet",
    home="https://github.com/mathllm/MATH-V, https://huggingface.co/datasets/MathLLMs/MathVision",
    licence="MIT",
    # Where both are there, testmini is a part of test.
    files=lambda root: split_files(root, ["test"]) or split_files(root, ["testmini"]),
    adapt=math_vision_problem,
)
MATH_VISTA = _benchmark(
    name="mathvista",
    title="MathVista",
    expects="a folder with data/testmini-*.parquet (and test-*), "
    "or with data/testmini.json and images/",
    home="https://huggingface.co/datasets/AI4Math/MathVista",
    licence="CC BY-SA 4.0",
    files=partial(split_files, splits=("testmini", "test")),
    adapt=math_vista_problem,
    note="The answers of its test split are not public: those rows are quarantined. "
    "meta.gps marks the GPS subset.",
)
MATH_VERSE = _benchmark(
    name="mathverse",
    title="MathVerse",
    expects="a folder with testmini.json (and testmini_text_only.json) and images/, "
    "or with testmini.parquet",
    home="https://huggingface.co/datasets/AI4Math/MathVerse",
    licence="MIT",
    # testmini has five versions of each problem, the other file the sixth, without images.
    files=partial(split_files, splits=("testmini", "testmini_text_only"), images=("images", "")),
    adapt=math_verse_problem,
    note="Versions that ask the same with the same picture are one problem: "
    "meta.also lists the other versions.",
)
