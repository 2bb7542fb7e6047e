"""One function opens pictures: what it makes of those that readers show in different ways."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from mathse.core.errors import DataError
from mathse.engines.open_image import as_shown, open_image, read_header


def saved(image: Image.Image, kind: str = "PNG", **extra: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **extra)
    return buffer.getvalue()


def drawing(ground: Any, ink: Any, mode: str = "RGB") -> Image.Image:
    """An L of thick lines: it differs from each of its turned copies."""
    image = Image.new(mode, (64, 48), ground)
    ImageDraw.Draw(image).line([(8, 6), (8, 40), (30, 40)], fill=ink, width=4)
    return image


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(drawing("white", "black"), "JPEG", exif=exif, quality=95)


def grey16(clear: int | None = None) -> bytes:
    values = np.asarray(drawing(60000, 1000, "I")).astype(np.uint16)
    extra = {} if clear is None else {"transparency": clear}
    return saved(Image.fromarray(values), "PNG", **extra)


def read_plainly(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


INK = (slice(10, 36), 8)
"""Where the drawing has ink."""
PAPER = (20, 40)
ODD = {
    "16 bits": (grey16(), (3, 233)),
    "16 bits, partly clear": (grey16(60000), (3, 255)),
    "black on clear": (saved(drawing((0, 0, 0, 0), (0, 0, 0, 255), "RGBA")), (0, 255)),
    "grey and alpha": (saved(drawing((0, 0), (9, 255), "LA")), (9, 255)),
    "palette, clear": (saved(drawing(0, 1, "P"), transparency=0), (1, 255)),
    "white on clear": (saved(drawing((0, 0, 0, 0), (255,) * 4, "RGBA")), (255, 0)),
    "CMYK": (saved(drawing((0, 0, 0, 0), (0, 0, 0, 255), "CMYK"), "JPEG"), (0, 255)),
    "two frames": (
        saved(
            drawing("white", "black"),
            "GIF",
            save_all=True,
            append_images=[Image.new("L", (64, 48))],
        ),
        (0, 255),
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_ink_and_paper_of_odd_pictures(name: str) -> None:
    data, (ink, paper) = ODD[name]
    pixels = np.asarray(open_image(data)).astype(int)
    assert abs(pixels[INK] - ink).max() <= 12 and abs(pixels[PAPER] - paper).max() <= 12


def test_a_bitmap_is_shown_as_png() -> None:
    kind, shown = as_shown(saved(Image.new("RGB", (9, 7), "red"), "BMP"))
    assert kind == "PNG" and open_image(shown).getpixel((3, 3)) == (255, 0, 0)


@pytest.mark.parametrize("name", ODD)
def test_as_shown_is_read_alike_by_everybody(name: str) -> None:
    data = ODD[name][0]
    kind, shown = as_shown(data)
    assert kind == "PNG" and (read_plainly(shown) == np.asarray(open_image(data))).all()


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_picture_is_upright(orientation: int) -> None:
    data = turned(orientation)
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}[orientation]
    upright = drawing("white", "black").transpose(Image.Transpose(undo))
    opened = open_image(data)
    assert opened.size == upright.size == read_header(data).size
    assert abs(np.asarray(opened).astype(int) - np.asarray(upright)).mean() < 3
    assert (read_plainly(as_shown(data)[1]) == np.asarray(opened)).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_plain_picture_keeps_its_bytes(kind: str) -> None:
    data = saved(drawing("white", "black"), kind)
    assert as_shown(data) == (kind, data)
    assert (np.asarray(open_image(data)) == read_plainly(data)).all()


def test_the_ground_contrasts_only_where_the_drawing_would_vanish() -> None:
    def ground(*inks: tuple[int, ...], box: int = 0) -> int:
        image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
        for number, ink in enumerate(inks):
            ImageDraw.Draw(image).line([(2, 5 + 6 * number), (50, 5 + 6 * number)], ink, 3)
        if box:
            ImageDraw.Draw(image).rectangle([0, 0, box, 39], "white")
        return int(open_image(saved(image)).getpixel((59, 39))[0])

    white, black, pale = (255, 255, 255, 255), (0, 0, 0, 255), (255, 255, 200, 255)
    assert ground() == ground(black) == ground(pale) == ground(white, black, black) == 255
    assert ground(white) == 0, "white lines"
    assert ground(white, white, black) == 128, "white lines with black labels"
    assert ground(white, box=50) == 255, "a page with a clear edge"


def test_a_picture_of_a_telephone_is_a_jpeg() -> None:
    second = drawing("black", "white")
    two = saved(drawing("white", "black"), "MPO", save_all=True, append_images=[second])
    assert Image.open(io.BytesIO(two)).format == "MPO"
    assert read_header(two).format == "JPEG" and open_image(two).size == (64, 48)


@pytest.mark.parametrize(
    "data", [b"", b"no picture", turned(1)[:-300], saved(Image.new("L", (9, 9)), "TIFF")]
)
def test_what_is_no_whole_picture_is_named(data: bytes) -> None:
    with pytest.raises(DataError, match="Image x cannot be decoded"):
        open_image(data, name="x")


def test_a_machine_without_memory_does_not_make_a_picture_bad(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "convert", no_memory)
    with pytest.raises(MemoryError):
        open_image(saved(drawing("white", "black", "RGBA")))
