"""Images: the bytes that problems point to by hash."""

from __future__ import annotations

import polars as pl

from schemas.enums import IMAGE_FORMATS
from schemas.table import SHA256, Table, field, one_of, rule, unique

SIGNATURES = {
    "PNG": b"\x89PNG\r\n\x1a\n",
    "JPEG": b"\xff\xd8\xff",
    "WEBP": b"RIFF",
    "GIF": b"GIF8",
    "BMP": b"BM",
}

# Rules see bytes as `schemas.validation.describe_bytes` writes them:
# "70 bytes: 89504e470d0a1a0a0000000d49484452, SHA-256 0123…"
_START = pl.col("bytes").str.extract(r"^\d+ bytes: ([0-9a-f]*)")
_STARTS_AS_FORMAT = pl.all_horizontal(
    (pl.col("format") != name) | _START.str.starts_with(start.hex())
    for name, start in SIGNATURES.items()
)


class Image(Table):
    """One image. That the bytes decode is checked where they are imported."""

    image_id: pl.String = field("SHA-256 of the bytes, 64 hex digits", str_matches=SHA256)
    bytes: pl.Binary = field("the encoded file, as it was imported or drawn")
    format: pl.String = one_of(IMAGE_FORMATS, "{}")
    width: pl.Int64 = field("in pixels", ge=1)
    height: pl.Int64 = field("in pixels", ge=1)

    id_unique = unique("image_id")
    id_is_hash = rule(
        "image_id is the hash of the bytes",
        "image_id",
        pl.col("bytes").str.ends_with(pl.col("image_id")),
    )
    bytes_given = rule("bytes are not empty", "bytes", ~pl.col("bytes").str.starts_with("0 "))
    format_fits = rule("bytes begin as the format says", "format", _STARTS_AS_FORMAT)
