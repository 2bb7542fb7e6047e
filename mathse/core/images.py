"""Image bytes in Parquet shards, once each; a store reads them lazily with bounded memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import polars as pl

from mathse.core.errors import DataError
from mathse.core.params import PixelLimits
from mathse.core.tables import reading, table_files, write_parquet

ROWS_PER_BLOCK = 64
ROWS_PER_SHARD = 2000
CACHE_BYTES = 256 * 1024 * 1024


def write_images(
    df: pl.DataFrame, folder: str | Path, *, rows_per_shard: int = ROWS_PER_SHARD
) -> None:
    """Write image rows as shards sorted by `image_id`; shards of an earlier run are removed.

    An image that occurs twice is written once. The row groups are small, so that `ImageStore` can
    fetch few images at a time. With no rows, one empty shard keeps the columns.
    """
    ids = df["image_id"].unique()
    write_shards(image_shards(df.lazy(), ids, rows_per_shard=rows_per_shard), Path(folder))


def image_shards(
    images: pl.LazyFrame, ids: pl.Series, *, rows_per_shard: int = ROWS_PER_SHARD
) -> Iterator[pl.DataFrame]:
    """Yield the images with these ids sorted by id, a shard at a time; at least one frame.

    Args:
        images: Image rows; an image may be there several times. Little more than a shard is in
            memory if they are scanned from files that are sorted by id.
        ids: the images wanted, each once.
        rows_per_shard: rows in each shard but the last.
    """
    image_id = pl.col("image_id")
    if ids.is_empty():
        yield images.head(0).collect()
    for wanted in ids.sort().to_frame("image_id").iter_slices(rows_per_shard):
        # The bounds let polars skip the row groups of other shards.
        first, last = (pl.lit(wanted["image_id"][index]) for index in (0, -1))
        rows = images.filter(image_id.is_between(first, last))
        rows = rows.filter(image_id.is_in(wanted["image_id"].implode()))
        yield rows.collect().unique("image_id", keep="first", maintain_order=True).sort("image_id")


def write_shards(shards: Iterable[pl.DataFrame], folder: Path) -> None:
    """Write sorted image rows as the shards of a folder; those of an earlier run are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    names = set()
    for number, rows in enumerate(shards):
        name = f"images-{number:05d}.parquet"
        write_parquet(rows, folder / name, rows_per_group=ROWS_PER_BLOCK)
        names.add(name)
    for old in folder.glob("*.parquet"):
        if old.name not in names:
            old.unlink()


class ImageStore:
    """Fetch image bytes by id from the shards of a folder.

    In memory are the ids, and the blocks read last, up to `cache_bytes` of image bytes. Threads may
    share a store. A store that is sent to another process is opened again there (polars does not
    survive a fork).

    Args:
        folder: a folder that `write_images` wrote.
        pixels: to how many pixels pictures are scaled where a model sees them.
        more: more such folders.
        cache_bytes: how many bytes of images to keep.

    Raises:
        DataError: if the folder has no shards or a shard is damaged.
    """

    def __init__(
        self,
        folder: str | Path,
        pixels: PixelLimits | None = None,
        *,
        more: Sequence[Path] = (),
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.folder = Path(folder)
        self.pixels = pixels or PixelLimits()
        self._more = tuple(more)
        self._files = [file for path in (self.folder, *more) for file in table_files(path)]
        self._cache_bytes = cache_bytes
        self._blocks: OrderedDict[tuple[int, int], dict[str, bytes]] = OrderedDict()
        self._cached_bytes = 0
        self._lock = threading.Lock()
        self._block_of: dict[str, tuple[int, int]] = {}
        for number, file in enumerate(self._files):
            with reading(file):
                ids = pl.scan_parquet(file, glob=False).select("image_id").collect()["image_id"]
            self._block_of |= {
                image_id: (number, row // ROWS_PER_BLOCK) for row, image_id in enumerate(ids)
            }

    def __reduce__(self) -> tuple[object, ...]:
        """Send the folders to another process, nothing that was read from them.

        As whole paths: it may have started in another folder.
        """
        more = [folder.absolute() for folder in self._more]
        made = partial(type(self), more=more, cache_bytes=self._cache_bytes)
        return made, (self.folder.absolute(), self.pixels)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self._block_of)

    def get(self, image_id: str) -> bytes:
        """Return an image's bytes.

        Raises:
            DataError: if there is no such image or its shard cannot be read.
        """
        block = self._block_of.get(image_id)
        if block is None:
            raise DataError(
                f"There is no image {image_id} among the {len(self)} images here.",
                file=self.folder,
                rule="image id is known",
                fix="run the problems stage again: it writes problems and images together",
            )
        with self._lock:
            if block not in self._blocks:
                self._load(block)
            self._blocks.move_to_end(block)
            return self._blocks[block][image_id]

    def _load(self, block: tuple[int, int]) -> None:
        """Read one block and drop those used longest ago until the rest fits."""
        number, start = block[0], block[1] * ROWS_PER_BLOCK
        file = self._files[number]
        rows = (
            pl.scan_parquet(file, glob=False)
            .select("image_id", "bytes")
            .slice(start, ROWS_PER_BLOCK)
        )
        with reading(file):
            images = dict(rows.collect().iter_rows())
        self._blocks[block] = images
        self._cached_bytes += sum(map(len, images.values()))
        while self._cached_bytes > self._cache_bytes and len(self._blocks) > 1:
            _, dropped = self._blocks.popitem(last=False)
            self._cached_bytes -= sum(map(len, dropped.values()))
