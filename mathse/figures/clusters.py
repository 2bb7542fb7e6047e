"""Problems about the same figure or picture: the clusters that intervals and tests resample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from mathse.core.ids import content_id
from mathse.figures.catalogue import family
from mathse.figures.source import SOURCE
from schemas import Graded, column_types


def clusters_of(problems: pl.DataFrame) -> pl.DataFrame:
    """Return problem_id and cluster of each problem, in order.

    Built-in problems whose figures show the same facts, up to symmetries, are one cluster. So are
    other problems with the same pictures. A problem without pictures is a cluster of its own.

    Args:
        problems: `Problem` rows.

    Not covered: pictures of a data set that show the same and differ in a pixel.
    """
    columns = problems.select("problem_id", "source", "family", "image_ids", "meta")
    rows = [(row["problem_id"], _cluster(row)) for row in columns.iter_rows(named=True)]
    types = column_types(Graded, "problem_id", "cluster")
    return pl.DataFrame(rows, schema=types, orient="row")


def _cluster(row: Mapping[str, Any]) -> str:
    """Return a content id of what a problem shows; of a problem that shows nothing, its own id."""
    if row["source"] == SOURCE:
        facts = json.loads(row["meta"] or "{}").get("facts")
        if facts is not None:
            return content_id(row["family"], family(row["family"]).canonical(facts))
    return content_id(sorted({*row["image_ids"]})) if row["image_ids"] else str(row["problem_id"])
