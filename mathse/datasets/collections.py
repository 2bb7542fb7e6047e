"""Large training collections: MathVL, ChartQA, MathV360K, MultiMath, MAVIS, Math-PUMA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
from mathse.datasets.general_layouts import image_roots, row_files
from mathse.datasets.protocol import BadRow, DataFile, Picture, RawProblem, Row, Source

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
    answer = (
        text({"label": label[0]}, "label")
        if isinstance(label, list) and len(label) == 1
        else text(row, "label")
    )
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
    folders = ("data_images", "images_data", "images", "")
    return [
        DataFile(
            path, "train", tuple(base / name for base in (root, path.parent) for name in folders)
        )
        for path in (
            root / "train_samples_all_tuning.json",
            root / "data" / "train_samples_all_tuning.json",
        )
        if path.is_file()
    ][:1]


def mathv360k_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a MathV360K row into a problem; the first folder of its image is the data set that it is from."""
    asked, response = turns(row.get("conversations"))
    images = row_images(row)
    part = (images[0].path or "").split("/")[0] if images else ""
    return prompt_problem(asked, response, images, row, file, subject=part or None)


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
    """List MAVIS-Instruct's JSON files below the folder, and MAVIS-Geometry's Parquet; captions are left out."""
    if not root.is_dir():
        return row_files(root, (".json", ".parquet"))
    files = [
        file
        for file in row_files(root, (".json", ".parquet"), deep=True)
        if "MAVIS_Caption" not in str(file.path)
    ]
    return [
        replace(file, split=file.split or "train", roots=image_roots(root, file.path))
        for file in files
    ]


def mavis_problem(row: Row, file: DataFile) -> RawProblem | list[RawProblem]:
    """Turn a MAVIS row into a problem; one of MAVIS-Geometry into a problem for each version and language."""
    if row.get("text_en") is not None or row.get("text_zh") is not None:
        return [
            problem
            for language in ("en", "zh")
            for version in _MAVIS_VERSIONS
            if (problem := _mavis_version(row, version, language)) is not None
        ] or _nothing(row)
    asked, response = turns(row.get("conversations"))
    images = []
    for picture in row_images(row):
        path = (picture.path or "").replace(*_MAVIS_RENAMED)
        at = path.find(_MAVIS_RENAMED[1])
        images.append(replace(picture, path=path[max(at, 0) :] or None))
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
    answer = (
        letter(int(index)) if choices and index is not None else stated_answer(response, choices)
    )
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


def _nothing(row: Row) -> list[RawProblem]:
    raise BadRow(
        "row has a question",
        "text_en",
        sorted(row),
        "the row has no version with question and image",
    )


def puma_files(root: Path) -> Sequence[DataFile]:
    """List train.json and train.jsonl of the parts (Synthesis, VarsityTutors, VisualWebInstruct) or of the folder."""
    files = row_files(root, (".json", ".jsonl"), deep=root.is_dir())
    return [replace(file, split=file.split or "train") for file in files]


def puma_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a Math-PUMA row into a problem: image_url, instruction and output.

    The paths are those of the authors' machine; what follows images/ in them is looked up in the
    part's images/.
    """
    problem = any_row(row, file)
    part = file.path.parent.name
    problem.images = [
        replace(picture, path=_after_images(picture.path)) if picture.path else picture
        for picture in problem.images
    ]
    problem.meta["part"] = part
    return problem


def _after_images(path: str) -> str:
    parts = path.replace("\\", "/").split("/")
    if ".." in parts or "images" not in parts[:-1]:
        return path
    return "/".join(parts[parts.index("images") + 1 :])


def mathvl_files(root: Path) -> Sequence[DataFile]:
    """List the JSON and Parquet files of the folder."""
    return row_files(root, (".json", ".jsonl", ".parquet"))


def mathvl_test_files(root: Path) -> Sequence[DataFile]:
    """List the files of the test set."""
    return [replace(file, split="test") for file in mathvl_files(root)]


_UNPUBLISHED = (
    "Neither MathVL nor MathVL-test had been published when this was written. Rows in any of the general layouts "
    "are taken: conversations, messages, or columns such as question, options, answer, solution, image."
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
    expects="a folder with the JSON files of MAVIS-Instruct and their images, or MAVIS-Geometry's .parquet",
    home="https://github.com/ZrrSkywalker/MAVIS, https://huggingface.co/datasets/CaraJ/MAVIS-Geometry",
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
    MATHVL, name="mathvl-test", title="MathVL-test", kind="benchmark", files=mathvl_test_files
)
