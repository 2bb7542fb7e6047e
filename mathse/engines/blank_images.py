"""White pictures in place of a problem's pictures: what does a model know without looking?"""

from __future__ import annotations

from functools import cache

import polars as pl
from PIL import Image

from mathse.core.images import ImageStore
from mathse.engines.open_image import read_header, to_png

_BLANK = "blank-"


class BlankableImages(ImageStore):
    """A store that also has a white picture of the same size for each of its pictures.

    Its id is that of the picture with `blank-` before it, see `blank_problems`: engines and
    journals never take the one for the other.
    """

    def get(self, image_id: str) -> bytes:
        """Return the bytes of a picture, or of the white one."""
        known = image_id.removeprefix(_BLANK)
        data = super().get(known)
        return data if known == image_id else _white(read_header(data, name=known).size)


def blank_problems(problems: pl.DataFrame) -> pl.DataFrame:
    """Return `Problem` rows that show white pictures, for an engine with `BlankableImages`."""
    blank = pl.col("image_ids").list.eval(pl.lit(_BLANK) + pl.element())
    return problems.with_columns(blank)


@cache
def _white(size: tuple[int, int]) -> bytes:
    return to_png(Image.new("RGB", size, "white"))
