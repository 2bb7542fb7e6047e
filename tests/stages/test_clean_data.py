"""Leaks between training and evaluation, and corrected answers, through the stages themselves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import schemas
from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.images import write_images
from mathse.core.tables import read_table, write_table
from mathse.figures.source import build_tables
from stages.decontaminate import decontaminate
from stages.distill import distill
from stages.problems import problems
from tests.closure import ROOT
from tests.curation.pictures import recompressed


def settings(folder: Path, **sections: dict[str, Any]) -> Path:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, changes in sections.items():
        values[name] |= changes
    (folder / "params.yaml").write_text(yaml.safe_dump(values))
    return folder / "params.yaml"


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Write problems of which one of each training split is a recompressed copy of an evaluated one."""
    rows, images = build_tables(
        {"train": 12, "orm": 6, "orm_test": 2, "eval": 4, "eval_hard": 2}, seed=5
    )
    names = {}
    for split, copied in (("train", "eval"), ("orm", "eval_hard")):
        original = rows.filter(pl.col("split") == copied).row(0, named=True)
        data = recompressed(70)(
            dict(images.select("image_id", "bytes").iter_rows())[original["image_ids"][0]]
        )
        image = images.row(0, named=True) | {
            "image_id": hashlib.sha256(data).hexdigest(),
            "bytes": data,
            "format": "JPEG",
        }
        ids = [image["image_id"]]
        copy = original | {
            "split": split,
            "image_ids": ids,
            "question": "Look closely. " + original["question"],
        }
        copy["problem_id"] = content_id(copy["question"], copy["choices"], copy["answer"], ids)
        names[split] = copy["problem_id"]
        rows = pl.concat([rows, pl.DataFrame([copy], schema=rows.schema)])
        images = pl.concat([images, pl.DataFrame([image], schema=images.schema)])
    types = schemas.column_types(schemas.Problem)
    rows = rows.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    write_table(rows, tmp_path / "problems/problems.parquet", sort_by=["split", "problem_id"])
    write_images(images, tmp_path / "problems/images")
    return tmp_path, names


def test_a_leak_is_listed_and_used_in_no_training(planted: tuple[Path, dict[str, str]]) -> None:
    folder, names = planted
    params = settings(folder, distill={"problems": 100})
    decontaminate(params, folder / "problems", folder / "found", folder / "metrics.json")
    matches = read_table(folder / "found/matches.parquet")
    assert sorted(matches["problem_id"]) == sorted(names.values())
    counts = json.loads((folder / "metrics.json").read_text())["decontaminate"]
    assert counts["contaminated"] == {"train": 1, "orm": 1} and counts["matches"] == 2
    first = folder / "r0"
    distill(
        params,
        folder / "problems",
        folder / "found/matches.parquet",
        folder / "distill",
        first,
        folder / "m.json",
    )
    ledger = read_table(first / "ledger.parquet")
    state = dict(ledger.select("problem_id", "state").iter_rows())
    assert state.pop(names["train"]) == "contaminated" and set(state.values()) == {"distilled"}
    assert names["train"] not in read_table(first / "train.parquet")["problem_id"].to_list()
    assert (
        names["train"]
        not in read_table(folder / "distill/trajectories.parquet")["problem_id"].to_list()
    )


def test_switched_off_nothing_is_listed(planted: tuple[Path, dict[str, str]]) -> None:
    folder, _ = planted
    params = settings(folder, decontaminate={"enabled": False})
    decontaminate(params, folder / "problems", folder / "found", folder / "metrics.json")
    assert read_table(folder / "found/matches.parquet").is_empty()


def test_corrected_answers_are_laid_over_the_problems(tmp_path: Path) -> None:
    figures = {"train": 6, "orm": 2, "orm_test": 2, "eval": 2, "eval_hard": 2}
    plain = settings(tmp_path, problems={"figures": figures})
    problems(plain, tmp_path / "before", tmp_path / "metrics.json")
    before = read_table(tmp_path / "before/problems.parquet")
    row = before.filter(
        (pl.col("answer_type") == "number") & (pl.col("choices").list.len() == 0)
    ).row(0, named=True)
    file = tmp_path / "overrides.csv"
    file.write_text(f"problem_id,answer,note\n{row['problem_id']},12345,by hand\n")
    params = settings(tmp_path, problems={"figures": figures, "overrides": str(file)})
    problems(params, tmp_path / "after", tmp_path / "metrics.json")
    after = read_table(tmp_path / "after/problems.parquet")
    changed = after.join(before, on="problem_id", how="anti")
    assert changed["answer"].to_list() == ["12345"] and after.height == before.height
    file.write_text("problem_id,answer,note\nffffffffffffffff,1,\n")
    with pytest.raises(DataError, match="not among the problems"):
        problems(params, tmp_path / "never", tmp_path / "metrics.json")
