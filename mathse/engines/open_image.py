"""Open pictures: the one way from image bytes to RGB, for import, decontamination, models, export.

Upright by the EXIF tag; 16-bit grey keeps its shades; what is transparent gets a ground. Raise
`PIXELS_VERSION` with each change of pixels that a model may have learned from.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from mathse.core.errors import DataError
from schemas import IMAGE_FORMATS

PIXELS_VERSION = 1

_EXIF_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)
_SAME_EVERYWHERE = ("1", "L", "P", "RGB")
_GROUNDS = {"white": 255, "black": 0, "grey": 128}
_CONTRAST = 32


@dataclass(frozen=True)
class ImageHeader:
    """What a picture's file says before it is decoded."""

    format: str  # one of `IMAGE_FORMATS`
    size: tuple[int, int]  # width and height in pixels, upright
    is_plain: bool  # False where other readers may show it otherwise than `open_image`


def read_header(data: bytes, *, name: str = "") -> ImageHeader:
    """Read a picture's header.

    Raises:
        DataError: if the bytes do not begin as an image.
    """
    try:
        with Image.open(io.BytesIO(data), formats=IMAGE_FORMATS) as image:
            turn = image.getexif().get(_EXIF_ORIENTATION, 1)
            size = (image.height, image.width) if turn in _ON_ITS_SIDE else image.size
            is_still = not getattr(image, "is_animated", False)
            is_opaque = "transparency" not in image.info
            is_plain = image.mode in _SAME_EVERYWHERE and turn == 1 and is_still and is_opaque
            # A JPEG of several pictures, as telephones make them, is called MPO.
            kind = "JPEG" if image.format == "MPO" else str(image.format)
            return ImageHeader(kind, size, is_plain)
    except MemoryError:  # no fault of the picture: another worker may have the memory
        raise
    except Exception as error:  # broken images fail in many ways
        raise _undecodable(name, error) from error


def open_image(
    data: bytes, *, name: str = "", at_least: tuple[int, int] | None = None
) -> Image.Image:
    """Decode an image (of several frames the first) to RGB.

    Args:
        data: the file's bytes.
        name: what an error calls it.
        at_least: a JPEG may be decoded smaller and grey, which is faster, but not below this size.

    Raises:
        DataError: if the bytes are not a whole image.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=IMAGE_FORMATS)
        if at_least is not None:
            image.draft("L", at_least)
        image.load()
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):
            clear = image.info.pop("transparency", None)
            image = image.point(lambda value: value / 257).convert("L")
            if clear is not None:
                image.info["transparency"] = clear // 257
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            ground = Image.new("RGBA", image.size, _ground(np.asarray(image)))
            image = Image.alpha_composite(ground, image)
        return image.convert("RGB")
    except MemoryError:  # no fault of the picture: another worker may have the memory
        raise
    except Exception as error:  # broken images fail in many ways
        raise _undecodable(name, error) from error


def as_shown(data: bytes, *, name: str = "") -> tuple[str, bytes]:
    """Return format and bytes of a picture that other readers show as `open_image` does.

    A plain picture stays as it is, any other becomes a PNG, and so does a BMP, which APIs refuse.

    Raises:
        DataError: if the bytes are not an image.
    """
    header = read_header(data, name=name)
    if header.is_plain and header.format != "BMP":
        return header.format, data
    return "PNG", to_png(open_image(data, name=name))


def to_png(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _ground(pixels: np.ndarray) -> str:
    """Return the ground for a picture with transparent parts, (height, width, 4).

    White, as paper; but where most of a drawing on clear ground would vanish on white, that of the
    others on which least vanishes. A picture that covers most of its ground brings its own.
    """
    drawn = pixels[pixels[..., 3] >= 128][:, :3].astype(np.int16)
    if not len(drawn) or 4 * len(drawn) > pixels.size // 2:
        return "white"
    lost = {
        name: float((abs(drawn - value).max(axis=1) < _CONTRAST).mean())
        for name, value in _GROUNDS.items()
    }
    white = lost.pop("white")
    return "white" if white <= 0.5 else min(lost, key=lambda name: lost[name])


def _undecodable(name: str, error: BaseException) -> DataError:
    # Pillow names its buffer by its address in memory; this text goes into tables, which are the
    # same in every run.
    reason = "no known picture format" if isinstance(error, UnidentifiedImageError) else str(error)
    return DataError(
        f"Image {name} cannot be decoded: {reason}",
        rule="an image decodes",
        fix="remove the problem that shows it, or bring the image whole",
    )
