"""Training rows for other trainers: LLaMA-Factory, ms-swift and TRL.

Prompts are those of the pipeline itself, pictures those that the student saw: one that other
readers show otherwise (16-bit, turned by EXIF, transparent, CMYK) becomes a PNG. A row with a draft
or candidates gives one more example, to reflect or to choose. Besides what the trainer reads, each
row carries its problem in the column `mathse`, so that an import gives the same problems and
solutions back, with the same images but for those PNG; the trainers ignore that column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.progress import track
from mathse.core.tables import read_table, write_parquet
from mathse.datasets.conversations import ORIGIN_COLUMN, ORIGIN_FIELDS
from mathse.engines.pixels import Pixels
from mathse.prompts import lessons
from mathse.prompts.text import clean_text
from schemas import IMAGE_PLACEHOLDER, TrainRow, optional_types

DATASET_NAME = "mathse"
LEFT_OUT = "left_out"
"""A column that rows may have: the tasks, as `mathse.prompts.lessons` names them, to leave out."""
ROWS_PER_SHARD = 500

# <image>, <image 2>, </img>
_IMAGE_TAG = re.compile(rf"{IMAGE_PLACEHOLDER}|(?i:</?img>)")
# what LLaMA-Factory and ms-swift count besides: <video>, <ref-object>
_OTHER_TAG = re.compile(r"<(video|audio|bbox|ref-object|cot-process|start-image)>")

_TRL_CARD = """---
configs: [{config_name: default, data_files: [{split: train, path: data/train-*}]}]
dataset_info:
  features:
  - {name: prompt, list: [{name: role, dtype: string}, {name: content, dtype: string}]}
  - {name: completion, list: [{name: role, dtype: string}, {name: content, dtype: string}]}
  - {name: images, sequence: image}
  - {name: mathse, dtype: string}
---
Training rows for TRL's SFTTrainer: `load_dataset("FOLDER", split="train")`.
"""
_MESSAGES = pl.List(pl.Struct({"role": pl.String(), "content": pl.String()}))
_IMAGES = pl.List(pl.Struct({"bytes": pl.Binary(), "path": pl.String()}))
_TRL_TYPES = pl.Schema(
    {"prompt": _MESSAGES, "completion": _MESSAGES, "images": _IMAGES, ORIGIN_COLUMN: pl.String()}
)


def export_rows(
    form: str, data: str | Path, out: str | Path, *, round_name: str | None = None
) -> dict[str, int]:
    """Write training rows in another trainer's layout.

    Args:
        form: one of `FORMATS`.
        data: the pipeline's data folder (training rows), or the folder of an import (solutions).
        out: an empty or new folder.
        round_name: the round whose training rows to take; without it the last one.

    Returns:
        The numbers of rows and images written.

    Raises:
        ParamError: if the form or round is unknown, or `out` is not empty.
        DataError: if there is nothing to export.
    """
    if form not in FORMATS:
        raise ParamError(f"{form} is no export format; there are {', '.join(FORMATS)}")
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ParamError(f"{out} is not an empty folder; an export never mixes with what is there")
    rows, images = training_rows(Path(data), round_name)
    if rows.is_empty():
        message = "There are no training rows to export."
        raise DataError(message, file=data, fix="run the stages first")
    out.mkdir(parents=True, exist_ok=True)
    FORMATS[form](rows, images, out)
    n_images = rows["image_ids"].explode(empty_as_null=False).n_unique()
    more = [name for name in ("draft", "candidates") if name in rows.columns]
    n_more = sum(rows[name].drop_nulls().len() for name in more)
    return {"rows": rows.height + n_more, "images": n_images}


def training_rows(data: Path, round_name: str | None = None) -> tuple[pl.DataFrame, ImageStore]:
    """Return problems with a column `response` in a fixed order, and their images.

    Training rows with drafts keep what a reflection starts from.

    Raises:
        ParamError: if there is no such round.
        DataError: if the folder is neither the pipeline's data nor an import.
    """
    if (data / "import.json").is_file():
        if round_name is not None:
            raise ParamError(f"{data} is an import: it has no rounds")
        rows = read_table(data / "problems.parquet").rename({"solution": "response"})
        rows = rows.filter(pl.col("response").is_not_null()).with_columns(row_id="problem_id")
        return rows.sort("split", "row_id"), ImageStore(data / "images")
    layout = Layout(data=data)
    tables = layout.find(layout.round("*").train)
    if not tables:
        fix = "give the data folder of a pipeline that has run, or the folder of an import"
        raise DataError("No training rows are here.", file=data, fix=fix)
    if round_name is not None and round_name not in tables:
        known = ", ".join(sorted(tables))
        raise ParamError(f"{data} has no training rows of round {round_name}, only of {known}")
    last = max(tables, key=lambda name: re.sub(r"\d+", lambda digits: digits[0].zfill(9), name))
    train = read_table(tables[round_name or last])
    problems = read_table(layout.problems).drop("solution")
    extra = [name for name in optional_types(TrainRow) if name in train.columns]
    rows = train.select("row_id", "problem_id", "response", *extra).join(problems, on="problem_id")
    return rows.sort("row_id"), ImageStore(layout.images)


def _write_llama_factory(rows: pl.DataFrame, images: ImageStore, out: Path) -> None:
    file_name = f"{DATASET_NAME}.jsonl"
    _write_lines(rows, images, out, file_name)
    entry = {
        "file_name": file_name,
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {f"{tag}_tag": tag for tag in ("role", "content", "user", "assistant", "system")},
    }
    info = json.dumps({DATASET_NAME: entry}, indent=2)
    (out / "dataset_info.json").write_text(info + "\n", encoding="utf-8")


def _write_lines(
    rows: pl.DataFrame, images: ImageStore, out: Path, file_name: str = "train.jsonl"
) -> None:
    """Write messages as JSON lines, with the images as files beside them."""
    (out / "images").mkdir()
    written: dict[str, str] = {}
    every = track(rows.iter_rows(named=True), total=rows.height, label="export", unit="rows")
    with (out / file_name).open("w", encoding="utf-8") as lines:
        for row in every:
            for image_id in row["image_ids"]:
                if image_id not in written:
                    name, data = _picture(image_id, images)
                    written[image_id] = f"images/{name}"
                    (out / written[image_id]).write_bytes(data)
            for prompt, completion, origin in _parts(row, "<image>" * len(row["image_ids"])):
                line = {
                    "messages": [prompt, completion],
                    "images": [written[image_id] for image_id in row["image_ids"]],
                    ORIGIN_COLUMN: origin,
                }
                lines.write(json.dumps(line, ensure_ascii=False) + "\n")


def _write_trl(rows: pl.DataFrame, images: ImageStore, out: Path) -> None:
    """Write prompt, completion and images as Parquet shards, with a card that has the types."""
    chunks = rows.iter_slices(ROWS_PER_SHARD)
    count = -(-rows.height // ROWS_PER_SHARD)
    for number, chunk in enumerate(track(chunks, total=count, label="export", unit="shards")):
        shard = []
        for row in chunk.iter_rows(named=True):
            found = [_picture(image_id, images) for image_id in row["image_ids"]]
            files = [{"bytes": data, "path": name} for name, data in found]
            shard += [([asked], [given], files, origin) for asked, given, origin in _parts(row)]
        file = out / "data" / f"train-{number:05d}.parquet"
        write_parquet(pl.DataFrame(shard, schema=_TRL_TYPES, orient="row"), file)
    (out / "README.md").write_text(_TRL_CARD, encoding="utf-8")


FORMATS: dict[str, Callable[[pl.DataFrame, ImageStore, Path], None]] = {
    "llama-factory": _write_llama_factory,
    "ms-swift": _write_lines,
    "trl": _write_trl,
}
"""The export formats and the functions that write them. TRL's folder is imported as `hf-folder`."""


def _parts(
    row: dict[str, Any], images: str = ""
) -> Iterator[tuple[dict[str, str], dict[str, str], str]]:
    """Yield the messages of the user and the assistant, and the problem for `ORIGIN_COLUMN`."""
    count = len(row["image_ids"])
    origin = {name: row[name] for name in (*ORIGIN_FIELDS, "meta", "response")}
    text = json.dumps(origin, ensure_ascii=False, sort_keys=True)
    for task, (message,), learned in lessons(row):
        if task in row.get(LEFT_OUT, ()):
            continue
        asked = _without_tags(str(message["content"][-1]["text"]), count)
        prompt = {"role": "user", "content": images + asked}
        yield prompt, {"role": "assistant", "content": _without_tags(learned, count)}, text


def _without_tags(text: str, n_images: int) -> str:
    """Write tags as words: trainers count them, and there are as many as pictures already."""
    if _IMAGE_TAG.search(text):
        text = clean_text(text, n_images, keep_mentions=True)
    return _OTHER_TAG.sub(r"\1", text)


def _picture(image_id: str, images: ImageStore) -> tuple[str, bytes]:
    """Return a file name and the bytes of a picture as the student saw it.

    Scaled within the limits of `images`, and upright.
    """
    kind, data = Pixels(images).encoded(image_id)  # image/jpeg
    return f"{image_id}.{kind.removeprefix('image/').replace('jpeg', 'jpg')}", data
