"""Pictures as models see them: opened by `mathse.engines.open_image`, scaled within limits."""

from __future__ import annotations

import math
from typing import Any

from PIL import Image

from mathse.core.errors import DataError
from mathse.core.images import ImageStore
from mathse.core.params import PixelLimits
from mathse.engines.open_image import as_shown, open_image, read_header, to_png


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


def limited_settings(processor: Any, limits: PixelLimits) -> dict[str, Any]:
    """Return what `limit_processor` set, by name: for engines that load their own processor."""
    images = getattr(processor, "image_processor", None)
    if limits.max is None or images is None:
        return {}
    if hasattr(images, "max_patches"):
        return {"max_patches": images.max_patches, "min_patches": images.min_patches}
    is_tiled = hasattr(images, "max_image_size") and dict(images.size).get("longest_edge")
    return {"size": dict(images.size)} if is_tiled else {}


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
        return scaled_size(read_header(self._bytes(image_id), name=image_id).size, self.limits)

    def encoded(self, image_id: str) -> tuple[str, bytes]:
        """Return a picture's media type, such as image/png, and its bytes.

        As stored, where every reader shows that as `image` does; else as a PNG.

        Raises:
            DataError: if it is unknown or no picture; whether all of it decodes is not checked.
        """
        data = self._bytes(image_id)
        size = read_header(data, name=image_id).size
        if scaled_size(size, self.limits) != size:
            return "image/png", to_png(self.image(image_id))
        kind, data = as_shown(data, name=image_id)
        return Image.MIME[kind], data

    def _bytes(self, image_id: str) -> bytes:
        if self.images is None:
            raise DataError(
                f"The prompt shows image {image_id}, but no images were given.",
                rule="image id is known",
            )
        return self.images.get(image_id)
