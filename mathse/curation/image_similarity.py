"""Compare pictures by their signatures: copies may be rescaled, recompressed, slightly cropped.

Drawings of one kind (a triangle with other numbers) share their low frequencies, and so nearly
their hash. Here two pictures are aligned, and the window where they differ most counts: another
label is enough.

Not covered: rotation, mirror images, redrawn figures; and one digit in small print whose strokes
lie within another's (3 in 8), which looks like the blur of a recompressed copy.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from PIL import Image

from mathse.curation.image_signature import (
    CELL,
    CUTS,
    LOW,
    SHARE,
    SIDE,
    TRIMS,
    FrameSignature,
    Grey,
    ImageSignature,
    Profile,
    Signatures,
    cell_means,
    stretched,
)

EARLY_ACCEPT = 0.9
EARLY_REJECT = 0.1
"""A window below this after the shifts so far ends the comparison: copies shift little."""

_WINDOW = 24
_REACH = 2
_NOISE = 200.0
"""Variance of grey values that is no structure: windows of bare paper are similar."""

_PAIRS_PER_BATCH = 32
_RATIO_MAX = 1.2
_TRIES = 24
_MARGIN = 0.01
"""Rounding between the quick and the full comparison of a window is a hundred times smaller."""

_SHIFTS = range(1 - len(TRIMS), len(TRIMS))
"""Steps by which one picture's end is cut: where negative, the other picture's end."""
_ENDS = [(first, last) for first in _SHIFTS for last in _SHIFTS]
LEFT_TRIM = np.array([max(0, first) * len(TRIMS) + max(0, last) for first, last in _ENDS])
RIGHT_TRIM = np.array([max(0, -first) * len(TRIMS) + max(0, -last) for first, last in _ENDS])
"""Indices in `CUTS`: how each trim cuts the one and the other picture."""
_TRIM_COST = 1e-3 * np.array([TRIMS[abs(first)] + TRIMS[abs(last)] for first, last in _ENDS])
_LEFT_SHARE = SHARE[LEFT_TRIM]
_FLAT_LOW = (np.arange(len(_ENDS))[:, None] * SIDE + LOW[LEFT_TRIM]).ravel()

_BY_DISTANCE = sorted(
    product(range(2 * _REACH + 1), repeat=2),
    key=lambda to: abs(to[0] - _REACH) + abs(to[1] - _REACH),
)
"""The shifts of a window, from those that move it least."""

_PATCH_SOURCE = 72
_PATCH_SHAPES = ((_WINDOW,) * 2, (_WINDOW + 2 * _REACH,) * 2)
_SLIDE = sliding_window_view(np.eye(_PATCH_SHAPES[1][0], dtype=np.float32), _WINDOW, axis=0).sum(-1)
"""Which rows of a larger patch each shifted window has."""
_CELL_INDEX = LOW[:, CELL // 2 :: CELL] // CELL
"""Which cell lies where, after each of `CUTS`."""


def similarity(one: ImageSignature, other: ImageSignature) -> float:
    """Return how similar two pictures are where they differ most: 1 for copies, near 0 for others.

    The pictures are aligned first, each of their four edges trimmed by up to 8%, so that a cropped
    copy fits. Then the structure in each window of `_WINDOW` pixels is compared, whatever the
    contrast: small print counts as much as thick lines. Windows may shift by `_REACH` pixels; the
    worst window counts. The better of the two frames decides.

    Source:
        Windows are compared by the contrast and structure terms of SSIM (Wang et al. 2004). Shifts
        and the worst window in place of the mean are additions.
    """
    best = 0.0
    for left, right in zip(one, other, strict=True):
        if best < EARLY_ACCEPT:
            best = max(best, _frame_similarity(left, right))
    return best


def similarities(
    pairs: Iterable[tuple[str, str]], signatures: Signatures, *, exact_from: float
) -> dict[tuple[str, str], float]:
    """Return the similarity of pairs of named pictures, over all cores.

    The values from `exact_from` on are exact; those surely below are 0.
    """
    partners: dict[str, list[str]] = defaultdict(list)
    for left, right in pairs:
        partners[right].append(left)
    tasks = [
        (right, names[start : start + _PAIRS_PER_BATCH])
        for right, names in partners.items()
        for start in range(0, len(names), _PAIRS_PER_BATCH)
    ]
    compare = partial(_compare, exact_from=exact_from)
    found = signatures.map(compare, tasks, "compare pictures", few=8, per_task=1)
    return {pair: value for part in found for pair, value in part.items()}


def _compare(
    signatures: Signatures, task: tuple[str, list[str]], *, exact_from: float
) -> dict[tuple[str, str], float]:
    """Compare a picture with others: certainly below the bound together, the rest in full."""
    other, ones = signatures[task[0]], [signatures[name] for name in task[1]]
    frames = [_below([one[i] for one in ones], other[i], exact_from) for i in (0, 1)]
    return {
        (name, task[0]): 0.0 if below else similarity(one, other)
        for name, one, below in zip(task[1], ones, np.logical_and(*frames), strict=True)
    }


def _below(
    ones: Sequence[FrameSignature], other: FrameSignature, bound: float
) -> NDArray[np.bool_]:
    """Return True for each picture that is certainly less similar to the other than `bound`.

    One window is enough: if it stays below after each shift, so does the worst. Windows that look
    most different in means of cells are tried; whichever are tried, the answer is exact.
    """
    ratios = np.array([one.ratio for one in ones])
    below = np.maximum(ratios, other.ratio) > _RATIO_MAX * np.minimum(ratios, other.ratio)
    rows, columns = (_best_trims(ones, other, axis) for axis in (0, 1))
    starts = _suspects(np.stack([one.cells for one in ones]), other.cells, rows, columns)
    cuts = LEFT_TRIM[rows], LEFT_TRIM[columns], RIGHT_TRIM[rows], RIGHT_TRIM[columns]
    for window in range(_TRIES):
        rest = np.flatnonzero(~below)
        if not len(rest):
            break
        a, b = (np.empty((len(rest), *shape), dtype=np.float32) for shape in _PATCH_SHAPES)
        for k, i in enumerate(rest.tolist()):
            y, x = starts[i, window]
            a[k] = _patch(ones[i].pixels, cuts[0][i], cuts[1][i], y, x, 0)
            b[k] = _patch(other.pixels, cuts[2][i], cuts[3][i], y, x, _REACH)
        below[rest] = _best_shifts(a, b) < bound - _MARGIN
    return np.asarray(below)


def _suspects(
    ones: Grey, other: Grey, rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the first row and column of the windows that differ most: (pictures, `_TRIES`, 2)."""
    trims = [
        (_CELL_INDEX[trim[rows]], _CELL_INDEX[trim[columns]]) for trim in (LEFT_TRIM, RIGHT_TRIM)
    ]
    (left_y, left_x), (right_y, right_x) = trims
    a = ones[np.arange(len(ones))[:, None, None], left_y[:, :, None], left_x[:, None, :]]
    b = other[right_y[:, :, None], right_x[:, None, :]]
    cells = (_WINDOW // CELL) ** 2
    spread = _block_sums(a * a + b * b) - (_block_sums(a) ** 2 + _block_sums(b) ** 2) / cells
    differ = _block_sums((a - b) ** 2) / (spread + cells * _NOISE)
    order = np.argsort(differ.reshape(len(ones), -1), axis=1)[:, : -1 - _TRIES : -1]
    return np.stack(np.divmod(order, differ.shape[2]), axis=2) * (_WINDOW // 2)


def _block_sums(cells: Grey) -> Grey:
    """Return sums over windows, each half a window from the next: (pictures, rows, columns)."""
    half = _WINDOW // CELL // 2
    sums = sum(cells[:, i::half] for i in range(1, half)) + cells[:, ::half]
    sums = sum(sums[:, :, i::half] for i in range(1, half)) + sums[:, :, ::half]
    sums = sums[:, 1:] + sums[:, :-1]
    return np.asarray(sums[:, :, 1:] + sums[:, :, :-1])


def _patch(
    pixels: NDArray[np.uint8], row_cut: int, column_cut: int, y: int, x: int, reach: int
) -> Grey:
    """Return a window of the trimmed and blurred picture, with `reach` pixels more on each side."""
    size, source = _WINDOW + 2 * reach, _PATCH_SOURCE
    top, left = (min(max(0, start - 20), SIDE - source) for start in (y, x))
    down = _TRIM_AND_BLUR[row_cut, y + _REACH - reach :, top : top + source][:size]
    across = _TRIM_AND_BLUR[column_cut, x + _REACH - reach :, left : left + source][:size]
    part = pixels[top : top + source, left : left + source].astype(np.float32)
    return np.asarray(down @ part @ across.T)


def _best_shifts(a: Grey, b: Grey) -> Grey:
    """Return how similar each window of `a` is to the best shifted window of the larger `b`."""
    n = _WINDOW**2
    mean = a.mean(axis=(1, 2), keepdims=True)
    a, b = a - mean, b - mean
    shared = np.einsum("kij,kyxij->kyx", a, sliding_window_view(b, a.shape[1:], axis=(1, 2)))
    spread_a = np.einsum("kij,kij->k", a, a)[:, None, None]
    sums, squares = (_SLIDE @ part @ _SLIDE.T for part in (b, b * b))
    spread = spread_a + squares - sums**2 / n
    return np.asarray(((2 * shared + _NOISE * n) / (spread + _NOISE * n)).max(axis=(1, 2)))


def _frame_similarity(one: FrameSignature, other: FrameSignature) -> float:
    if max(one.ratio, other.ratio) > _RATIO_MAX * min(one.ratio, other.ratio):
        return 0.0
    rows, columns = (int(_best_trims([one], other, axis)[0]) for axis in (0, 1))
    a = _trimmed(one.pixels, LEFT_TRIM[rows], LEFT_TRIM[columns])
    b = _trimmed(other.pixels, RIGHT_TRIM[rows], RIGHT_TRIM[columns])
    return _worst_window(_blurred(a), _blurred(b))


def _best_trims(
    ones: Sequence[FrameSignature], other: FrameSignature, axis: int
) -> NDArray[np.int64]:
    """Return for each picture which of the trims lets its profile fit the other's best."""
    profiles = np.stack([one.profiles[axis] for one in ones])[:, None]
    # One product per picture: small enough that the BLAS library starts no threads of its own.
    products = (profiles @ _trim_products(other.profiles[axis]))[:, 0]
    squares = np.stack([one.squares[axis] for one in ones])[:, LEFT_TRIM]
    gaps = squares + other.squares[axis][RIGHT_TRIM] - 2 * products / SIDE
    return np.asarray(np.argmin(gaps + _TRIM_COST, axis=1))


def _trim_products(profile: Profile) -> Profile:
    """Return (n, trims): a profile times this is its product with the given one after each trim."""
    right, size = stretched(profile)[RIGHT_TRIM], len(_ENDS) * SIDE
    low = np.bincount(_FLAT_LOW, (right * (1 - _LEFT_SHARE)).ravel(), size)
    high = np.bincount(_FLAT_LOW + 1, (right * _LEFT_SHARE).ravel(), size)
    return np.asarray((low + high).reshape(len(_ENDS), SIDE).T)


def _trimmed(pixels: NDArray[np.uint8], row_cut: int, column_cut: int) -> Grey:
    grey, n = pixels.astype(np.float32), SIDE
    (top, bottom), (left, right) = CUTS[row_cut], CUTS[column_cut]
    if not any((top, bottom, left, right)):
        return grey
    box = (left * n, top * n, (1 - right) * n, (1 - bottom) * n)
    resized = Image.fromarray(grey).resize((n, n), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized, dtype=np.float32)


def _worst_window(a: Grey, b: Grey) -> float:
    """Return the similarity of the window that fits worst, each after its best shift."""
    padded = np.pad(b, _REACH, mode="edge")
    mean_a = _windows(a)
    spread_a = _windows(a * a) - mean_a**2
    best = np.full(mean_a.shape, -1.0, dtype=np.float32)
    for down, right in _BY_DISTANCE:
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
    n, cells = SIDE // CELL, _WINDOW // CELL
    sums = np.zeros((n + 1, n + 1), dtype=np.float64)
    means = cell_means(grey)
    sums[1:, 1:] = means.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    upper, lower = sums[:-cells], sums[cells:]
    whole = lower[:, cells:] - upper[:, cells:] - lower[:, :-cells] + upper[:, :-cells]
    return np.asarray(whole / cells**2, dtype=np.float32)


def _blurred(grey: Grey) -> Grey:
    """Return the means of 3 x 3 pixels: rescaled copies are less sharp than the original."""
    padded = np.pad(grey, 1, mode="edge")
    rows = padded[:-2] + padded[1:-1] + padded[2:]
    return np.asarray((rows[:, :-2] + rows[:, 1:-1] + rows[:, 2:]) / 9, dtype=np.float32)


def _trim_and_blur() -> Grey:
    """Return the matrix that trims and blurs rows, by cut, with rows beyond both edges."""
    cuts, n = np.array(CUTS)[:, :, None], SIDE
    center = n * (cuts[:, 0] + (1 - cuts[:, 0] - cuts[:, 1]) * (np.arange(n) + 0.5) / n) - 0.5
    center = np.clip(center, 0, n - 1)[:, :, None]
    trim = np.maximum(0, 1 - np.abs(center - np.arange(n)))
    padded = np.pad(trim, ((0, 0), (1, 1), (0, 0)), mode="edge")
    blurred = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3
    return np.pad(blurred, ((0, 0), (_REACH, _REACH), (0, 0)), mode="edge").astype(np.float32)


_TRIM_AND_BLUR = _trim_and_blur()
