from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mathse.core.errors import DataError
from mathse.engines.image_tokens import CHECKED_SIZES, ImageTokens, Sizes

TEMPLATE = 3


def processor(factor: int = 1) -> Any:
    def count(image_sizes: list[list[int]]) -> Any:
        if any(width > 200 * height for height, width in image_sizes):
            raise ValueError("absolute aspect ratio must be smaller than 200")
        return SimpleNamespace(num_image_tokens=[h * w * factor for h, w in image_sizes])

    return SimpleNamespace(_get_num_multimodal_tokens=count)


def count_all(tokens: ImageTokens, every: list[Sizes]) -> int:
    """Count the tokens of images that have a token per pixel and a template around them."""
    measured = []
    for sizes in every:
        true = sum(width * height + TEMPLATE for width, height in sizes)

        def measure(true: int = true) -> int:
            measured.append(true)
            return true

        assert tokens.count(sizes, measure) == true
    return len(measured)


def test_sizes_are_measured_until_the_offer_has_proved_right() -> None:
    every: list[Sizes] = [((n, 5), (2, n))[: 1 + n % 2] for n in range(1, 21)]
    assert count_all(ImageTokens(processor()), [*every, *every]) == CHECKED_SIZES
    assert count_all(ImageTokens(processor(factor=2)), every) == len(every)  # wrong: all measured
    assert count_all(ImageTokens(object()), [*every, *every]) == len(every)


def test_a_refused_size_is_measured_so_that_the_processor_says_why() -> None:
    tokens = ImageTokens(processor())
    count_all(tokens, [((n, 5),) for n in range(1, 9)])

    def refuse() -> int:
        raise DataError("absolute aspect ratio must be smaller than 200")

    with pytest.raises(DataError, match="aspect ratio"):
        tokens.count(((2048, 9),), refuse)
