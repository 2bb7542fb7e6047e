"""Geometry data sets: GeoQA+, UniGeo (calculation) and Geometry3K.

GeoQA+ and UniGeo are published as pickles. They are read with an unpickler that knows plain data
and arrays only. Their pictures are arrays; they are written as PNG in a fixed way, so that image
ids never change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mathse.datasets.fields import integer, letter, optional, text, texts
from mathse.datasets.image_files import array_to_png
from mathse.datasets.protocol import BadRow, DataFile, Picture, RawProblem, Row, Source

_TRAIN_PICKLES = ("train.pk", "Mix-train.pk", "GeoQA-train.pk", "Backtrans-train.pk")
_NUMBER_SLOT = re.compile(r"\bN_(\d+)\b")


def geoqa_files(root: Path) -> Sequence[DataFile]:
    """List one training pickle (they contain one another), dev.pk, and test.pk or new-test.pk."""
    found = []
    for folder in (
        root,
        *sorted(path for path in root.glob("*") if path.is_dir()),
        *sorted(root.glob("data/*")),
    ):
        train = next((folder / name for name in _TRAIN_PICKLES if (folder / name).is_file()), None)
        test = next(
            (folder / name for name in ("test.pk", "new-test.pk") if (folder / name).is_file()),
            None,
        )
        dev = next(
            (folder / name for name in ("dev.pk", "val.pk") if (folder / name).is_file()), None
        )
        found = [
            DataFile(path, split)
            for path, split in ((train, "train"), (dev, "dev"), (test, "test"))
            if path
        ]
        if found:
            break
    return found


def unigeo_files(root: Path) -> Sequence[DataFile]:
    """List the pickles of the calculation problems."""
    for folder in (root, root / "UniGeo", root / "datasets" / "UniGeo"):
        paths = [(folder / f"calculation_{split}.pk", split) for split in ("train", "val", "test")]
        found = [DataFile(path, split) for path, split in paths if path.is_file()]
        if found:
            return found
    return []


def pickled_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a row of GeoQA+ or UniGeo into a problem: UniGeo asks in English, GeoQA+ in Chinese.

    The field `answer` is the written explanation; the right choice is `label`, counted from 0.
    """
    name = "English_problem" if row.get("English_problem") else "subject"
    question = _fill_numbers(text(row, name), row.get("numbers"))
    choices = texts(row, "choices") or [_plain(value) for value in row.get("choice_nums") or ()]
    label = row.get("label")
    if label is None or isinstance(label, bool) or not str(label).lstrip("-").isdigit():
        raise BadRow(
            "label is a whole number",
            "label",
            label,
            "the number of the right choice is expected here",
        )
    if not 0 <= int(label) < len(choices):
        reason = f"the label names choice {label} (from 0), and there are {len(choices)}"
        raise BadRow("choice letter exists", "label", label, reason)
    if row.get("image") is None:
        raise BadRow("image is there", "image", None, "the row has no picture")
    program = row.get("manual_program")
    meta: Row = {"id": str(row.get("id", row.get("_key", "")))}
    if isinstance(program, list | tuple):
        meta["program"] = [str(step) for step in program]
    points = row.get("formal_point")
    if isinstance(points, list | tuple):
        meta["points"] = [str(point) for point in points]
    return RawProblem(
        question=question,
        answer=letter(int(label)),
        choices=choices,
        answer_type="choice",
        images=[Picture(data=array_to_png(row["image"]))],
        split=file.split or "train",
        subject="geometry",
        solution=optional(row, "answer") if isinstance(row.get("answer"), str) else None,
        meta=meta,
    )


def geometry3k_files(root: Path) -> Sequence[DataFile]:
    """List data.json (or ex.json) of each problem: SPLIT/NUMBER/data.json beside img_diagram.png."""
    found = []
    base = next(
        (
            path
            for path in (root, root / "geometry3k", root / "data" / "geometry3k")
            if _has_splits(path)
        ),
        root,
    )
    for split in ("train", "val", "test"):
        folders = sorted((base / split).glob("*"), key=lambda path: (len(path.name), path.name))
        for folder in folders:
            data = next(
                (folder / name for name in ("data.json", "ex.json") if (folder / name).is_file()),
                None,
            )
            if data is not None:
                found.append(DataFile(data, split, (folder,), form="object"))
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
        split=file.split or "train",
        subject="geometry",
        level=integer(row, "problem_level"),
        language="en",
        meta={"id": file.path.parent.name, "graph": graph, "goal": goal},
    )


def _has_splits(root: Path) -> bool:
    return any((root / split).is_dir() for split in ("train", "val", "test"))


def _fill_numbers(question: str, numbers: object) -> str:
    """Write the numbers of a question where it has slots such as N_0."""
    if not isinstance(numbers, list | tuple):
        return question

    def fill(match: re.Match[str]) -> str:
        at = int(match[1])
        return _plain(numbers[at]) if at < len(numbers) else match[0]

    return _NUMBER_SLOT.sub(fill, question)


def _plain(value: Any) -> str:
    """Write a number as a person would: 5 and not 5.0."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


GEOQA_PLUS = Source(
    name="geoqa-plus",
    title="GeoQA+",
    kind="training",
    expects="a folder with a training pickle (train.pk, Mix-train.pk or GeoQA-train.pk) and test.pk or new-test.pk",
    home="https://github.com/SCNU203/GeoQA-Plus",
    licence="not stated by its authors",
    files=geoqa_files,
    adapt=pickled_problem,
)
UNIGEO = Source(
    name="unigeo",
    title="UniGeo (calculation)",
    kind="training",
    expects="a folder with calculation_train.pk, calculation_val.pk, calculation_test.pk",
    home="https://github.com/chen-judge/UniGeo",
    licence="not stated by its authors",
    files=unigeo_files,
    adapt=pickled_problem,
)
GEOMETRY3K = Source(
    name="geometry3k",
    title="Geometry3K",
    kind="training",
    expects="a folder with train/, val/, test/, each with NUMBER/data.json and NUMBER/img_diagram.png",
    home="https://github.com/lupantech/InterGPS",
    licence="MIT (repository)",
    files=geometry3k_files,
    adapt=geometry3k_problem,
)
