"""Find the same picture again: rescaled, recompressed, in another format, or slightly cropped.

Two measures of different kind must agree. The first is a hash of 256 bits over the low frequencies;
it finds candidates among millions of pairs. Drawings of one kind (a triangle with other numbers)
share their low frequencies, so the second lays the two pictures over one another and looks for the
place where they differ most: other labels are enough to tell them apart. Both look at the picture
as it is and at the picture cut to its ink: rescaling and recompression keep the frame but may lose
a faint line that sets where the ink begins, and a crop of the margin keeps the ink alone. What
neither covers: rotation, mirror images, drawings made anew; and one digit in small print whose
strokes lie within another's (3 in 8) passes for the blur of a recompressed copy.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mathse.core.errors import DataError
from mathse.core.progress import track

BITS = 256
SIDE = 192
"""Pixels of the square that two pictures are compared in."""

_HASH_SIDE = 64
_READ_SIDE = 640
INK_THRESHOLD = 40.0
_TRIMS = np.arange(0.0, 0.085, 0.01)
_CELL = 4
_WINDOW = 24
_REACH = 2
_NOISE = 200.0
"""Variance of grey values that says nothing: windows of bare paper are alike."""

EARLY_REJECT = 0.1
"""A window that fits so badly before it is shifted will not fit: copies are rarely off by more than a pixel."""
_PAIRS_PER_STEP = 4_000_000
_PAIRS_PER_TASK = 100
_RATIO_MAX = 1.2
EARLY_ACCEPT = 0.9

Grey = NDArray[np.float32]


@dataclass(frozen=True)
class FrameSignature:
    """What is kept of a picture, or of a part of it.

    Attributes:
        bits: the hash, as 4 words of 64 bits.
        pixels: `SIDE` x `SIDE` grey values from 0 to 255.
        ratio: width over height.
    """

    bits: NDArray[np.uint64]
    pixels: NDArray[np.uint8]
    ratio: float


ImageSignature = tuple[FrameSignature, FrameSignature]
"""The whole picture, and the picture cut to its ink."""


def compute_signature(data: bytes) -> ImageSignature:
    """Return the signatures of an image file: of the whole, and of the part that has ink.

    Raises:
        DataError: if the bytes do not decode as an image.

    Source:
        The hash follows PDQ (Facebook, 2019): the 16 x 16 lowest frequencies of the cosine
        transform of 64 x 64 grey values, each against their median. The second frame is ours:
        margins differ between copies.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.draft("L", (_READ_SIDE, _READ_SIDE))
            grey = _flat(image)
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"An image does not decode: {error}", rule="image decodes") from error
    return _part(grey), _part(grey.crop(_ink_box(np.asarray(grey, dtype=np.float32))))


def hamming_pairs(
    left: NDArray[np.uint64], right: NDArray[np.uint64], *, bits_max: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield the places of all pairs of hashes that differ in at most `bits_max` bits.

    Every pair is looked at, in blocks: four XORs and bit counts a pair, some 10⁸ pairs a second,
    with memory bounded by the block. At these distances (40 of 256 bits and more) an index by bands
    would have to look at most pairs too.

    Args:
        left: hashes, one a row of 4 words.
        right: hashes to compare with.
        bits_max: most bits that may differ.
    """
    step = max(1, _PAIRS_PER_STEP // max(1, len(right)))
    for start in range(0, len(left), step):
        part = left[start : start + step]
        differ = np.zeros((len(part), len(right)), dtype=np.uint16)
        for word in range(BITS // 64):
            differ += np.bitwise_count(part[:, word, None] ^ right[None, :, word])
        rows, columns = np.nonzero(differ <= bits_max)
        yield (rows + start).astype(np.int64), columns.astype(np.int64)


def similarity(one: ImageSignature, other: ImageSignature) -> float:
    """Return how alike two pictures are where they differ most: 1 for the same picture, 0 or less for another.

    The pictures are laid over one another first, each of their four edges trimmed by up to 8%, so
    that a cropped copy fits. Then the structure in each window of `_WINDOW` pixels is compared,
    whatever the contrast there: small print counts as much as thick lines. Windows may shift by
    `_REACH` pixels; the worst window counts. The better of the two frames decides.

    Source:
        Windows are compared by the contrast and structure terms of SSIM (Wang et al. 2004). Shifts
        and the worst window in place of the mean are ours.
    """
    best = 0.0
    for a, b in zip(one, other, strict=True):
        if best < EARLY_ACCEPT:
            best = max(best, _frame_similarity(a, b))
    return best


def similarities(
    pairs: Sequence[tuple[str, str]], signatures: Mapping[str, ImageSignature]
) -> dict[tuple[str, str], float]:
    """Return the similarity of each pair of pictures, over all cores where there are many pairs.

    Args:
        pairs: names of pictures.
        signatures: the pictures' signatures by name.
    """
    chunks = [pairs[at : at + _PAIRS_PER_TASK] for at in range(0, len(pairs), _PAIRS_PER_TASK)]
    tasks = [[(signatures[a], signatures[b]) for a, b in chunk] for chunk in chunks]
    cores = len(os.sched_getaffinity(0))
    if len(tasks) < 2 or cores == 1:
        found = [_batch_similarities(task) for task in tasks]
    else:
        with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
            done = pool.map(_batch_similarities, tasks)
            found = list(
                track(done, total=len(tasks), label="compare pictures", unit="hundreds of pairs")
            )
    return dict(zip(pairs, chain.from_iterable(found), strict=True))


def _batch_similarities(pairs: Sequence[tuple[ImageSignature, ImageSignature]]) -> list[float]:
    return [similarity(one, other) for one, other in pairs]


def _frame_similarity(one: FrameSignature, other: FrameSignature) -> float:
    if max(one.ratio, other.ratio) > _RATIO_MAX * min(one.ratio, other.ratio):
        return 0.0
    a, b = _overlaid(one.pixels.astype(np.float32), other.pixels.astype(np.float32))
    return _worst_window(_blurred(a), _blurred(b))


def _part(grey: Image.Image) -> FrameSignature:
    small = np.asarray(
        grey.resize((_HASH_SIDE, _HASH_SIDE), Image.Resampling.BOX), dtype=np.float32
    )
    finer = Image.Resampling.BOX if min(grey.size) > SIDE else Image.Resampling.BILINEAR
    return FrameSignature(
        _hash(small),
        np.asarray(grey.resize((SIDE, SIDE), finer), dtype=np.uint8),
        grey.width / grey.height,
    )


def _flat(image: Image.Image) -> Image.Image:
    """Return the image in grey, on white where it is transparent, and no larger than is of use."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
    grey = image.convert("L")
    grey.thumbnail((_READ_SIDE, _READ_SIDE), Image.Resampling.BOX)
    return grey


def _ink_box(grey: Grey) -> tuple[int, int, int, int]:
    """Return the box of what stands out from the paper, whose grey is the median of the border."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    ink = np.abs(grey - np.median(border)) > INK_THRESHOLD
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) < 2 or len(columns) < 2:
        return 0, 0, grey.shape[1], grey.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _cosines() -> Grey:
    waves = np.outer(np.arange(1, 17), 2 * np.arange(_HASH_SIDE) + 1) * np.pi / (2 * _HASH_SIDE)
    return np.cos(waves).astype(np.float32)


_COSINES = _cosines()


def _hash(grey: Grey) -> NDArray[np.uint64]:
    waves = _COSINES @ grey @ _COSINES.T
    packed = np.packbits(waves > np.median(waves))
    return packed.view(np.uint64)


def _overlaid(a: Grey, b: Grey) -> tuple[Grey, Grey]:
    rows, columns = (
        _best_trim(a.mean(axis=1), b.mean(axis=1)),
        _best_trim(a.mean(axis=0), b.mean(axis=0)),
    )
    return _trimmed(a, rows[0], columns[0]), _trimmed(b, rows[1], columns[1])


def _best_trim(a: Grey, b: Grey) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return what to cut off each picture's two ends (shares of its length), so that their profiles fit best."""
    first, second = _stretched(a), _stretched(b)
    squares = np.mean(first**2, axis=1)[LEFT_TRIM] + np.mean(second**2, axis=1)[RIGHT_TRIM]
    gaps = squares - 2 * np.einsum("ik,jk->ij", first, second)[LEFT_TRIM, RIGHT_TRIM] / len(a)
    best = int(np.argmin(gaps + _TRIM_COST))
    ours, theirs = _CUTS[LEFT_TRIM[best]], _CUTS[RIGHT_TRIM[best]]
    return (ours[0], ours[1]), (theirs[0], theirs[1])


def _stretched(profile: Grey) -> NDArray[np.float64]:
    """Return a profile after each of `_CUTS`, stretched to its old length: (cuts, n)."""
    whole = profile.astype(np.float64)
    return whole[_BELOW] * (1 - _SHARE) + whole[_ABOVE] * _SHARE


def _cut_places(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return where each value of a cut and stretched profile lies between two of the whole one: (cuts, n) each."""
    cuts = np.array(_CUTS)
    first, last = cuts[:, :1] * (n - 1), (1 - cuts[:, 1:]) * (n - 1)
    at = first + (last - first) * np.linspace(0, 1, n)[None, :]
    below = np.minimum(at.astype(np.int64), n - 2)
    return below, below + 1, at - below


_CUTS = [(float(first), float(last)) for first in _TRIMS for last in _TRIMS]
_BELOW, _ABOVE, _SHARE = _cut_places(SIDE)
_SHIFTS = range(1 - len(_TRIMS), len(_TRIMS))
"""Steps by which one picture's end is cut: where negative, the other picture's end."""
_ENDS = [(first, last) for first in _SHIFTS for last in _SHIFTS]
LEFT_TRIM = np.array([max(0, first) * len(_TRIMS) + max(0, last) for first, last in _ENDS])
RIGHT_TRIM = np.array([max(0, -first) * len(_TRIMS) + max(0, -last) for first, last in _ENDS])
_TRIM_COST = 1e-3 * np.array(
    [abs(_TRIMS[abs(first)]) + abs(_TRIMS[abs(last)]) for first, last in _ENDS]
)


def _trimmed(grey: Grey, rows: tuple[float, float], columns: tuple[float, float]) -> Grey:
    if not any((*rows, *columns)):
        return grey
    n = len(grey)
    box = (columns[0] * n, rows[0] * n, (1 - columns[1]) * n, (1 - rows[1]) * n)
    return np.asarray(
        Image.fromarray(grey).resize((n, n), Image.Resampling.BILINEAR, box=box), dtype=np.float32
    )


def _worst_window(a: Grey, b: Grey) -> float:
    padded = np.pad(b, _REACH, mode="edge")
    shifts = [(down, right) for down in range(2 * _REACH + 1) for right in range(2 * _REACH + 1)]
    mean_a = _windows(a)
    spread_a = _windows(a * a) - mean_a**2
    best = np.full(mean_a.shape, -1.0, dtype=np.float32)
    for down, right in sorted(
        shifts, key=lambda shift: abs(shift[0] - _REACH) + abs(shift[1] - _REACH)
    ):
        moved = padded[down : down + SIDE, right : right + SIDE]
        mean_b = _windows(moved)
        spread_b = _windows(moved * moved) - mean_b**2
        shared = _windows(a * moved) - mean_a * mean_b
        best = np.maximum(best, (2 * shared + _NOISE) / (spread_a + spread_b + _NOISE))
        if best.min() < EARLY_REJECT:
            break
    return float(best.min())


def _windows(grey: Grey) -> Grey:
    """Return the means of all windows whose edges lie on the grid of cells."""
    n, cells = SIDE // _CELL, _WINDOW // _CELL
    sums = np.zeros((n + 1, n + 1), dtype=np.float64)
    # Slices are added, not axes reduced: several times as fast for cells as small as these.
    bands = sum(grey[row::_CELL] for row in range(1, _CELL)) + grey[::_CELL]
    means = (
        sum(bands[:, column::_CELL] for column in range(1, _CELL)) + bands[:, ::_CELL]
    ) / _CELL**2
    sums[1:, 1:] = means.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    whole = (
        sums[cells:, cells:]
        - sums[:-cells, cells:]
        - sums[cells:, :-cells]
        + sums[:-cells, :-cells]
    )
    return np.asarray(whole / cells**2, dtype=np.float32)


def _blurred(grey: Grey) -> Grey:
    """Return the means of 3 x 3 pixels: copies that were rescaled are less sharp than the original."""
    padded = np.pad(grey, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9, dtype=np.float32)
