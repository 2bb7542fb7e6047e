"""The signature of a picture: a perceptual hash, and small grey pictures to compare.

The hash has 256 bits over the low frequencies and finds candidates for `image_similarity`. There is
one signature of the whole picture and one of the picture cut to its ink: rescaling keeps the frame,
but may lose a faint line that sets where the ink begins; a crop of the margin keeps only the ink.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from math import ceil, floor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mathse.core.errors import MathseError
from mathse.core.processes import ONE_THREAD, environment_for_workers, join_parent
from mathse.core.progress import track
from mathse.engines.open_image import open_image

BITS = 256
SIDE = 192
"""Pixels of the square in which two pictures are compared."""
CELL = 4
"""Pixels of the cells whose means are kept."""
INK_THRESHOLD = 40.0

_HASH_SIDE = 64
_READ_SIDE = 640
_PAIRS_PER_BLOCK = 4_000_000
_KEPT = 1024
_FEW = 256
"""So many pictures are read before processes would have started."""
_PER_TASK = 16
_PROCESSES_MAX = 8
"""Each may keep half a gigabyte of pictures."""

T = TypeVar("T")
U = TypeVar("U")
Grey = NDArray[np.float32]
Profile = NDArray[np.float64]
ImageSignature = tuple["FrameSignature", "FrameSignature"]
"""The whole picture, and the picture cut to its ink."""

_WAVES = np.outer(np.arange(1, 17), 2 * np.arange(_HASH_SIDE) + 1) * np.pi / (2 * _HASH_SIDE)
_COSINES = np.cos(_WAVES).astype(np.float32)

TRIMS = np.arange(0.0, 0.085, 0.01)
CUTS = [(float(first), float(last)) for first in TRIMS for last in TRIMS]
"""Shares that are trimmed from both ends of a profile, in all combinations."""


def _interpolation() -> tuple[NDArray[np.int64], Profile]:
    """Return the two neighbours (index of the first, share of the second) of stretched values."""
    cuts, n = np.array(CUTS), SIDE
    first, last = cuts[:, :1] * (n - 1), (1 - cuts[:, 1:]) * (n - 1)
    position = first + (last - first) * np.linspace(0, 1, n)[None, :]
    low = np.minimum(position.astype(np.int64), n - 2)
    return low, position - low


LOW, SHARE = _interpolation()
"""By cut: where the values of a stretched profile lie in the profile."""


def stretched(profile: Profile) -> Profile:
    """Return a profile after each of `CUTS`, stretched to its old length: (cuts, n)."""
    return np.asarray(profile[LOW] * (1 - SHARE) + profile[LOW + 1] * SHARE)


@dataclass(frozen=True, eq=False)
class FrameSignature:
    """The signature of a picture, or of the part of it that has ink."""

    bits: NDArray[np.uint64]  # the hash, as 4 words
    pixels: NDArray[np.uint8]  # `SIDE` x `SIDE` grey values
    ratio: float  # width over height

    @cached_property
    def profiles(self) -> tuple[Profile, Profile]:
        """Mean grey value of each row, and of each column."""
        grey = self.pixels.astype(np.float32)
        return grey.mean(axis=1).astype(np.float64), grey.mean(axis=0).astype(np.float64)

    @cached_property
    def squares(self) -> tuple[Profile, Profile]:
        """Mean square of each profile after each of `CUTS`."""
        rows, columns = (np.mean(stretched(profile) ** 2, axis=1) for profile in self.profiles)
        return rows, columns

    @cached_property
    def cells(self) -> Grey:
        """Means of `CELL` x `CELL` pixels."""
        return cell_means(self.pixels.astype(np.float32))


def compute_signature(data: bytes) -> ImageSignature:
    """Return the signature of an image file.

    Raises:
        DataError: if the bytes do not decode as an image.

    Source:
        The hash follows PDQ (Facebook, 2019): the 16 x 16 lowest frequencies of the discrete cosine
        transform (DCT) of 64 x 64 grey values, each against their median. The second frame is an
        addition: margins differ between copies.
    """
    grey = open_image(data, at_least=(_READ_SIDE, _READ_SIDE)).convert("L")
    grey.thumbnail((_READ_SIDE, _READ_SIDE), Image.Resampling.BOX)
    return _frame(grey), _frame(grey.crop(_ink_box(np.asarray(grey))))


class Signatures(Mapping[str, ImageSignature]):
    """The signatures of named pictures.

    Kept are the hashes of all, and the whole signatures (some 90 KB) that were asked for last: of
    many pictures, few are compared.

    Args:
        image: returns the bytes of a picture.

    Attributes:
        hashes: the hash of both frames by name.
    """

    def __init__(self, image: Callable[[str], bytes]) -> None:
        self.hashes: dict[str, NDArray[np.uint64]] = {}
        self._kept = lru_cache(_KEPT)(self.compute)
        self._image = image
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Signatures:
        """Keep the processes of `map` until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._kept.cache_clear()

    def add(self, names: Iterable[str]) -> None:
        """Compute the hashes of pictures, over all cores.

        Raises:
            DataError: if one does not decode.
        """
        new = sorted(set(names) - self.hashes.keys())
        self.hashes |= zip(new, self.map(_hashes, new, "read pictures"), strict=True)

    def map(
        self,
        function: Callable[[Signatures, T], U],
        items: Sequence[T],
        label: str,
        *,
        few: int = _FEW,
        per_task: int = _PER_TASK,
    ) -> Iterator[U]:
        """Yield what a function makes of these signatures and each item, in order, over all cores.

        Many items are shared by processes: between two calls of Pillow or NumPy there is too little
        work for threads. Each process reads the pictures itself. For these, function and `image`
        must be picklable.

        Args:
            function: of the signatures and an item; of a module.
            items: what it is called with.
            label: what is done, for the progress line.
            few: so many items are done here.
            per_task: how many a process takes at once.

        Raises:
            MathseError: if a process is killed.
        """
        results: Iterator[U] = (function(self, item) for item in items)
        if len(items) > few:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(
                    min(_PROCESSES_MAX, len(os.sched_getaffinity(0))),
                    multiprocessing.get_context("spawn"),
                    _start_process,
                    (self._image,),
                )
            with environment_for_workers({**ONE_THREAD, "POLARS_MAX_THREADS": "1"}):
                results = self._pool.map(partial(_in_process, function), items, chunksize=per_task)
        try:
            if items:
                yield from track(results, total=len(items), label=label)
        except BrokenProcessPool as error:
            raise MathseError(
                f"{label}: a process has ended, killed or for want of memory.\n"
                "  fix: free some memory, and run this again"
            ) from error

    def compute(self, name: str) -> ImageSignature:
        """Compute a whole signature."""
        return compute_signature(self._image(name))

    def __getitem__(self, name: str) -> ImageSignature:
        """Compute a whole signature, or return it again."""
        return self._kept(name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.hashes)

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.hashes)


def hamming_pairs(
    left: NDArray[np.uint64], right: NDArray[np.uint64], *, bits_max: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the indices of all pairs of hashes that differ in at most `bits_max` bits.

    Hashes are rows of 4 words. Every pair is compared, in blocks: four XORs and bit counts a pair,
    some 10⁸ pairs a second. At these distances (40 of 256 bits and more) an index by bands would
    compare most pairs too.
    """
    if not len(left) or not len(right):
        return
    step = max(1, _PAIRS_PER_BLOCK // len(right))
    for start in range(0, len(left), step):
        part = left[start : start + step]
        differ = np.zeros((len(part), len(right)), dtype=np.uint16)
        for word in range(BITS // 64):
            differ += np.bitwise_count(part[:, word, None] ^ right[None, :, word])
        rows, columns = np.nonzero(differ <= bits_max)
        yield (rows + start).astype(np.int64), columns.astype(np.int64)


_of_process: list[Signatures] = []
"""In a process of `Signatures.map`: its own signatures."""


def _start_process(image: Callable[[str], bytes]) -> None:
    join_parent()
    _of_process.append(Signatures(image))


def _in_process(function: Callable[[Signatures, T], U], item: T) -> U:
    return function(_of_process[0], item)


def _hashes(signatures: Signatures, name: str) -> NDArray[np.uint64]:
    return np.stack([frame.bits for frame in signatures.compute(name)])


def _frame(grey: Image.Image) -> FrameSignature:
    small = np.asarray(grey.resize((_HASH_SIDE,) * 2, Image.Resampling.BOX), dtype=np.float32)
    waves = _COSINES @ small @ _COSINES.T
    bits = np.packbits(waves > np.median(waves)).view(np.uint64)
    finer = Image.Resampling.BOX if min(grey.size) > SIDE else Image.Resampling.BILINEAR
    pixels = np.asarray(grey.resize((SIDE, SIDE), finer), dtype=np.uint8)
    return FrameSignature(bits, pixels, grey.width / grey.height)


def _ink_box(grey: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Return the box of what stands out from the paper, whose grey is the median of the border."""
    paper = float(np.median(np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])))
    dark, light = max(0, ceil(paper - INK_THRESHOLD)), min(255, floor(paper + INK_THRESHOLD))
    ink = (grey < dark) | (grey > light)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        return 0, 0, grey.shape[1], grey.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def cell_means(grey: Grey) -> Grey:
    """Return the means of `CELL` x `CELL` pixels."""
    # Slices are added, not axes reduced: several times as fast for cells as small as these.
    rows = sum(grey[i::CELL] for i in range(1, CELL)) + grey[::CELL]
    sums = sum(rows[:, i::CELL] for i in range(1, CELL)) + rows[:, ::CELL]
    return np.asarray(sums / CELL**2, dtype=np.float32)
