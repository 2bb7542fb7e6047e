from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path

import polars as pl
from PIL import Image

from mathse.core.images import write_images
from mathse.core.params import PixelLimits
from mathse.engines.blank_images import BlankableImages
from mathse.engines.open_image import to_png
from mathse.engines.pixels import Pixels


def on_its_side() -> bytes:
    """Return a JPEG of 30 x 20 pixels that is shown 20 wide and 30 high."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def test_each_picture_has_a_white_one_of_its_size(tmp_path: Path) -> None:
    data = {"wide": to_png(Image.new("RGB", (40, 10), "blue")), "turned": on_its_side()}
    names = {name: hashlib.sha256(one).hexdigest() for name, one in data.items()}
    rows = pl.DataFrame({"image_id": list(names.values()), "bytes": list(data.values())})
    write_images(rows, tmp_path)
    store = BlankableImages(tmp_path, PixelLimits(max=200))
    for images in (store, pickle.loads(pickle.dumps(store))):
        pixels = Pixels(images)
        assert images.pixels.max == 200
        for name, one in names.items():
            assert images.get(one) == data[name]
            shown, white = pixels.image(one), pixels.image(f"blank-{one}")
            assert white.size == shown.size == pixels.size(f"blank-{one}")
            assert white.getcolors() == [(white.width * white.height, (255, 255, 255))]
            assert len(shown.getcolors(1 << 16)) >= 1 and shown.getpixel((0, 0)) != (255, 255, 255)
