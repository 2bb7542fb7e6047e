"""A hash of the problems that something is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from mathse.core.ids import ListHash
from mathse.core.params import TRAINED_SPLITS


def write_trained_on(rows: pl.DataFrame, path: Path) -> None:
    """Write the hash of those `Problem` rows; images have content ids.

    Stages that read no others depend on this file: with a new benchmark they do not run again.
    """
    found = ListHash()
    trained = rows.filter(pl.col("split").is_in(TRAINED_SPLITS)).sort("problem_id")
    for row in trained.iter_rows(named=True):
        found.add(row)
    path.write_text(json.dumps({"problems": found.content_id()}) + "\n", encoding="utf-8")
