"""Make pictures small enough for a page; drawings stay as they are, pixel by pixel."""

from __future__ import annotations

import io

from PIL import Image

from mathse.core.errors import DataError
from mathse.engines.open_image import open_image

MAX_SIDE = 480
LOSSLESS_MAX_BYTES = 8_000
QUALITY = 70


def shrink(content: bytes) -> tuple[str, bytes]:
    """Return (format, bytes) of a picture for the page, as the student sees it.

    Longer sides than `MAX_SIDE` pixels are scaled down. It is lossless WebP, or lossy where that is
    above `LOSSLESS_MAX_BYTES`. One that cannot be decoded becomes a black pixel.
    """
    try:
        picture = open_image(content)
    except DataError:
        return "webp", _encode(Image.new("RGB", (1, 1)), lossless=True)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    best = _encode(picture, lossless=True)
    if len(best) > LOSSLESS_MAX_BYTES:
        best = min(best, _encode(picture, quality=QUALITY), key=len)
    return "webp", best


def _encode(picture: Image.Image, **options: bool | int) -> bytes:
    out = io.BytesIO()
    picture.save(out, format="WEBP", method=4, **options)
    return out.getvalue()
