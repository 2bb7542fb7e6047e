"""Compare two models on the same problems: exact paired test, bootstrap interval, transitions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl

from mathse.core.errors import DataError

RESAMPLES = 10_000


@dataclass(frozen=True)
class Comparison:
    """Two models on the same n problems."""

    n: int
    both: int  # right in both
    lost: int  # right before, wrong after
    gained: int  # wrong before, right after
    neither: int
    difference: float  # accuracy after − before
    low: float  # of the difference, by the 95% paired bootstrap interval
    high: float
    p_value: float  # of the two-sided exact McNemar test


def compare(before: pl.DataFrame, after: pl.DataFrame, *, seed: int = 0) -> Comparison:
    """Compare two sets of `Graded` rows of the same problems, one row per problem each.

    Raises:
        DataError: if there are no rows, a problem occurs twice, or the problems are not the same.
    """
    counts = _pair(before, after)
    n, both, neither = len(counts), counts.count((True, True)), counts.count((False, False))
    lost, gained = counts.count((True, False)), counts.count((False, True))
    low, high = paired_bootstrap(lost, gained, n, seed=seed)
    p_value = mcnemar_exact(lost, gained)
    return Comparison(n, both, lost, gained, neither, (gained - lost) / n, low, high, p_value)


def _pair(before: pl.DataFrame, after: pl.DataFrame) -> list[tuple[bool, bool]]:
    """Return whether each problem was right before and after."""
    for name, rows in (("before", before), ("after", after)):
        if rows.height == 0 or rows["problem_id"].is_duplicated().any():
            raise DataError(
                f"The graded rows {name} are empty or have a problem twice: {rows.height} rows.",
                rule="one graded answer per problem",
                fix="compare one round and split at a time",
            )
    pairs = before.select("problem_id", before="correct").join(
        after.select("problem_id", after="correct"), on="problem_id", validate="1:1"
    )
    if not pairs.height == before.height == after.height:
        raise DataError(
            f"Only {pairs.height} problems are in both rounds, of {before.height} and "
            f"{after.height}.",
            rule="a paired test needs the same problems",
            fix="run the eval stages of both rounds on the same problems",
        )
    return pairs.select("before", "after").rows()


def mcnemar_exact(lost: int, gained: int) -> float:
    """Return the two-sided exact p of McNemar's test: a fair coin for each problem that changed.

    It is never 0: below the smallest positive float it is that float.

    Source:
        McNemar (1947); the exact form is the binomial test of `gained` in `lost + gained` at 1/2.
    """
    n = lost + gained
    tail = sum(math.comb(n, k) for k in range(min(lost, gained) + 1))
    return min(1.0, max(math.ulp(0.0), float(2 * tail / 2**n)))


def paired_bootstrap(
    lost: int, gained: int, n: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% percentile interval of the accuracy difference over resampled problems.

    To resample n problems with replacement is to sample from a multinomial over lost, gained and
    unchanged, so the counts are all that is needed.
    """
    shares = [lost / n, gained / n, max(0.0, (n - lost - gained) / n)]
    sampled = np.random.default_rng(seed).multinomial(n, shares, size=resamples)
    low, high = np.quantile((sampled[:, 1] - sampled[:, 0]) / n, [0.025, 0.975])
    return float(low), float(high)


def transitions(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return how many problems of each split went from right or wrong to right or wrong.

    Returns:
        Four rows a split: before, after (correct or incorrect), n, share (of all problems), split.

    Source:
        arXiv 2511.06805, Figure 2.
    """
    states, rows = ("correct", "incorrect"), []
    for split in after["split"].unique(maintain_order=True):
        found = compare(before.filter(split=split), after.filter(split=split))
        counts = (found.both, found.lost, found.gained, found.neither)
        for (old, new), count in zip(product(states, states), counts, strict=True):
            rows.append((old, new, count, count / found.n, split))
    return pl.DataFrame(rows, schema=["before", "after", "n", "share", "split"], orient="row")
