"""What a comparison says of a claim: intervals over problems and over trainings."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import mpmath

from mathse.evaluation.paired import Comparison
from recipes.paper.claims import Model

SEEDS_MIN = 3


@dataclass(frozen=True)
class Spread:
    """How much the points of one comparison differ between seeds.

    Each seed trains its own models and draws its own problems, so this knows of both. Two or three
    seeds say little of it, many comparisons of one split say it together.

    Attributes:
        deviation: standard deviation of one seed's points, pooled over comparisons.
        freedom: degrees of freedom, fewer where comparisons share a model.
    """

    deviation: float
    freedom: float

    @classmethod
    def of(cls, comparisons: Iterable[tuple[Sequence[Model], Sequence[float]]]) -> Spread:
        """Pool the points by seed of comparisons; those of one seed say nothing.

        Two comparisons that share a model move together. If each model varies alike, their
        correlation is 1/2, or 1 where they are the same, and squares of correlations say how much
        less their variances tell together (Satterthwaite 1946).

        Args:
            comparisons: the two models of each, and its points by seed.

        Raises:
            ValueError: if none has two seeds.
        """
        known = [(set(models), points) for models, points in comparisons if len(points) > 1]
        freedoms = [len(points) - 1 for _, points in known]
        if not (total := sum(freedoms)):
            raise ValueError("no comparison has two seeds")
        squares = sum((len(points) - 1) * statistics.variance(points) for _, points in known)
        shared = sum(
            min(one, other) * (len(models & others) / 2) ** 2
            for one, (models, _) in zip(freedoms, known, strict=True)
            for other, (others, _) in zip(freedoms, known, strict=True)
        )
        return cls(math.sqrt(squares / total), total**2 / shared)

    def interval(self, points: Sequence[float]) -> list[float]:
        """Return the mean of some seeds' points with its 95% t interval."""
        mean = statistics.mean(points)
        half = student(self.freedom) * self.deviation / math.sqrt(len(points))
        return [mean, mean - half, mean + half]


def student(freedom: float) -> float:
    """Return the 97.5% quantile of Student's t."""

    def beyond(t: Any) -> Any:
        tail = mpmath.betainc(freedom / 2, 0.5, 0, freedom / (freedom + t**2), regularized=True)
        return tail - 0.05

    return float(mpmath.findroot(beyond, (2.0, 2.0 + 4 / freedom)))


def verdict(
    found: Comparison, seeds: Sequence[float], seeds_interval: Sequence[float] | None
) -> str:
    """Return what a comparison says of a claim that the second model is better.

    Args:
        found: the comparison over problems, seeds pooled.
        seeds: the points of each seed.
        seeds_interval: their mean with its interval; None: it is not known.

    Returns:
        holds or does not hold, if both intervals lie on that side of zero, with "so far" for fewer
        than three seeds; else cannot tell.
    """
    if seeds_interval is None:
        return "cannot tell"
    _, low, high = seeds_interval
    if min(found.low, low) > 0:
        text = "holds"
    elif max(found.high, high) < 0:
        text = "does not hold"
    else:
        return "cannot tell"
    return text if len(seeds) >= SEEDS_MIN else f"{text} so far"
