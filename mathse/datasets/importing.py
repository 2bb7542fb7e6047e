"""Import a data set: rows in chunks through a journal, then Problem and Image tables, in bounded memory.

A chunk is finished when its problems, quarantined rows and images are in the journal. After a kill
the same call goes on from there and ends in the same bytes. The journal lies beside the result and
is removed at the end. At any time the images of one chunk or one shard are in memory, and the texts
of all problems.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.core.journal import load_chunk, store_chunk
from mathse.core.progress import Progress
from mathse.core.tables import write_table
from mathse.datasets.file_readers import count_rows
from mathse.datasets.problem_builder import build_problem
from mathse.datasets.protocol import BadRow, Source
from mathse.datasets.raw_problems import (
    Entry,
    cut_chunks,
    fingerprint,
    quarantine_row,
    read_entries,
)
from mathse.datasets.registry import find_source
from mathse.datasets.shards import pack, unpack, write_shards
from schemas import Image, Problem, Quarantine, column_types

IMAGE_TYPES, PROBLEM_TYPES = column_types(Image), column_types(Problem)
QUARANTINE_TYPES = column_types(Quarantine)

READER_VERSION = 1
"""Part of every chunk's key: raise it when a change of the readers changes what they make of a row."""


def import_source(
    name: str,
    path: str | Path,
    out: str | Path,
    *,
    limit: int | None = None,
    splits: Sequence[str] | None = None,
    images: str | Path | None = None,
) -> dict[str, Any]:
    """Import a data set or benchmark.

    Args:
        name: one of `mathse.datasets.SOURCES`.
        path: the data set's folder (or its file, where it is one file), in its published layout.
        out: where problems.parquet, images/, quarantine.parquet and import.json go.
        limit: read at most so many rows.
        splits: take only rows of these splits, as the data set names them.
        images: a further folder to look for images in; for data sets whose images lie elsewhere.

    Returns:
        The counts as in import.json: rows = problems + quarantined + duplicates.

    Raises:
        ParamError: if the source is unknown, `limit` is not positive, or a split does not exist.
        DataError: if nothing of the expected layout is there.
    """
    source, root, out = find_source(name), Path(path), Path(out)
    if limit is not None and limit < 1:
        raise ParamError(f"import {name}: limit must be at least 1, not {limit}")
    files = list(source.files(root)) if root.exists() else []
    if not files:
        raise DataError(
            f"Nothing of {source.title} is here.",
            file=root,
            rule="the layout is as published",
            fix=source.expects,
        )
    inside = [root if root.is_dir() else root.parent, *([Path(images)] if images else [])]
    journal = out.parent / f".{out.name}.import"
    run = _Run(source, inside, journal)
    total = sum(count_rows(file) for file in files)
    with Progress(
        total=min(total, limit or total), label=f"import {name}", unit="rows"
    ) as progress:
        wanted = None if splits is None else set(splits)
        for chunk in cut_chunks(read_entries(source, files, inside, wanted, limit, progress)):
            run.take(chunk)
    if run.rows == 0 and wanted is not None:
        raise ParamError(f"import {name}: no rows of the splits {sorted(wanted)} are in {root}")
    return run.finish(out)


class _Run:
    """What an import has gathered so far; the images stay in the journal."""

    def __init__(self, source: Source, inside: Sequence[Path], journal: Path) -> None:
        self.source, self.inside, self.journal = source, inside, journal
        self.rows = 0
        self.keys: list[str] = []
        self.problems: list[pl.DataFrame] = []
        self.aside: list[pl.DataFrame] = []

    def take(self, chunk: Sequence[Entry]) -> None:
        """Work through a chunk, or take it from the journal."""
        key = content_id(
            "import", READER_VERSION, self.source.name, [fingerprint(item) for item in chunk]
        )
        packed = load_chunk(self.journal, key)
        if packed is None:
            packed = pack(*self._work(chunk))
            store_chunk(self.journal, key, packed)
        problems, aside = unpack(packed, "problems"), unpack(packed, "aside")
        self.rows += len(chunk)
        self.keys.append(key)
        self.problems.append(problems)
        self.aside.append(aside)

    def _work(self, chunk: Sequence[Entry]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        problems: list[dict[str, Any]] = []
        aside: list[dict[str, Any]] = []
        images: dict[str, dict[str, Any]] = {}
        for item in chunk:
            try:
                if isinstance(item.problem, BadRow):
                    raise item.problem
                row, found = build_problem(
                    item.problem, self.source.name, item.file.roots, self.inside
                )
            except BadRow as bad:
                aside.append(quarantine_row(item, bad))
                continue
            problems.append(row)
            images |= {image["image_id"]: image for image in found}
        return (
            pl.DataFrame(problems, schema=PROBLEM_TYPES),
            pl.DataFrame(aside, schema=QUARANTINE_TYPES),
            pl.DataFrame(list(images.values()), schema=IMAGE_TYPES).sort("image_id"),
        )

    def finish(self, out: Path) -> dict[str, Any]:
        """Write the tables; the counts come last, so that a folder with import.json is whole."""
        everything = pl.concat([pl.DataFrame(schema=PROBLEM_TYPES), *self.problems])
        problems = _without_duplicates(everything)
        aside = pl.concat([pl.DataFrame(schema=QUARANTINE_TYPES), *self.aside])
        out.mkdir(parents=True, exist_ok=True)
        (out / "import.json").unlink(missing_ok=True)
        ids = problems["image_ids"].explode(empty_as_null=False).unique()
        parts = [self.journal / f"{key}.parquet" for key in dict.fromkeys(self.keys)]
        n_images = write_shards(parts, ids, out / "images", spool=self.journal / "spool")
        write_table(problems, out / "problems.parquet", sort_by=["split", "problem_id"])
        write_table(aside, out / "quarantine.parquet", sort_by=["file", "row", "rule", "field"])
        counts = {
            "source": self.source.name,
            "rows": self.rows,
            "problems": problems.height,
            "quarantined": aside.height,
            "duplicates": everything.height - problems.height,
            "images": n_images,
            "splits": dict(sorted(Counter(problems["split"].to_list()).items())),
            "rules": dict(sorted(Counter(aside["rule"].to_list()).items())),
        }
        (out / "import.json").write_text(
            json.dumps(counts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        shutil.rmtree(self.journal, ignore_errors=True)
        return counts


def _without_duplicates(problems: pl.DataFrame) -> pl.DataFrame:
    """Keep the first row of each problem; split, `meta` and solution of its other rows go into its `meta`, as `also`.

    One problem may stand in a data set more than once, as in benchmarks whose versions of a problem
    differ only here and there, or with several solutions: what the other rows say must not be lost.
    """
    first = problems["problem_id"].is_first_distinct()
    others: dict[str, list[Any]] = {}
    columns = ("problem_id", "split", "solution", "meta")
    for name, split, solution, meta in problems.filter(~first).select(columns).iter_rows():
        others.setdefault(name, []).append(
            {"split": split, "solution": solution, "meta": json.loads(meta)}
        )
    kept = problems.filter(first)
    if not others:
        return kept
    metas = [
        json.dumps({**json.loads(meta), "also": others[name]}, ensure_ascii=False, sort_keys=True)
        if name in others
        else meta
        for name, meta in kept.select("problem_id", "meta").iter_rows()
    ]
    return kept.with_columns(meta=pl.Series(metas, dtype=pl.String))
