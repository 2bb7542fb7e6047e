"""Import a data set: rows in chunks through a journal, then Problem and Image tables.

A chunk is finished when its problems, quarantined rows and images are in the journal. After a kill
the same call goes on from there and ends in the same bytes. The journal lies beside the result and
is removed at the end. At any time the images of one chunk or one shard are in memory, and at the
end the texts of all problems.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl

from mathse.answers import check_one
from mathse.core.errors import ParamError
from mathse.core.ids import content_id
from mathse.core.images import image_shards, write_shards
from mathse.core.journal import is_stored, store_chunk
from mathse.core.progress import Progress
from mathse.core.tables import read_table, write_table
from mathse.datasets.data_folders import allowed_folders, find_files, find_folder
from mathse.datasets.file_readers import count_rows
from mathse.datasets.image_files import read_image
from mathse.datasets.problem_builder import broken_rules, normalize, with_images
from mathse.datasets.protocol import BadRow, Row, Source
from mathse.datasets.raw_problems import Entry, cut_chunks, read_entries
from mathse.datasets.registry import find_source
from schemas import Image, Problem, Quarantine, column_types

READER_VERSION = 5
"""Part of every chunk's key: raise it when a change of the readers changes their results."""
CHUNK_TABLES = {
    "images": column_types(Image),
    "quarantined": column_types(Quarantine),
    "problems": column_types(Problem),
}
ROWS_PER_GROUP = 16
"""Row groups of the journal are small, so that a shard reads little besides its own images."""
MAX_CONTRADICTIONS = 20
"""A question with more gold answers lacks something, such as its picture; further ones are counted
and not compared."""


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
        name: one of `mathse.datasets.registry.SOURCES`.
        path: the data set's folder (or its file, where it is one file), in its published layout.
        out: where problems.parquet, images/, quarantine.parquet and import.json go; see
            `result_folder`.
        limit: read at most so many rows.
        splits: take only rows of these splits, as the data set names them.
        images: a further folder to look for images in; for data sets whose images lie elsewhere.

    Returns:
        The counts as in import.json: rows = problems + quarantined + duplicates.

    Raises:
        ParamError: if the source is unknown, `limit` is not positive, a split or the folder of
            images does not exist, or the result would lie on what is read.
        DataError: if nothing of the expected layout is there.
    """
    source, out = find_source(name), Path(out)
    if limit is not None and limit < 1:
        raise ParamError(f"import {name}: limit must be at least 1, not {limit}")
    root = find_folder(path)
    if images is not None and not Path(images).is_dir():
        raise ParamError(f"import {name}: --images names no folder: {images}")
    _check_apart(root, out)
    journal = out.parent / f".{out.name}.import"
    _check_new(out, journal)
    files = find_files(source, root, images)

    # Work through the chunks that are not in the journal yet.
    inside = allowed_folders(root, images)
    keys: list[str] = []
    total = min(sum(count_rows(file) for file in files), limit or sys.maxsize)
    with Progress(total=total, label=f"import {name}", unit="rows") as progress:
        entries = read_entries(source, files, inside, splits, progress)
        for chunk in cut_chunks(islice(entries, limit)):
            digests = [entry.digest() for entry in chunk]
            keys.append(content_id("import", READER_VERSION, name, digests))
            if not all(is_stored(journal, f"{keys[-1]}-{table}") for table in CHUNK_TABLES):
                for table, rows in _work(source, chunk, inside).items():
                    frame = pl.DataFrame(rows, schema=CHUNK_TABLES[table])
                    file = f"{keys[-1]}-{table}"
                    store_chunk(journal, file, frame, rows_per_group=ROWS_PER_GROUP)
    if not keys and splits is not None:
        raise ParamError(
            f"import {name}: no rows of the splits {sorted(splits)} are in {root}\n"
            "  fix: import all (without --split); import.json then counts the rows of each split"
        )

    # An import that kept problems is not replaced by an empty one.
    out = result_folder(
        out, any(read_table(journal / f"{key}-problems.parquet").height for key in keys)
    )

    # Write the tables; the counts come last, so that a folder with import.json is whole.
    out.mkdir(parents=True, exist_ok=True)
    (out / "import.json").unlink(missing_ok=True)
    counts = {"source": name, **_write_tables(journal, keys, out)}
    text = json.dumps(counts, indent=2, ensure_ascii=False)
    (out / "import.json").write_text(text + "\n", encoding="utf-8")
    shutil.rmtree(journal, ignore_errors=True)
    return counts


def result_folder(out: str | Path, keeps_problems: bool) -> Path:
    """Return where the tables of an import go: into `out`, unless that would lose an earlier one.

    An import that keeps no problem goes into OUT.failed if `out` has one that did: its tables stay,
    and so does the digest that imports.json has of them.
    """
    folder = Path(out)
    try:
        earlier = json.loads((folder / "import.json").read_text(encoding="utf-8"))["problems"]
    except (OSError, ValueError, KeyError, TypeError):
        earlier = 0
    if keeps_problems or not earlier:
        return folder
    whole = folder.resolve()  # "." has no name
    return whole.with_name(f"{whole.name}.failed")


def _check_apart(root: Path, out: Path) -> None:
    """Raise ParamError if the tables of `out` would lie on, or among, the files of the data set."""
    tables = (out / name for name in ("problems.parquet", "quarantine.parquet", "import.json"))
    read, images = root.resolve(), (out / "images").resolve()
    if read in (out.resolve(), images, *(table.resolve() for table in tables)) or (
        root.is_file() and read.parent == images
    ):
        raise ParamError(
            f"import: {out} is what is read; a second import would read the first one's tables.\n"
            "  fix: give --out a folder of its own"
        )


def _check_new(out: Path, journal: Path) -> None:
    """Raise ParamError unless a folder is new, empty, or that of an import, if only begun."""
    if out.is_dir():
        if (out / "import.json").is_file() or journal.is_dir() or not any(out.iterdir()):
            return
        raise ParamError(
            f"import: {out} holds other files, and no import.\n"
            "  fix: give --out a new folder, such as data/import/NAME"
        )
    if out.exists():
        raise ParamError(f"import: {out} is a file.\n  fix: give --out a folder")


def _work(source: Source, chunk: Sequence[Entry], inside: Sequence[Path]) -> dict[str, list[Row]]:
    """Return the rows of a chunk's tables."""
    # Normalize the rows, and check them by the rules of the Problem table.
    rows: list[Row | BadRow] = []
    for entry in chunk:
        try:
            if isinstance(entry.problem, BadRow):
                raise entry.problem
            rows.append(normalize(entry.problem, source.name))
        except BadRow as bad:
            rows.append(bad)
    whole = {index: row for index, row in enumerate(rows) if isinstance(row, dict)}
    for index, broken in zip(whole, broken_rules(list(whole.values())), strict=True):
        rows[index] = broken or rows[index]

    # Read the images of those that keep them.
    problems, quarantined = [], []
    images: dict[str, Row] = {}
    for entry, row in zip(chunk, rows, strict=True):
        try:
            if isinstance(row, BadRow):
                raise row
            found = [read_image(one, entry.file.roots, inside) for one in entry.pictures]
        except BadRow as bad:
            quarantined.append(entry.quarantine_row(bad))
            continue
        problems.append(with_images(row, [image["image_id"] for image in found]))
        images |= {image["image_id"]: image for image in found}
    by_id = sorted(images.values(), key=lambda image: str(image["image_id"]))
    return {"images": by_id, "quarantined": quarantined, "problems": problems}


def _write_tables(journal: Path, keys: Sequence[str], out: Path) -> dict[str, Any]:
    """Write the tables of all chunks and return their counts."""
    files = {name: [journal / f"{key}-{name}.parquet" for key in keys] for name in CHUNK_TABLES}
    everything, quarantined = (
        pl.concat([pl.DataFrame(schema=CHUNK_TABLES[name]), *map(read_table, files[name])])
        for name in ("problems", "quarantined")
    )
    problems, n_contradicting = note_contradictions(_merge_duplicates(everything))
    ids = problems["image_ids"].explode(empty_as_null=False).unique()
    images = (
        pl.scan_parquet(files["images"], glob=False)
        if keys
        else pl.LazyFrame(schema=CHUNK_TABLES["images"])
    )
    write_shards(image_shards(images, ids), out / "images")
    write_table(problems, out / "problems.parquet", sort_by=["split", "problem_id"])
    order = ["file", "row", "rule", "field"]
    write_table(quarantined, out / "quarantine.parquet", sort_by=order)
    return {
        "rows": everything.height + quarantined.height,
        "problems": problems.height,
        "quarantined": quarantined.height,
        "duplicates": everything.height - problems.height,
        "contradicting": n_contradicting,
        "images": ids.len(),
        "splits": dict(sorted(Counter(problems["split"]).items())),
        "rules": dict(sorted(Counter(quarantined["rule"]).items())),
    }


def _merge_duplicates(problems: pl.DataFrame) -> pl.DataFrame:
    """Keep the first row of each problem and split, with what the others have besides in its meta.

    A problem may occur several times, as in benchmarks whose versions of a problem differ only here
    and there, or with several solutions. The other rows go into `meta` as `also`. In another split
    it stays, since that may be evaluated: `load_imports` then keeps it out of training.
    """
    problems = _with_own_ids(problems)
    key = ("problem_id", "split")
    first = problems.select(pl.struct(key).is_first_distinct()).to_series()
    others: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for name, split, solution, meta in (
        problems.filter(~first).select(*key, "solution", "meta").iter_rows()
    ):
        entry = {"split": split, "solution": solution, "meta": json.loads(meta)}
        others[name, split].append(entry)
    kept = problems.filter(first)
    metas = [
        _with_meta(meta, "also", others[name, split]) if (name, split) in others else meta
        for name, split, meta in kept.select(*key, "meta").iter_rows()
    ]
    return kept.with_columns(meta=pl.Series(metas, dtype=pl.String))


def _with_own_ids(problems: pl.DataFrame) -> pl.DataFrame:
    """Give an id of its own to a problem that differs from an earlier one in unit or precision."""
    known: dict[str, tuple[str | None, int | None]] = {}
    names = []
    for name, *asked in problems.select("problem_id", "unit", "precision").iter_rows():
        is_first = known.setdefault(name, tuple(asked)) == tuple(asked)
        names.append(name if is_first else content_id(name, *asked))
    return problems.with_columns(problem_id=pl.Series(names, dtype=pl.String))


def note_contradictions(problems: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Note in `meta`, as `contradicts`, the other gold answers to the same question and images.

    Returns:
        The rows in the same order, and how many of them contradict another.
    """
    asked = ["question", "choices", "image_ids"]
    metas = problems["meta"].to_list()
    found = 0
    repeated = problems.with_row_index("index").filter(pl.len().over(asked) > 1)
    for group in repeated.partition_by(asked, maintain_order=True):
        rows = group.to_dicts()
        same = _same_golds(rows)
        golds, counts = sorted(same), Counter(same.values())
        for row in rows:
            number = same[_gold(row)]
            others = (gold for gold in golds if same[gold] != number)
            differ = [*islice(others, MAX_CONTRADICTIONS)]
            if (more := len(golds) - counts[number] - len(differ)) > 0:
                differ.append(f"and {more} others")
            if differ:
                metas[row["index"]] = _with_meta(row["meta"], "contradicts", differ)
                found += 1
    return problems.with_columns(meta=pl.Series(metas, dtype=pl.String)), found


def _gold(row: Row) -> str:
    has_unit = row["unit"] and not row["choices"]
    return f"{row['answer']} {row['unit']}" if has_unit else str(row["answer"])


def _same_golds(rows: Sequence[Row]) -> dict[str, int]:
    """Return for each gold answer the number of the first one that says the same."""
    same: dict[str, int] = {}
    firsts: list[tuple[int, Row]] = []
    for number, row in enumerate(rows):
        if (gold := _gold(row)) in same:
            continue
        same[gold] = next((first for first, other in firsts if _agree(other, gold)), number)
        if same[gold] == number and len(firsts) < MAX_CONTRADICTIONS:
            firsts.append((number, row))
    return same


def _agree(row: Row, gold: str) -> bool:
    given = {key: row[key] for key in ("choices", "answer_type", "unit", "precision")}
    return check_one(row["answer"], gold, **given).state == "match"


def _with_meta(meta: str, name: str, value: Any) -> str:
    return json.dumps({**json.loads(meta), name: value}, ensure_ascii=False, sort_keys=True)
