"""Exports, read by the trainers' own loaders: the prompts, the solutions and the pixels.

`make test-trainers` makes the environment; MATHSE_TRAINERS names the Python of another one.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from mathse.core.images import ImageStore
from mathse.core.tables import read_table
from mathse.datasets.exporting import FORMATS, export_rows
from mathse.engines.inputs import InputBuilder
from mathse.engines.open_image import open_image
from mathse.prompts import reflect_messages, solve_messages
from mathse.training.external import NOT_SCALED
from tests.closure import ROOT
from tests.datasets.made import bring, picture, put
from tests.datasets.test_exporting import pipeline
from tests.engines.test_open_image import ODD, turned

PYTHON = os.environ.get("MATHSE_TRAINERS")
MODEL = str(ROOT / "models" / "tiny-base")
SCRIPT = Path(__file__).with_name("read_export.py")
DRAFT = {"draft": "1. A guess at <image>.", "error_step": 1, "error_analysis": "not seen"}

pytestmark = pytest.mark.skipif(
    PYTHON is None, reason="MATHSE_TRAINERS names no Python with the trainers: make test-trainers"
)


def read_back(form: str, folder: Path) -> list[dict[str, Any]]:
    out = folder.with_suffix(".json")
    quiet = {
        "HF_HUB_OFFLINE": "1",
        "DISABLE_VERSION_CHECK": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "TOKENIZERS_PARALLELISM": "false",
    }
    caches = {"HF_HOME": str(folder.parent / "hf"), "MODELSCOPE_CACHE": str(folder.parent / "ms")}
    command = [str(PYTHON), str(SCRIPT), form, str(folder), MODEL, str(out), json.dumps(NOT_SCALED)]
    run = subprocess.run(
        command, env=os.environ | quiet | caches, cwd=folder.parent, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    rows = json.loads(out.read_text("utf-8"))
    assert isinstance(rows, list)
    return rows


def seen(store: ImageStore, name: str) -> list[Any]:
    image = open_image(store.get(name))
    return [image.width, image.height, hashlib.sha256(image.tobytes()).hexdigest()]


@pytest.mark.parametrize("form", list(FORMATS))
def test_pictures_and_texts_of_an_import(tmp_path: Path, form: str) -> None:
    pictures = {name: data for name, (data, _) in ODD.items()}
    pictures |= {"turned": turned(6), "plain": picture(1), "plain JPEG": picture(2, "JPEG")}
    pictures["large"] = picture(3, size=(1000, 700))  # LLaMA-Factory scales to 768 x 768 by itself
    rows = [
        {"question": f"What is shown? ({name})", "answer": "7", "image": f"{number}.img"}
        | {"solution": "In <image> we count: <video> 7.\n\nThe answer is 7."}
        for number, name in enumerate(pictures)
    ]
    rows.append({"question": "2+2?", "answer": "4", "solution": "It is so.\nThe answer is 4."})
    both = ["0.img", "1.img"]
    rows.append({"question": "<image> or <image>?", "answer": "A", "choices": ["1", "2"]})
    rows[-1] |= {"images": both, "solution": "The first.\nThe answer is A."}
    put(tmp_path / "from" / "train.jsonl", rows)
    for number, data in enumerate(pictures.values()):
        put(tmp_path / "from" / f"{number}.img", data)
    first = bring("ms-swift", tmp_path / "from", tmp_path)
    assert first.counts["problems"] == len(rows)
    export_rows(form, first.out, tmp_path / form)
    read = read_back(form, tmp_path / form)

    store = ImageStore(first.out / "images")
    problems = first.problems.sort("split", "problem_id").to_dicts()
    assert len(read) == len(problems)
    for row, problem in zip(read, problems, strict=True):
        names = problem["image_ids"]
        assert row["images"] == [seen(store, name) for name in names], problem["question"]
        asked = solve_messages(problem["question"], problem["choices"], len(names))
        tags = "" if form == "trl" else "<image>" * len(names)
        assert row["messages"][0]["content"] == tags + asked[0]["content"][-1]["text"]
        solution = row["messages"][1]["content"]
        assert "<image>" not in solution and "<video>" not in solution
        assert solution.rpartition("\n")[2] == problem["solution"].rpartition("\n")[2]
        if form == "trl":
            assert row["trained"] > 0
            if names:
                builder = InputBuilder.load(MODEL, store)
                own = builder.features(builder.render(asked), names)["pixel_values"]
                assert np.allclose(own.numpy(), np.array(row["pixel_values"]), atol=1e-6)


@pytest.mark.parametrize("form", list(FORMATS))
def test_rows_that_teach_to_reflect(tmp_path: Path, form: str) -> None:
    put(tmp_path / "from" / "a.jsonl", [{"question": "x?", "answer": "7", "image": "p.png"}])
    put(tmp_path / "from" / "p.png", picture(1))
    first = bring("ms-swift", tmp_path / "from", tmp_path)
    data = pipeline(tmp_path / "data", first, ["It is 7."], **DRAFT)
    assert read_table(data / "rounds/r1/train.parquet")["draft"].null_count() == 0
    export_rows(form, data, tmp_path / form)
    prompts = [solve_messages("x?", [], 1), reflect_messages("x?", [], 1, *DRAFT.values())]
    texts = [row["messages"][0]["content"] for row in read_back(form, tmp_path / form)]
    tag = "" if form == "trl" else "<image>"
    assert texts == [tag + prompt[0]["content"][-1]["text"] for prompt in prompts]


def test_the_image_column_is_a_list_even_where_all_rows_are_text(tmp_path: Path) -> None:
    put(
        tmp_path / "from" / "a.jsonl",
        [{"question": "2?", "answer": "2", "solution": "2, as given."}],
    )
    first = bring("ms-swift", tmp_path / "from", tmp_path)
    assert first.problems.filter(pl.col("solution").is_not_null()).height == 1
    for form in FORMATS:
        export_rows(form, first.out, tmp_path / form)
        assert [row["images"] for row in read_back(form, tmp_path / form)] == [[]]
