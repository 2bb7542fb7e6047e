"""Fetch the image that a row names, check that it is safe and decodes, and make its Image row."""

from __future__ import annotations

import hashlib
import struct
import warnings
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import unquote

import numpy as np
from PIL import Image

from mathse.core.errors import DataError
from mathse.datasets.protocol import BadRow, Picture, require
from mathse.engines.open_image import open_image, read_header
from schemas import IMAGE_FORMATS

MAX_PIXELS = 40_000_000
MAX_BYTES = 64 << 20
_STORED_BLOCK = 65_535


def find_image(path: str, roots: Sequence[Path], inside: Sequence[Path]) -> Path:
    """Find an image file.

    Args:
        path: as the row names it; escapes (`%20`) and composed or decomposed letters may differ.
        roots: folders to look in, in this order.
        inside: the file must lie in one of these, also after links are followed.

    Raises:
        BadRow: if the path leads out of all allowed folders, or there is no such file.
    """
    is_address = path.startswith(("http://", "https://"))
    reason = "download the image, and write its path here"
    require(not is_address, "image is a local file", "image", path, reason)
    shown = path.replace("\0", "?")
    require(shown == path, "image is a local file", "image", shown, "the path holds a zero byte")
    is_outside = False
    plain = path.removeprefix("file://").replace("\\", "/")
    names = [plain, unquote(plain)]
    names += [normalize(form, name) for name in names for form in ("NFC", "NFD")]
    for file in (root / name for root in roots for name in dict.fromkeys(names)):
        try:
            found = file.resolve()
            if not any(found.is_relative_to(_resolved(folder)) for folder in inside):
                is_outside = True
            elif found.is_file():
                return found
        except (OSError, RuntimeError) as error:  # a link that leads to itself is the latter
            reason = f"the path is not usable: {error}"
            raise BadRow("image is a local file", "image", path, reason) from None
    reason = "the path leads out of the data set; name the folder of the images with --images"
    require(not is_outside, "image stays inside the data set", "image", path, reason)
    reason = "there is no such file in the data set's image folders; name its folder with --images"
    if any((root / "images.zip").is_file() for root in roots):
        reason += ", or unzip images.zip where it lies"
    raise BadRow("image is there", "image", path, reason)


def read_image(picture: Picture, roots: Sequence[Path], inside: Sequence[Path]) -> dict[str, Any]:
    """Return the Image row of a picture; BadRow if it is missing, too large or does not decode."""
    shown = picture.path or "bytes in the row"
    file = None if picture.data is not None else find_image(picture.path or "", roots, inside)
    try:
        size = file.stat().st_size if file else len(picture.data or b"")
        rule = f"image has at most {MAX_BYTES} bytes"
        require(size <= MAX_BYTES, rule, "image", shown, "the image is too large")
        data = file.read_bytes() if file else picture.data or b""
    except OSError as error:
        reason = f"the file cannot be read: {error}"
        raise BadRow("image is there", "image", shown, reason) from None
    return describe_image(data, shown)


def describe_image(data: bytes, shown: str) -> dict[str, Any]:
    """Decode an image and return its Image row, with the bytes as they are.

    `shown` is what an error calls it: BadRow for other formats, too many pixels, broken files.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = read_header(data, name=shown)
            width, height = header.size
            rule = f"image has at most {MAX_PIXELS} pixels"
            reason = f"decoding {width}x{height} pixels would take too much memory; scale it down"
            require(width * height <= MAX_PIXELS, rule, "image", shown, reason)
            open_image(data, name=shown, at_least=(144, 128))
    except DataError as error:
        is_bomb = isinstance(error.__cause__, Image.DecompressionBombError)
        rule = f"image has at most {MAX_PIXELS} pixels" if is_bomb else "image decodes"
        reason = f"{error.message}; read are whole files of {', '.join(IMAGE_FORMATS)}: convert it"
        raise BadRow(rule, "image", shown, reason) from None
    return {
        "image_id": hashlib.sha256(data).hexdigest(),
        "bytes": data,
        "format": header.format,
        "width": width,
        "height": height,
    }


def array_to_png(array: Any) -> bytes:
    """Write an 8-bit array (height x width, or height x width x 3) as a PNG without compression.

    The encoding is written here, so that the bytes (and ids) are the same with every version of the
    libraries. Numbers of another type are rounded to 8 bits; those up to 1 count as shares of 255.

    Raises:
        BadRow: if the array is no picture.
    """
    pixels = np.asarray(array)
    is_picture = pixels.dtype != object and pixels.ndim in (2, 3) and 0 not in pixels.shape
    has_channels = pixels.ndim != 3 or pixels.shape[2] in (1, 3)
    reason = "8-bit pixels with 1 or 3 channels are expected"
    shape = f"array of shape {pixels.shape}"
    require(is_picture and has_channels, "image is a picture", "image", shape, reason)
    if pixels.dtype != np.uint8:
        scale = 255 if pixels.dtype.kind == "f" and pixels.max() <= 1 else 1
        pixels = np.clip(np.rint(pixels * scale), 0, 255).astype(np.uint8)

    # Each line of pixels begins with its filter, 0. The deflate blocks are stored, not compressed:
    # a flag of the last, the length, its complement, the bytes.
    height, width = pixels.shape[:2]
    raw = np.pad(pixels.reshape(height, -1), ((0, 0), (1, 0))).tobytes()
    blocks = [raw[start : start + _STORED_BLOCK] for start in range(0, len(raw), _STORED_BLOCK)]
    stored = b"".join(
        struct.pack("<BHH", index == len(blocks), len(block), 0xFFFF ^ len(block)) + block
        for index, block in enumerate(blocks, start=1)
    )
    colour = 2 if pixels.ndim == 3 and pixels.shape[2] == 3 else 0
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0),
        b"IDAT": b"\x78\x01" + stored + struct.pack(">I", zlib.adler32(raw)),
        b"IEND": b"",
    }
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks.items()
    )


@lru_cache(maxsize=64)
def _resolved(folder: Path) -> Path:
    return folder.resolve()
