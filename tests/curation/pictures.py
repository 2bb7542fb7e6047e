"""Pictures for the tests, and what may happen to a picture on its way into another data set."""

from __future__ import annotations

import io
import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw

Change = Callable[[bytes], bytes]


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("RGB")


def rescaled(factor: float) -> Change:
    def change(data: bytes) -> bytes:
        image = opened(data)
        size = (max(8, round(image.width * factor)), max(8, round(image.height * factor)))
        return png(image.resize(size, Image.Resampling.LANCZOS))

    return change


def recompressed(quality: int) -> Change:
    def change(data: bytes) -> bytes:
        buffer = io.BytesIO()
        opened(data).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()

    return change


def cropped(share: float, seed: int = 0) -> Change:
    chance = random.Random(seed)

    def change(data: bytes) -> bytes:
        image = opened(data)
        left, top, right, bottom = (chance.uniform(0, share) for _ in range(4))
        box = (
            left * image.width,
            top * image.height,
            (1 - right) * image.width,
            (1 - bottom) * image.height,
        )
        return png(image.crop(tuple(round(edge) for edge in box)))

    return change


def as_16_bit(data: bytes) -> bytes:
    """The grey values times 257: the same shades in 16 bits."""
    grey = np.asarray(opened(data).convert("L")).astype(np.uint16) * 257
    return png(Image.fromarray(grey))


def turned(data: bytes) -> bytes:
    """A photograph on its side, whose EXIF tag says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    opened(data).transpose(Image.Transpose.ROTATE_90).save(buffer, "JPEG", exif=exif, quality=90)
    return buffer.getvalue()


def on_clear_ground(data: bytes) -> bytes:
    """The ink alone, in white on transparent ground, for dark pages."""
    ink = 255 - np.asarray(opened(data).convert("L"))
    return png(Image.fromarray(np.stack([np.full_like(ink, 255)] * 3 + [ink], axis=2)))


def after(*changes: Change) -> Change:
    def change(data: bytes) -> bytes:
        for step in changes:
            data = step(data)
        return data

    return change


CHANGES: dict[str, Change] = {
    "half the size": rescaled(0.5),
    "1.6 times the size": rescaled(1.6),
    "JPEG 60": recompressed(60),
    "JPEG 30": recompressed(30),
    "edges cut by up to 4%": cropped(0.04),
    "16 bits": as_16_bit,
    "turned by its EXIF tag": turned,
    "cut, rescaled and recompressed": after(cropped(0.03), rescaled(0.7), recompressed(50)),
}


def triangle(
    labels: tuple[str, str, str] = ("48°", "75°", "?"), *, size: int = 320, shift: int = 0
) -> bytes:
    """A sparse drawing: thin lines and three labels on paper."""
    image = Image.new("RGB", (size, size), "white")
    draw = ImageDraw.Draw(image)
    corners = [
        (size * 0.15, size * 0.8),
        (size * 0.85, size * 0.85),
        (size * 0.45 + shift, size * 0.15),
    ]
    draw.polygon(corners, outline="black", width=2)
    for (x, y), text in zip(corners, labels, strict=True):
        side = -0.13 if x < size / 2 else 0.02
        draw.text((x + side * size, y - size / 14), text, fill="black", font_size=size // 14)
    return png(image)


def bars(heights: tuple[int, ...] = (40, 90, 60, 120)) -> bytes:
    image = Image.new("RGB", (300, 200), (250, 250, 245))
    draw = ImageDraw.Draw(image)
    for index, height in enumerate(heights):
        left = 30 + index * 65
        draw.rectangle([left, 180 - height, left + 40, 180], fill=(40, 90 + 30 * index, 200))
        draw.text((left + 8, 165 - height), str(height), fill="black", font_size=14)
    draw.line([(20, 180), (290, 180)], fill="black", width=2)
    return png(image)
