"""decontaminate: list the training problems that an evaluation split holds too, before anything is learned."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import schemas
from mathse.core.images import ImageStore
from mathse.core.params import load_params
from mathse.curation.contamination import contaminated_problems, find_matches
from stages.common import empty, read_problems, run, write, write_metrics


def decontaminate(params: Path, problems: Path, out: Path, metrics: Path) -> None:
    """Write matches.parquet into OUT."""
    settings = load_params(params)
    rows = read_problems(problems)
    matches = empty(schemas.Match)
    if settings.decontaminate.enabled:
        image = ImageStore(problems / "images").get
        matches = find_matches(rows, image, settings.decontaminate, evaluated=settings.eval.splits)
    write(matches, out / "matches.parquet", schemas.Match, sort_by=["problem_id", "other_id"])
    counts = {
        "matches": matches.height,
        "rules": dict(matches.group_by("rule").agg(pl.len()).sort("rule").iter_rows()),
        "contaminated": {
            split: len(contaminated_problems(matches, split)) for split in ("train", "orm")
        },
    }
    write_metrics(metrics, {"decontaminate": counts})


if __name__ == "__main__":
    run(decontaminate)
