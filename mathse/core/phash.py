"""Perceptual hash of an image: alike for the same picture rescaled or recompressed."""

from __future__ import annotations

WIDTH, HEIGHT = 9, 8
"""Pixels of the grey thumbnail that is hashed, row by row."""


def difference_hash(grey: bytes) -> str:
    """Return 64 bits, one for each pair of neighbours in a row: is the left pixel brighter?

    Args:
        grey: `WIDTH` x `HEIGHT` grey values, row by row.

    Returns:
        16 hexadecimal digits.

    Raises:
        ValueError: if the number of pixels is wrong.
    """
    if len(grey) != WIDTH * HEIGHT:
        raise ValueError(f"a thumbnail has {WIDTH}x{HEIGHT} pixels, not {len(grey)}")
    bits = 0
    for row in range(HEIGHT):
        for column in range(WIDTH - 1):
            at = row * WIDTH + column
            bits = bits << 1 | (grey[at] > grey[at + 1])
    return f"{bits:016x}"
