"""General layouts: LLaVA and ShareGPT, ms-swift, LLaMA-Factory, a Hugging Face data set folder."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from mathse.core.errors import DataError
from mathse.datasets.conversations import (
    any_row,
    column_problem,
    exported_problem,
    one_turn,
    prompt_problem,
)
from mathse.datasets.fields import pictures, text
from mathse.datasets.protocol import DataFile, RawProblem, Row, Source, require

_SPLITS = ("train", "validation", "val", "dev", "testmini", "test")
_IGNORED = (
    *("dataset_info.json", "dataset_infos.json", "import.json"),
    *("state.json", "config.json", "package.json"),
)


def split_of(stem: str) -> str | None:
    """Guess the split from a file's name: a word in it such as train, val or test."""
    words = re.split(r"[^a-z0-9]+", stem.lower())  # "problems-dev1k" gives problems, dev1k
    return next((split for split in _SPLITS if split in words), None)


def row_files(root: Path, suffixes: Sequence[str], *, deep: bool = False) -> list[DataFile]:
    """List the data files of a folder (or the one file given) by name, with their image folders."""
    if root.is_file():
        paths, root = [root], root.parent
    else:
        patterns = ("**/*",) if deep else ("*", "data/*")
        found = (path for pattern in patterns for path in root.glob(pattern))
        paths = sorted(path for path in found if path.is_file())
    return [
        DataFile(path, split_of(path.stem), image_roots(root, path))
        for path in paths
        if path.suffix.lower() in suffixes
        and path.name not in _IGNORED
        and not path.name.startswith(".")
    ]


def named_files(
    root: Path,
    folders: Sequence[str],
    names: Mapping[str, Sequence[str]],
    images: Sequence[str] = ("",),
) -> list[DataFile]:
    """List data files with fixed names, from the first folder that has any.

    Args:
        root: the data set's folder.
        folders: where to look, relative to it; `*` stands for any name.
        names: for each split the names (or patterns) of its file; the first that exists counts.
        images: folders of images, relative to the data set's folder and to the files' folder.
    """
    for name in folders:
        for folder in sorted(root.glob(name)) if "*" in name else [root / name]:
            roots = tuple(
                dict.fromkeys(base / image for base in (root, folder) for image in images)
            )
            found = [
                DataFile(path, split, roots)
                for split, patterns in names.items()
                for path in next(filter(None, (_files(folder, one) for one in patterns)), [])
            ]
            if found:
                return found
    return []


def _files(folder: Path, pattern: str) -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.is_file())


def image_roots(top: Path, file: Path) -> tuple[Path, ...]:
    """Return the usual folders of images: the data set's, the file's, and images/ in either."""
    return tuple(dict.fromkeys((top, file.parent, top / "images", file.parent / "images")))


def factory_files(root: Path) -> list[DataFile]:
    """List the local data sets of dataset_info.json but those of preferences.

    Raises:
        DataError: if dataset_info.json is not as documented.
    """
    info = root / "dataset_info.json"
    if not info.is_file():
        return []
    try:
        listed = json.loads(info.read_text(encoding="utf-8"))
        entries = [(str(name), dict(entry)) for name, entry in listed.items()]
    except (ValueError, AttributeError, TypeError) as error:
        message = f"This is no dataset_info.json of LLaMA-Factory: {error}"
        raise DataError(message, file=info) from error
    files = []
    for name, entry in entries:
        # An entry without a file lies on a hub.
        path = root / str(entry.get("file_name", ""))
        if entry.get("ranking") or not entry.get("file_name"):
            continue
        if not path.resolve().is_relative_to(root.resolve()):
            message = f"{name}: file_name leads out of the folder."
            raise DataError(message, file=info, fix="keep the data beside it")
        split = split_of(name) or split_of(path.stem)
        found = sorted(path.iterdir()) if path.is_dir() else [path]
        files += [
            DataFile(file, split, image_roots(root, file), note=entry)
            for file in found
            if file.is_file()
        ]
    return files


def factory_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a row into a problem, by the columns and tags of its data set's entry."""
    if row.get("mathse"):
        return exported_problem(row)
    columns = file.note.get("columns") or {}
    if file.note.get("formatting", "alpaca") == "sharegpt":
        messages = row.get(columns.get("messages", "conversations"))
        asked = one_turn(messages, file.note.get("tags"))
    else:
        history = row.get(columns.get("history", "history"))
        reason = "the row has earlier turns"
        require(not history, "one question and one answer", "history", history, reason)
        prompt = text(row, columns.get("prompt", "instruction"))
        query = text(row, columns.get("query", "input"), default="")
        response = text(row, columns.get("response", "output"))
        asked = "\n".join(part for part in (prompt, query) if part.strip()), response, []
    return prompt_problem(asked, row, file, pictures(row.get(columns.get("images", "images"))))


def hub_problem(row: Row, file: DataFile) -> RawProblem:
    """Turn a row of a Parquet data set into a problem: prompts and responses, or columns."""
    if isinstance(row.get("question"), str) or isinstance(row.get("problem"), str):
        return exported_problem(row) if row.get("mathse") else column_problem(row, file)
    return any_row(row, file)


_layout = partial(Source, kind="layout", licence="that of your data")

LLAVA = _layout(
    name="llava",
    title="LLaVA or ShareGPT JSON",
    expects="a .json or .jsonl file (or a folder of them) whose rows have conversations "
    "(from, value) and image(s)",
    home="https://github.com/haotian-liu/LLaVA/blob/main/docs/Finetune_Custom_Data.md",
    files=partial(row_files, suffixes=(".json", ".jsonl")),
    adapt=any_row,
)
SWIFT = _layout(
    name="ms-swift",
    title="ms-swift messages",
    expects="a .jsonl file (or a folder of them) whose rows have messages (role, content) "
    "and images",
    home="https://swift.readthedocs.io/en/latest/Customization/Custom-dataset.html",
    files=partial(row_files, suffixes=(".jsonl", ".ndjson")),
    adapt=any_row,
)
LLAMA_FACTORY = _layout(
    name="llama-factory",
    title="LLaMA-Factory data folder",
    expects="a folder with dataset_info.json and the files that it names "
    "(formatting alpaca or sharegpt)",
    home="https://github.com/hiyouga/LLaMA-Factory/blob/main/data/README.md",
    files=factory_files,
    adapt=factory_problem,
)
HUB = _layout(
    name="hf-folder",
    title="Hugging Face data set folder",
    expects="a folder of .parquet files with columns such as question (or problem), answer, "
    "choices (or options), solution, image(s) as {bytes, path}; or messages; "
    "or prompt and completion",
    home="https://huggingface.co/docs/datasets/image_dataset",
    files=partial(row_files, suffixes=(".parquet",), deep=True),
    adapt=hub_problem,
)
