"""Geometry data sets: GeoQA+, UniGeo (calculation) and Geometry3K.

GeoQA+ and UniGeo are published as pickles. They are read with an unpickler that knows plain data
and arrays only. Their pictures are arrays; they are written as PNG in a fixed way, so that image
ids never change.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from mathse.datasets.fields import integer, letter, optional, text, texts
from mathse.datasets.general_layouts import named_files
from mathse.datasets.image_files import array_to_png
from mathse.datasets.protocol import DataFile, Picture, RawProblem, Row, Source, require

_SPLITS = ("train", "val", "test")
_NUMBER_SLOT = re.compile(r"\bN_(\d+)\b")  # N_0


def pickled_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a row of GeoQA+ or UniGeo into a problem: UniGeo asks in English, GeoQA+ in Chinese.

    The field `answer` is the written explanation; the right choice is `label`, counted from 0.
    """
    name = "English_problem" if row.get("English_problem") else "subject"
    question = _fill_numbers(text(row, name), row.get("numbers"))
    choices = texts(row, "choices") or [_plain(value) for value in row.get("choice_nums") or ()]
    label = row.get("label")
    is_number = not isinstance(label, bool) and str(label).lstrip("-").isdigit()
    reason = "the number of the right choice is expected here"
    require(is_number, "label is a whole number", "label", label, reason)
    index = int(str(label))
    reason = f"the label names choice {label} (from 0), and there are {len(choices)}"
    require(0 <= index < len(choices), "choice letter exists", "label", label, reason)
    has_image = row.get("image") is not None
    require(has_image, "image is there", "image", None, "the row has no picture")
    meta: Row = {"id": str(row.get("id", row.get("_key", "")))}
    for key, listed in (("program", "manual_program"), ("points", "formal_point")):
        if isinstance(row.get(listed), list | tuple):
            meta[key] = [str(part) for part in row[listed]]
    return RawProblem(
        question=question,
        answer=letter(index),
        choices=choices,
        answer_type="choice",
        images=[Picture(data=array_to_png(row["image"]))],
        subject="geometry",
        solution=optional(row, "answer") if isinstance(row.get("answer"), str) else None,
        meta=meta,
    )


def geometry3k_files(root: Path) -> list[DataFile]:
    """List SPLIT/NUMBER/data.json (or ex.json) of each problem."""
    bases = (root, root / "geometry3k", root / "data" / "geometry3k")
    base = next((path for path in bases if any((path / split).is_dir() for split in _SPLITS)), root)
    found = []
    for split in _SPLITS:
        for folder in sorted((base / split).glob("*"), key=lambda one: (len(one.name), one.name)):
            both = [path for name in ("data.json", "ex.json") if (path := folder / name).is_file()]
            found += [DataFile(path, split, (folder,), is_one_row=True) for path in both[:1]]
    return found


def geometry3k_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a Geometry3K problem into a problem."""
    graph, goal = row.get("problem_type_graph"), row.get("problem_type_goal")
    return RawProblem(
        question=text(row, "problem_text", default=text(row, "compact_text", default="")),
        answer=text(row, "answer"),
        choices=texts(row, "choices") or texts(row, "compact_choices"),
        answer_type="choice",
        images=[Picture(path="img_diagram.png")],
        subject="geometry",
        level=integer(row, "problem_level"),
        language="en",
        meta={"id": file.path.parent.name, "graph": graph, "goal": goal},
    )


def _fill_numbers(question: str, numbers: object) -> str:
    """Write the numbers of a question where it has slots such as N_0."""
    known = [_plain(number) for number in numbers] if isinstance(numbers, list | tuple) else []

    def fill(match: re.Match[str]) -> str:
        return known[int(match[1])] if int(match[1]) < len(known) else match[0]

    return _NUMBER_SLOT.sub(fill, question)


def _plain(value: Any) -> str:
    """Write a number as a person would: 5 and not 5.0."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


GEOQA_PLUS = Source(
    name="geoqa-plus",
    title="GeoQA+",
    expects="a folder with a training pickle (train.pk, Mix-train.pk or GeoQA-train.pk) "
    "and test.pk or new-test.pk",
    home="https://github.com/SCNU203/GeoQA-Plus",
    files=partial(
        named_files,
        folders=("", "*", "data/*"),
        names={
            # The training pickles contain one another.
            "train": ("train.pk", "Mix-train.pk", "GeoQA-train.pk", "Backtrans-train.pk"),
            "dev": ("dev.pk", "val.pk"),
            "test": ("test.pk", "new-test.pk"),
        },
    ),
    adapt=pickled_problem,
)
UNIGEO = Source(
    name="unigeo",
    title="UniGeo (calculation)",
    expects="a folder with calculation_train.pk, calculation_val.pk, calculation_test.pk",
    home="https://github.com/chen-judge/UniGeo",
    files=partial(
        named_files,
        folders=("", "UniGeo", "datasets/UniGeo"),
        names={split: (f"calculation_{split}.pk",) for split in _SPLITS},
    ),
    adapt=pickled_problem,
)
GEOMETRY3K = Source(
    name="geometry3k",
    title="Geometry3K",
    expects="a folder with train/, val/, test/, each with NUMBER/data.json and "
    "NUMBER/img_diagram.png",
    home="https://github.com/lupantech/InterGPS",
    licence="MIT (repository)",
    files=geometry3k_files,
    adapt=geometry3k_problem,
)
