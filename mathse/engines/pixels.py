"""From image bytes to RGB pictures. Raise `PIXELS_VERSION` with each change of the pixels."""

from __future__ import annotations

import io
import math
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from mathse.core.errors import DataError
from mathse.core.images import ImageStore
from mathse.core.params import PixelLimits

PIXELS_VERSION = 1

_EXIF_ORIENTATION = 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)
_UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def open_image(data: bytes, *, name: str = "") -> Image.Image:
    """Decode an image to RGB: upright by its EXIF tag, on white where it is transparent.

    Raises:
        DataError: if the bytes are not an image.
    """
    try:
        image: Image.Image = Image.open(io.BytesIO(data))
        image.load()
        image = ImageOps.exif_transpose(image)
        if "A" in image.getbands() or "transparency" in image.info:
            image = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        elif image.mode.startswith("I"):
            image = image.point(lambda value: value / 257).convert("L")
        return image.convert("RGB")
    except _UNREADABLE as error:
        raise _undecodable(name, error) from error


def scaled_size(size: tuple[int, int], limits: PixelLimits) -> tuple[int, int]:
    """Return the width and height to which a picture is scaled, its shape kept."""
    width, height = size
    if limits.max is not None and width * height > limits.max:
        factor = math.sqrt(limits.max / (width * height))
        return max(1, int(width * factor)), max(1, int(height * factor))
    if limits.min is not None and width * height < limits.min:
        factor = math.sqrt(limits.min / (width * height))
        return math.ceil(width * factor), math.ceil(height * factor)
    return size


def limit_processor(processor: Any, limits: PixelLimits) -> None:
    """Lower what a processor makes of any picture, however small: tiles, or a longest edge.

    Qwen-VL's processors keep the size of a picture within their limits: `scaled_size` is enough.
    """
    images = getattr(processor, "image_processor", None)
    if limits.max is None or images is None:
        return
    size = dict(images.size)
    if hasattr(images, "max_patches"):  # InternVL: as many tiles for a small picture as for a large
        images.max_patches = max(
            1, min(images.max_patches, limits.max // (size["height"] * size["width"]))
        )
        images.min_patches = min(images.min_patches, images.max_patches)
    elif hasattr(images, "max_image_size") and size.get("longest_edge"):  # Idefics3, SmolVLM
        tile = dict(images.max_image_size)["longest_edge"]
        edge = min(size["longest_edge"], max(tile, math.isqrt(limits.max)))
        images.size = {"longest_edge": edge}


class Pixels:
    """Pictures by their ids, scaled within the limits of the store.

    Args:
        images: where the bytes are; None where no image is expected.
    """

    def __init__(self, images: ImageStore | None) -> None:
        self.images = images
        self.limits = PixelLimits() if images is None else images.pixels

    def image(self, image_id: str) -> Image.Image:
        """Return a picture.

        Raises:
            DataError: if it is unknown or does not decode.
        """
        image = open_image(self._bytes(image_id), name=image_id)
        size = scaled_size(image.size, self.limits)
        return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)

    def size(self, image_id: str) -> tuple[int, int]:
        """Return a picture's width and height in pixels as it is shown, without decoding it.

        Raises:
            DataError: if it is unknown or no picture.
        """
        try:
            with Image.open(io.BytesIO(self._bytes(image_id))) as image:
                turned = image.getexif().get(_EXIF_ORIENTATION, 1) in _ON_ITS_SIDE
                size = (image.height, image.width) if turned else image.size
                return scaled_size(size, self.limits)
        except _UNREADABLE as error:
            raise _undecodable(image_id, error) from error

    def encoded(self, image_id: str) -> tuple[str, bytes]:
        """Return a picture's media type, such as image/png, and its bytes: as stored, or scaled.

        Raises:
            DataError: if it is unknown or no picture; whether all of it decodes is not checked.
        """
        data = self._bytes(image_id)
        try:
            with Image.open(io.BytesIO(data)) as image:
                if scaled_size(image.size, self.limits) == image.size:
                    return Image.MIME[image.format or ""], data
            buffer = io.BytesIO()
            self.image(image_id).save(buffer, "PNG")
            return "image/png", buffer.getvalue()
        except (*_UNREADABLE, KeyError) as error:
            raise _undecodable(image_id, error) from error

    def _bytes(self, image_id: str) -> bytes:
        if self.images is None:
            raise DataError(
                f"The prompt shows image {image_id}, but no images were given.",
                rule="image id is known",
            )
        return self.images.get(image_id)


def _undecodable(name: str, error: BaseException) -> DataError:
    # Pillow names its buffer by its address in memory; this text goes into tables, which are the
    # same in every run.
    reason = "no known picture format" if isinstance(error, UnidentifiedImageError) else str(error)
    return DataError(
        f"Image {name} cannot be decoded: {reason}",
        rule="an image decodes",
        fix="remove the problem that shows it, or bring the image whole",
    )
