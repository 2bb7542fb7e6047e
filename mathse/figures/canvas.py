"""A small canvas with a random style.

Families decide what is drawn. The pen varies what a reader must not rely on: colours, stroke, font
size, position.
"""

from __future__ import annotations

import functools
import io
import math
import random
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

SIZE = 112
"""Width and height of every figure in pixels: the embedded model's, so nothing is rescaled."""

Point = tuple[float, float]
Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]

PALETTE: dict[str, Colour] = {
    "red": (214, 48, 49),
    "blue": (52, 98, 219),
    "green": (38, 160, 80),
    "yellow": (244, 196, 48),
}
"""Colours that problems name. The colours of the style are random and never named."""

MARKS = {
    "circle": "●",
    "square": "■",
    "triangle": "▲",
    "red": "♥",
    "blue": "♦",
    "green": "♣",
    "yellow": "♠",
    "hour hand": "↑",
    "minute hand": "↟",
}
"""What `Pen.mark` records for a thing that is drawn, not written."""


@functools.lru_cache(maxsize=32)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's embedded typeface at `size` pixels."""
    return ImageFont.load_default(size)


def _shift(rng: random.Random, colour: Colour, spread: int) -> Colour:
    red, green, blue = (max(0, min(255, part + rng.randint(-spread, spread))) for part in colour)
    return red, green, blue


class Pen:
    """One figure being drawn, with a random style.

    Attributes:
        glyphs: every character written and every thing marked, with its centre in pixels.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        paper = _shift(rng, (246, 246, 246), 9)
        self.paper = paper
        self.ink = _shift(rng, (45, 45, 45), 40)
        self.stroke = rng.choice((1, 1, 2))
        self.text_size = rng.choice((14, 15, 16, 17))
        self.image = Image.new("RGB", (SIZE, SIZE), paper)
        self.draw = ImageDraw.Draw(self.image)
        self.glyphs: list[tuple[str, float, float]] = []

    def tint(self) -> Colour:
        """Return a light random fill that never hides dark ink."""
        return tuple(self.rng.randint(175, 245) for _ in range(3))  # type: ignore[return-value]

    def named(self, colour: str) -> Colour:
        """Return a shade of a named colour."""
        return _shift(self.rng, PALETTE[colour], 18)

    def text(
        self, centre: Point, text: str, *, size: int | None = None, at_most: int = SIZE
    ) -> None:
        """Write `text` about `centre`, kept inside the figure, in a given size or this style's."""
        face = font(size or min(self.text_size, at_most))
        left, top, right, bottom = self.draw.textbbox((0, 0), text, font=face, anchor="mm")
        x = min(max(centre[0], 1 - left), SIZE - 1 - right)
        y = min(max(centre[1], 1 - top), SIZE - 1 - bottom)
        self.draw.text((x, y), text, font=face, fill=self.ink, anchor="mm")
        start = x - face.getlength(text) / 2
        for index, character in enumerate(text):
            middle = (face.getlength(text[:index]) + face.getlength(text[: index + 1])) / 2
            self.glyphs.append((character, start + middle, y))

    def mark(self, centre: Point, thing: str) -> None:
        """Record that a thing of `MARKS` is drawn about `centre`; draw nothing."""
        self.glyphs.append((MARKS[thing], *centre))

    def line(self, points: Sequence[Point], *, width: int | None = None) -> None:
        """Draw connected line segments."""
        self.draw.line(list(points), fill=self.ink, width=width or self.stroke)

    def polygon(self, points: Sequence[Point], *, fill: Colour | None = None) -> None:
        """Draw a closed polygon, tinted half of the time unless `fill` is given."""
        if fill is None and self.rng.random() < 0.5:
            fill = self.tint()
        self.draw.polygon(list(points), fill=fill)
        self.line([*points, points[0]])

    def box(self, corners: Box, *, fill: Colour | None = None, width: int | None = None) -> None:
        """Draw a rectangle (left, top, right, bottom), tinted unless `fill` is given."""
        fill, width = fill or self.tint(), self.stroke if width is None else width
        self.draw.rectangle(corners, outline=self.ink, fill=fill, width=width)

    def disc(self, centre: Point, radius: float, *, fill: Colour | None = None) -> None:
        """Draw a circle."""
        x, y = centre
        box = (x - radius, y - radius, x + radius, y + radius)
        self.draw.ellipse(box, fill=fill, outline=self.ink, width=self.stroke)

    def png(self) -> bytes:
        """Return the finished figure as PNG bytes."""
        buffer = io.BytesIO()
        self.image.save(buffer, format="PNG", compress_level=6)
        return buffer.getvalue()


def rotate(points: Sequence[Point], angle: float, centre: Point) -> list[Point]:
    """Rotate `points` by `angle` radians about `centre`."""
    cos, sin = math.cos(angle), math.sin(angle)
    return [
        (
            centre[0] + (x - centre[0]) * cos - (y - centre[1]) * sin,
            centre[1] + (x - centre[0]) * sin + (y - centre[1]) * cos,
        )
        for x, y in points
    ]


def polar(centre: Point, distance: float, angle: float) -> Point:
    """Return the point at `distance` from `centre` in the direction `angle`, in radians."""
    return centre[0] + distance * math.cos(angle), centre[1] + distance * math.sin(angle)


def outside(a: Point, b: Point, centre: Point, distance: float) -> Point:
    """Return the point `distance` pixels off the middle of a–b, away from `centre`."""
    middle = ((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)
    dx, dy = middle[0] - centre[0], middle[1] - centre[1]
    length = math.hypot(dx, dy) or 1.0
    return middle[0] + dx / length * distance, middle[1] + dy / length * distance


def scatter(
    rng: random.Random, count: int, *, columns: int = 5, rows: int = 5, margin: int = 6
) -> list[Point]:
    """Return `count` points in distinct cells of a jittered grid, so that nothing overlaps."""
    if count > columns * rows:
        raise ValueError(f"{count} things do not fit in {columns}x{rows} cells")
    width, height = (SIZE - 2 * margin) / columns, (SIZE - 2 * margin) / rows
    cells = rng.sample([(c, r) for c in range(columns) for r in range(rows)], count)
    return [
        (
            margin + (c + 0.5) * width + rng.uniform(-0.12, 0.12) * width,
            margin + (r + 0.5) * height + rng.uniform(-0.12, 0.12) * height,
        )
        for c, r in cells
    ]
