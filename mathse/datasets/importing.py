"""Import a data set: rows in chunks through a journal, then Problem and Image tables.

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
from mathse.datasets.image_files import read_image
from mathse.datasets.problem_builder import broken_rules, normalize, with_images
from mathse.datasets.protocol import BadRow, Source
from mathse.datasets.raw_problems import Entry, cut_chunks, read_entries
from mathse.datasets.registry import find_source
from mathse.datasets.shards import CHUNK_TABLES, pack, unpack, write_shards

READER_VERSION = 2
"""Part of every chunk's key: raise it when a change of the readers changes their results."""


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
    """The state of an import; its images stay in the journal."""

    def __init__(self, source: Source, inside: Sequence[Path], journal: Path) -> None:
        self.source, self.inside, self.journal = source, inside, journal
        self.rows = 0
        self.keys: list[str] = []
        self.problems = [pl.DataFrame(schema=CHUNK_TABLES["problems"])]
        self.quarantined = [pl.DataFrame(schema=CHUNK_TABLES["quarantined"])]

    def take(self, chunk: Sequence[Entry]) -> None:
        """Work through a chunk, or take it from the journal."""
        prints = [entry.fingerprint() for entry in chunk]
        key = content_id("import", READER_VERSION, self.source.name, prints)
        packed = load_chunk(self.journal, key)
        if packed is None:
            packed = self._work(chunk)
            store_chunk(self.journal, key, packed)
        self.rows += len(chunk)
        self.keys.append(key)
        self.problems.append(unpack(packed, "problems"))
        self.quarantined.append(unpack(packed, "quarantined"))

    def _work(self, chunk: Sequence[Entry]) -> pl.DataFrame:
        # Normalize the rows, and check them by the rules of the Problem table.
        rows: list[dict[str, Any] | BadRow] = []
        for entry in chunk:
            try:
                if isinstance(entry.problem, BadRow):
                    raise entry.problem
                rows.append(normalize(entry.problem, self.source.name))
            except BadRow as bad:
                rows.append(bad)
        whole = {index: row for index, row in enumerate(rows) if isinstance(row, dict)}
        for index, broken in zip(whole, broken_rules(list(whole.values())), strict=True):
            rows[index] = broken or rows[index]

        # Read the images of those that keep them.
        problems, quarantined = [], []
        images: dict[str, dict[str, Any]] = {}
        for entry, row in zip(chunk, rows, strict=True):
            try:
                if isinstance(row, BadRow):
                    raise row
                found = [read_image(one, entry.file.roots, self.inside) for one in entry.pictures]
            except BadRow as bad:
                quarantined.append(entry.quarantine_row(bad))
                continue
            problems.append(with_images(row, [image["image_id"] for image in found]))
            images |= {image["image_id"]: image for image in found}
        return pack(problems, quarantined, sorted(images.values(), key=lambda one: one["image_id"]))

    def finish(self, out: Path) -> dict[str, Any]:
        """Write the tables; the counts come last, so that a folder with import.json is whole."""
        everything = pl.concat(self.problems)
        problems = _merge_duplicates(everything)
        quarantined = pl.concat(self.quarantined)
        out.mkdir(parents=True, exist_ok=True)
        (out / "import.json").unlink(missing_ok=True)
        ids = problems["image_ids"].explode(empty_as_null=False).unique()
        parts = [self.journal / f"{key}.parquet" for key in dict.fromkeys(self.keys)]
        n_images = write_shards(parts, ids, out / "images", spool=self.journal / "spool")
        write_table(problems, out / "problems.parquet", sort_by=["split", "problem_id"])
        order = ["file", "row", "rule", "field"]
        write_table(quarantined, out / "quarantine.parquet", sort_by=order)
        counts = {
            "source": self.source.name,
            "rows": self.rows,
            "problems": problems.height,
            "quarantined": quarantined.height,
            "duplicates": everything.height - problems.height,
            "images": n_images,
            "splits": dict(sorted(Counter(problems["split"].to_list()).items())),
            "rules": dict(sorted(Counter(quarantined["rule"].to_list()).items())),
        }
        (out / "import.json").write_text(
            json.dumps(counts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        shutil.rmtree(self.journal, ignore_errors=True)
        return counts


def _merge_duplicates(problems: pl.DataFrame) -> pl.DataFrame:
    """Keep the first row of each problem, with split, solution and meta of the others in its meta.

    A problem may occur several times, as in benchmarks whose versions of a problem differ only here
    and there, or with several solutions. The other rows go into `meta` as `also`.
    """
    first = problems["problem_id"].is_first_distinct()
    others: dict[str, list[Any]] = {}
    columns = ("problem_id", "split", "solution", "meta")
    for name, split, solution, meta in problems.filter(~first).select(columns).iter_rows():
        other = {"split": split, "solution": solution, "meta": json.loads(meta)}
        others.setdefault(name, []).append(other)
    kept = problems.filter(first)
    metas = []
    for name, meta in kept.select("problem_id", "meta").iter_rows():
        if name in others:
            both = {**json.loads(meta), "also": others[name]}
            meta = json.dumps(both, ensure_ascii=False, sort_keys=True)
        metas.append(meta)
    return kept.with_columns(meta=pl.Series(metas, dtype=pl.String))
