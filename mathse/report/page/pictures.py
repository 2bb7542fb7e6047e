"""Make pictures small enough for a page; drawings stay as they are, pixel by pixel."""

from __future__ import annotations

import io

from PIL import Image

MAX_SIDE = 480
LOSSLESS_MAX_BYTES = 8_000
QUALITY = 70


def shrink(content: bytes) -> tuple[str, bytes]:
    """Return (format, bytes) of a picture for the page.

    Longer sides than `MAX_SIDE` pixels are scaled down. It is lossless WebP, or lossy where that is
    above `LOSSLESS_MAX_BYTES`. One that cannot be decoded becomes a black pixel.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            picture = opened.convert("RGBA" if opened.mode in ("RGBA", "LA", "P") else "RGB")
    except (OSError, ValueError, Image.DecompressionBombError):
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
