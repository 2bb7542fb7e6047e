"""Large training collections: MathVL, ChartQA, MathV360K, MultiMath, MAVIS, Math-PUMA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mathse.datasets.conversations import (
    any_row,
    prompt_problem,
    row_images,
    stated_answer,
    turns,
    worked_solution,
)
from mathse.datasets.fields import guess_answer_type, letter, pictures, struct, text, texts
from mathse.datasets.general_layouts import named_files, row_files
from mathse.datasets.protocol import DataFile, Picture, RawProblem, Row, Source, require

_MAVIS_VERSIONS = ("text_dominant", "text_lite", "vision_dominant")
_MAVIS_RENAMED = ("RuleBaseGeo_For_Vision_Dominant", "rule_base_geo_vision_dom")


def chartqa_files(root: Path) -> Sequence[DataFile]:
    """List SPLIT/SPLIT_human.json and SPLIT/SPLIT_augmented.json."""
    base = root / "ChartQA Dataset" if (root / "ChartQA Dataset").is_dir() else root
    return [
        DataFile(path, split, (base / split / "png", base / split), note={"kind": kind})
        for split in ("train", "val", "test")
        for kind in ("human", "augmented")
        if (path := base / split / f"{split}_{kind}.json").is_file()
    ]


def chartqa_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a ChartQA row into a problem."""
    label = row.get("label")
    label = label[0] if isinstance(label, list) and len(label) == 1 else label
    answer = text({"label": label}, "label")
    kind = guess_answer_type(answer, [])
    return RawProblem(
        question=text(row, "query"),
        answer=answer,
        answer_type=kind if kind in ("number", "set") else "text",
        images=[Picture(path=text(row, "imgname"))],
        split=file.split or "train",
        subject="chart",
        language="en",
        meta={"kind": file.note.get("kind", "")},
    )


def mathv360k_files(root: Path) -> Sequence[DataFile]:
    """List train_samples_all_tuning.json."""
    images = ("data_images", "images_data", "images", "")
    return named_files(root, ("", "data"), {"train": ("train_samples_all_tuning.json",)}, images)


def mathv360k_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a MathV360K row into a problem; its image's first folder names where it is from."""
    prompt, response = turns(row.get("conversations"))
    images = row_images(row)
    part = (images[0].path or "").split("/")[0] if images else ""
    return prompt_problem(prompt, response, images, row, file, subject=part or None)


def multimath_files(root: Path) -> Sequence[DataFile]:
    """List solution/chat_*.json; captions are no problems and are left out."""
    folder = root / "solution" if (root / "solution").is_dir() else root
    roots = tuple(root / name for name in ("images", "RGB_images", ""))
    return [
        replace(file, roots=roots)
        for file in row_files(folder, (".json",))
        if file.path.stem.startswith("chat")
    ]


def mavis_files(root: Path) -> Sequence[DataFile]:
    """List MAVIS-Instruct's JSON files and MAVIS-Geometry's Parquet; captions are left out."""
    files = row_files(root, (".json", ".parquet"), deep=root.is_dir())
    return [
        replace(file, split=file.split or ("train" if root.is_dir() else None))
        for file in files
        if not root.is_dir() or "MAVIS_Caption" not in str(file.path)
    ]


def mavis_problem(row: Row, file: DataFile) -> RawProblem | list[RawProblem]:
    """Turn a MAVIS row into a problem; one of MAVIS-Geometry into one per version and language."""
    if row.get("text_en") is not None or row.get("text_zh") is not None:
        pairs = [(version, language) for language in ("en", "zh") for version in _MAVIS_VERSIONS]
        found = [_mavis_version(row, version, language) for version, language in pairs]
        problems = [problem for problem in found if problem is not None]
        reason = "the row has no version with question and image"
        require(problems, "row has a question", "text_en", sorted(row), reason)
        return problems
    asked, response = turns(row.get("conversations"))
    images = []
    for picture in row_images(row):
        path = (picture.path or "").replace(*_MAVIS_RENAMED)
        start = max(path.find(_MAVIS_RENAMED[1]), 0)
        images.append(replace(picture, path=path[start:] or None))
    problem = prompt_problem(asked, response, images, row, file)
    if row.get("question_type") is not None:
        problem.meta["question_type"] = text(row, "question_type")
    return problem


def _mavis_version(row: Row, version: str, language: str) -> RawProblem | None:
    words = struct(row, f"text_{language}")
    question, images = words.get(f"{version}_question"), pictures(row.get(f"image_{version}"))
    if not question or not images:
        return None
    choices = texts(row, "choices")
    response = text(words, "CoT_reasoning", default="")
    index = row.get("answer_index")
    if choices and index is not None:
        answer = letter(int(index))
    else:
        answer = stated_answer(response, choices)
    return RawProblem(
        question=str(question),
        answer=answer,
        choices=choices,
        images=images,
        split="train",
        subject="geometry",
        language=language,
        solution=worked_solution(response, answer),
        meta={"problem_version": version.replace("_", " ")},
    )


def puma_files(root: Path) -> Sequence[DataFile]:
    """List train.json and train.jsonl of the folder or its parts."""
    files = row_files(root, (".json", ".jsonl"), deep=root.is_dir())
    return [replace(file, split=file.split or "train") for file in files]


def puma_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a Math-PUMA row into a problem: image_url, instruction and output.

    The paths are those of the authors' machine: what follows images/ is looked up in the part's
    images/.
    """
    problem = any_row(row, file)
    problem.images = [
        replace(picture, path=_after_images(picture.path)) if picture.path else picture
        for picture in problem.images
    ]
    problem.meta["part"] = file.path.parent.name
    return problem


def _after_images(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    if ".." in parts or "images" not in parts[:-1]:
        return path
    return "/".join(parts[parts.index("images") + 1 :])


def mathvl_files(root: Path, split: str | None = None) -> Sequence[DataFile]:
    """List the JSON and Parquet files of the folder; a split given counts for all of them."""
    files = row_files(root, (".json", ".jsonl", ".parquet"))
    return [replace(file, split=split or file.split) for file in files]


_UNPUBLISHED = (
    "Neither MathVL nor MathVL-test had been published when this was written. Rows in any of the "
    "general layouts are taken: conversations, messages, or columns such as question, options, "
    "answer, solution, image."
)

CHARTQA = Source(
    name="chartqa",
    title="ChartQA",
    kind="training",
    expects="a folder with SPLIT/SPLIT_human.json, SPLIT/SPLIT_augmented.json and SPLIT/png/",
    home="https://github.com/vis-nlp/ChartQA, https://huggingface.co/datasets/ahmed-masry/ChartQA",
    licence="GPL-3.0",
    files=chartqa_files,
    adapt=chartqa_problem,
)
MATHV360K = Source(
    name="mathv360k",
    title="MathV360K",
    kind="training",
    expects="a folder with train_samples_all_tuning.json and data_images/",
    home="https://huggingface.co/datasets/Zhiqiang007/MathV360K",
    licence="Apache-2.0",
    files=mathv360k_files,
    adapt=mathv360k_problem,
)
MULTIMATH = Source(
    name="multimath",
    title="MultiMath-300K",
    kind="training",
    expects="a folder with solution/chat_*.json and images/ (or RGB_images/)",
    home="https://huggingface.co/datasets/pengshuai-rin/multimath-300k",
    licence="not stated by its authors",
    files=multimath_files,
    adapt=any_row,
)
MAVIS = Source(
    name="mavis",
    title="MAVIS (Instruct and Geometry)",
    kind="training",
    expects="a folder with MAVIS-Instruct's JSON files and images, or MAVIS-Geometry's .parquet",
    home="https://github.com/ZrrSkywalker/MAVIS, "
    "https://huggingface.co/datasets/CaraJ/MAVIS-Geometry",
    licence="not stated by its authors",
    files=mavis_files,
    adapt=mavis_problem,
)
MATH_PUMA = Source(
    name="math-puma",
    title="Math-PUMA (stages 2 and 3)",
    kind="training",
    expects="a folder with PART/train.json or PART/train.jsonl and PART/images/",
    home="https://huggingface.co/datasets/Math-PUMA/Math-PUMA_Data_Stage2",
    licence="GPL-3.0",
    files=puma_files,
    adapt=puma_problem,
)
MATHVL = Source(
    name="mathvl",
    title="MathVL",
    kind="training",
    expects="a folder of .json, .jsonl or .parquet files and their images",
    home="https://github.com/THUDM/MathGLM-Vision (arXiv 2409.13729)",
    licence="not stated by its authors",
    files=mathvl_files,
    adapt=any_row,
    note=_UNPUBLISHED,
)
MATHVL_TEST = replace(
    MATHVL,
    name="mathvl-test",
    title="MathVL-test",
    kind="benchmark",
    files=partial(mathvl_files, split="test"),
)
