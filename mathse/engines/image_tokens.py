"""How many tokens images add to a prompt, from their sizes alone where the processor offers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

CHECKED_SIZES = 4

Sizes = tuple[tuple[int, int], ...]


class ImageTokens:
    """Count the tokens that images add, once for each combination of sizes.

    What a processor offers counts placeholders alone, and some template around an image may be
    missing in it. So the first `CHECKED_SIZES` are also measured: where all of them differ by the
    same number per image, the rest is not measured.
    """

    def __init__(self, processor: Any) -> None:
        self._offered = getattr(processor, "_get_num_multimodal_tokens", None)
        self._counts: dict[Sizes, int] = {}
        self._differences: list[float] = []

    def count(self, sizes: Sizes, measure: Callable[[], int]) -> int:
        """Return how many tokens images of these sizes (width, height) add to a prompt.

        Args:
            sizes: of the images of a prompt.
            measure: runs the processor and returns the number; what it raises is passed on.
        """
        if sizes not in self._counts:
            counted = self._predict(sizes)
            known = len(self._differences) >= CHECKED_SIZES and len(set(self._differences)) == 1
            if counted is None or not known:
                measured = measure()
                if counted is not None:
                    self._differences.append((measured - counted) / len(sizes))
                self._counts[sizes] = measured
            else:
                self._counts[sizes] = counted + round(self._differences[0] * len(sizes))
        return self._counts[sizes]

    def _predict(self, sizes: Sizes) -> int | None:
        if self._offered is None:
            return None
        try:
            offered = self._offered(image_sizes=[[height, width] for width, height in sizes])
            return int(sum(offered.num_image_tokens))
        except Exception:  # the size is refused, or the offer is broken: `measure` shows which
            return None
