"""Large training collections: MathVL, ChartQA, MathV360K, MultiMath, MAVIS, Math-PUMA."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

from mathse.datasets.conversations import (
    any_row,
    one_turn,
    prompt_problem,
    stated_answer,
    worked_solution,
)
from mathse.datasets.fields import guess_answer_type, letter, pictures, struct, text, texts
from mathse.datasets.general_layouts import named_files, row_files
from mathse.datasets.protocol import DataFile, Picture, RawProblem, Row, Source, require

_MAVIS_VERSIONS = ("text_dominant", "text_lite", "vision_dominant")
_MAVIS_RENAMED = ("RuleBaseGeo_For_Vision_Dominant", "rule_base_geo_vision_dom")


def chartqa_files(root: Path) -> list[DataFile]:
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
        subject="chart",
        language="en",
        meta={"kind": file.note["kind"]},
    )


def mathv360k_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a MathV360K row into a problem; its image's first folder names where it is from."""
    problem = prompt_problem(one_turn(row.get("conversations")), row, file)
    path = problem.images[0].path if problem.images else None
    problem.subject = (path or "").split("/")[0] or problem.subject
    return problem


def multimath_files(root: Path) -> list[DataFile]:
    """List solution/chat_*.json; captions are no problems and are left out."""
    folder = root / "solution" if (root / "solution").is_dir() else root
    roots = tuple(root / name for name in ("images", "RGB_images", ""))
    files = row_files(folder, (".json",))
    return [replace(file, roots=roots) for file in files if file.path.stem.startswith("chat")]


def mavis_files(root: Path) -> list[DataFile]:
    """List MAVIS-Instruct's JSON files and MAVIS-Geometry's Parquet; captions are left out."""
    files = row_files(root, (".json", ".parquet"), deep=True)
    return [file for file in files if root.is_file() or "MAVIS_Caption" not in str(file.path)]


def mavis_problem(row: Row, file: DataFile) -> RawProblem | list[RawProblem]:
    """Turn a MAVIS row into a problem; one of MAVIS-Geometry into one per version and language."""
    if row.get("text_en") is not None or row.get("text_zh") is not None:
        pairs = [(version, language) for language in ("en", "zh") for version in _MAVIS_VERSIONS]
        found = [_mavis_version(row, version, language) for version, language in pairs]
        problems = [problem for problem in found if problem is not None]
        reason = "the row has no version with question and image"
        require(problems, "row has a question", "text_en", sorted(row), reason)
        return problems
    problem = prompt_problem(one_turn(row.get("conversations")), row, file)
    problem.images = [_renamed(picture) for picture in problem.images]
    if row.get("question_type") is not None:
        problem.meta["question_type"] = text(row, "question_type")
    return problem


def _renamed(picture: Picture) -> Picture:
    """Return a picture of MAVIS with the folder that its archive unpacks to."""
    path = (picture.path or "").replace(*_MAVIS_RENAMED)
    return replace(picture, path=path[max(path.find(_MAVIS_RENAMED[1]), 0) :] or None)


def _mavis_version(row: Row, version: str, language: str) -> RawProblem | None:
    words = struct(row, f"text_{language}")
    question, images = words.get(f"{version}_question"), pictures(row.get(f"image_{version}"))
    if not question or not images:
        return None
    choices, index = texts(row, "choices"), row.get("answer_index")
    response = text(words, "CoT_reasoning", default="")
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


def mathvl_test_files(root: Path) -> list[DataFile]:
    """List the files as those of MathVL; rows that name no split are of the split test."""
    return [replace(file, split="test") for file in MATHVL.files(root)]


CHARTQA = Source(
    name="chartqa",
    title="ChartQA",
    expects="a folder with SPLIT/SPLIT_human.json, SPLIT/SPLIT_augmented.json and SPLIT/png/",
    home="https://github.com/vis-nlp/ChartQA, https://huggingface.co/datasets/ahmed-masry/ChartQA",
    licence="GPL-3.0",
    files=chartqa_files,
    adapt=chartqa_problem,
)
MATHV360K = Source(
    name="mathv360k",
    title="MathV360K",
    expects="a folder with train_samples_all_tuning.json and data_images/",
    home="https://huggingface.co/datasets/Zhiqiang007/MathV360K",
    licence="Apache-2.0",
    files=partial(
        named_files,
        folders=("", "data"),
        names={"train": ("train_samples_all_tuning.json",)},
        images=("data_images", "images_data", "images", ""),
    ),
    adapt=mathv360k_problem,
)
MULTIMATH = Source(
    name="multimath",
    title="MultiMath-300K",
    expects="a folder with solution/chat_*.json and images/ (or RGB_images/)",
    home="https://huggingface.co/datasets/pengshuai-rin/multimath-300k",
    files=multimath_files,
    adapt=any_row,
)
MAVIS = Source(
    name="mavis",
    title="MAVIS (Instruct and Geometry)",
    expects="a folder with MAVIS-Instruct's JSON files and images, or MAVIS-Geometry's .parquet",
    home="https://github.com/ZrrSkywalker/MAVIS, "
    "https://huggingface.co/datasets/CaraJ/MAVIS-Geometry",
    files=mavis_files,
    adapt=mavis_problem,
)
MATH_PUMA = Source(
    name="math-puma",
    title="Math-PUMA (stages 2 and 3)",
    expects="a folder with PART/train.json or PART/train.jsonl and PART/images/",
    home="https://huggingface.co/datasets/Math-PUMA/Math-PUMA_Data_Stage2",
    licence="GPL-3.0",
    files=partial(row_files, suffixes=(".json", ".jsonl"), deep=True),
    adapt=puma_problem,
)
MATHVL = Source(
    name="mathvl",
    title="MathVL",
    expects="a folder of .json, .jsonl or .parquet files and their images",
    home="https://github.com/THUDM/MathGLM-Vision (arXiv 2409.13729)",
    files=partial(row_files, suffixes=(".json", ".jsonl", ".parquet")),
    adapt=any_row,
    note="Neither MathVL nor MathVL-test had been published when this was written. Rows in any of "
    "the general layouts are taken: conversations, messages, or columns such as question, options, "
    "answer, solution, image.",
)
MATHVL_TEST = replace(
    MATHVL, name="mathvl-test", title="MathVL-test", kind="benchmark", files=mathvl_test_files
)
