"""Put the images of many journal chunks into sorted shards, one shard's images in memory at a time.

The result equals that of `mathse.core.images.write_images` on all images at once. The chunks are
read once each; every image goes into the spool file of the shard that it belongs to, and then each
spool file becomes a shard.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.images import ROWS_PER_BLOCK
from mathse.core.tables import write_parquet
from schemas import Image, Problem, Quarantine, column_types

ROWS_PER_SHARD = 2000
CHUNK_TABLES = {
    "problems": column_types(Problem),
    "quarantined": column_types(Quarantine),
    "images": column_types(Image),
}
IMAGE_TYPES = CHUNK_TABLES["images"]

Rows = Sequence[Mapping[str, Any]]


def pack(problems: Rows, quarantined: Rows, images: Rows) -> pl.DataFrame:
    """Put the tables of a chunk into one row, so that the journal keeps all of them or none."""
    tables = zip(CHUNK_TABLES.items(), (problems, quarantined, images), strict=True)
    columns = []
    for (name, types), rows in tables:
        structs = pl.DataFrame(rows, schema=types).to_struct()
        columns.append(pl.Series(name, [structs], dtype=pl.List(pl.Struct(types))))
    return pl.DataFrame(columns)


def unpack(packed: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return one of `CHUNK_TABLES` of a chunk."""
    return packed[name].explode(empty_as_null=False).struct.unnest().cast(CHUNK_TABLES[name])


def write_shards(
    parts: Sequence[Path],
    ids: pl.Series,
    folder: Path,
    *,
    spool: Path,
    rows_per_shard: int = ROWS_PER_SHARD,
) -> int:
    """Write the images with these ids as shards sorted by id.

    Args:
        parts: packed chunks in the journal; an image may be in more than one.
        ids: the images wanted.
        folder: where the shards go; those of an earlier run are removed.
        spool: a folder for what is on its way; removed at the end.
        rows_per_shard: rows in each shard but the last.

    Returns:
        The number of images.
    """
    shutil.rmtree(spool, ignore_errors=True)
    spool.mkdir(parents=True)
    ordered = ids.unique().sort()
    shard_of = pl.DataFrame({"image_id": ordered}, schema={"image_id": pl.String}).with_columns(
        shard=pl.int_range(pl.len()) // rows_per_shard
    )
    spooled = _spool(parts, shard_of, spool)
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for number in range(max((ordered.len() + rows_per_shard - 1) // rows_per_shard, 1)):
        rows = spooled.filter(pl.col("shard") == number).sort("image_id")
        file = spool / f"{number}.bin"
        data = file.read_bytes() if file.exists() else b""
        spans = rows.select("start", "size").iter_rows()
        found = [data[start : start + size] for start, size in spans]
        shard = rows.with_columns(pl.Series("bytes", found, dtype=pl.Binary))
        shard = shard.select(IMAGE_TYPES.names()).cast(IMAGE_TYPES)
        names.append(f"images-{number:05d}.parquet")
        write_parquet(shard, folder / names[-1], rows_per_group=ROWS_PER_BLOCK)
    for old in folder.glob("*.parquet"):
        if old.name not in names:
            old.unlink()
    shutil.rmtree(spool)
    return spooled.height


def _spool(parts: Sequence[Path], shard_of: pl.DataFrame, spool: Path) -> pl.DataFrame:
    """Append each wanted image to its shard's spool file; return its other columns and its span."""
    lengths: Counter[int] = Counter()
    done: set[str] = set()
    found = []
    for part in parts:
        rows = unpack(pl.read_parquet(part, columns=["images"], glob=False), "images")
        rows = rows.join(shard_of, on="image_id", how="inner", maintain_order="left")
        rows = rows.filter([name not in done for name in rows["image_id"]])
        done.update(rows["image_id"])
        starts = []
        for group in rows.partition_by("shard", maintain_order=True):
            number = group["shard"][0]
            with (spool / f"{number}.bin").open("ab") as file:
                for name, data in group.select("image_id", "bytes").iter_rows():
                    file.write(data)
                    starts.append((name, lengths[number], len(data)))
                    lengths[number] += len(data)
        types = {"image_id": pl.String, "start": pl.Int64, "size": pl.Int64}
        spans = pl.DataFrame(starts, schema=types, orient="row")
        found.append(rows.drop("bytes").join(spans, on="image_id", maintain_order="left"))
    columns = [(name, dtype) for name, dtype in IMAGE_TYPES.items() if name != "bytes"]
    empty = pl.DataFrame(
        schema=pl.Schema([*columns, *((name, pl.Int64()) for name in ("shard", "start", "size"))])
    )
    return pl.concat([empty, *(frame.select(empty.columns).cast(empty.schema) for frame in found)])
