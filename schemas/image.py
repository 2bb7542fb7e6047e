"""Images: the bytes that problems point to by hash."""

from __future__ import annotations

from functools import reduce

import pandera.polars as pa
import polars as pl

from schemas.enums import IMAGE_FORMATS
from schemas.table import SHA256, Table, at_least, is_hash_of, matches, one_of, rule, unique

SIGNATURES = {
    "PNG": b"\x89PNG\r\n\x1a\n",
    "JPEG": b"\xff\xd8\xff",
    "WEBP": b"RIFF",
    "GIF": b"GIF8",
    "BMP": b"BM",
}

_BEGINS_RIGHT = reduce(
    lambda held, item: (
        held & ((pl.col("format") != item[0]) | pl.col("bytes").bin.starts_with(item[1]))
    ),
    SIGNATURES.items(),
    pl.lit(True),
)


class Image(Table):
    """One image. That the bytes decode is checked where they are imported; the hash shows that they last."""

    image_id: pl.String = pa.Field(description="SHA-256 of the bytes, 64 hex digits")
    bytes: pl.Binary = pa.Field(description="the encoded file, as it was imported or drawn")
    format: pl.String = pa.Field(description="PNG, JPEG, WEBP, GIF or BMP")
    width: pl.Int64 = pa.Field(description="in pixels")
    height: pl.Int64 = pa.Field(description="in pixels")
    phash: pl.String = pa.Field(
        description="perceptual hash, 16 hex digits: alike for images that look alike"
    )

    id_form = matches("image_id", SHA256, "a SHA-256 digest")
    id_unique = unique("image_id")
    id_is_hash = is_hash_of("image_id", "bytes")
    bytes_given = rule("bytes are not empty", "bytes", pl.col("bytes").bin.size() > 0)
    format_known = one_of("format", IMAGE_FORMATS)
    format_fits = rule("bytes begin as the format says", "format", _BEGINS_RIGHT)
    width_range = at_least("width", 1)
    height_range = at_least("height", 1)
    phash_form = matches("phash", r"^[0-9a-f]{16}$", "16 hex digits")
