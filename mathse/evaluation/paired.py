"""Compare two models on the same problems: exact paired test, bootstrap interval, transitions.

Problems of one cluster, such as those about one figure, are not independent. So the test and the
bootstrap take clusters, not problems, as independent.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, product

import numpy as np
import polars as pl
from numpy.typing import NDArray

from mathse.core.errors import DataError
from mathse.evaluation.accuracy import cluster_of
from schemas import ANSWER_OUTCOMES, Transition, column_types

RESAMPLES = 10_000
EXACT_CLUSTERS = 3000
"""With more clusters that change, the sign-flip test computes in floats: whole numbers get long."""
TRANSITIONS = column_types(Transition)
_TINY = 1e-300  # smaller chances are left out


@dataclass(frozen=True)
class Comparison:
    """Two models on the same n problems."""

    n: int
    both: int  # right in both
    lost: int  # right before, wrong after
    gained: int  # wrong before, right after
    neither: int
    difference: float  # accuracy after − before
    low: float  # of the difference, by the 95% paired bootstrap of clusters
    high: float
    p_value: float  # of the two-sided exact sign-flip test of clusters


def compare(before: pl.DataFrame, after: pl.DataFrame, *, seed: int = 0) -> Comparison:
    """Compare two sets of `Graded` rows of the same problems, one row per problem each.

    If neither has a column cluster, as in older runs, each problem is a cluster of its own.

    Raises:
        DataError: if there are no rows, a problem occurs twice, or the problems are not the same.
    """
    pairs = _pair(before, after)
    counts = Counter[tuple[bool, bool]](pairs.select("before", "after").iter_rows())
    both, neither = counts[True, True], counts[False, False]
    lost, gained = counts[True, False], counts[False, True]
    change = pl.col("after").cast(pl.Int64) - pl.col("before").cast(pl.Int64)
    clusters = pairs.group_by("cluster").agg(change.sum().alias("change"), pl.len())
    changes: list[tuple[int, int]] = clusters.select("change", "len").rows()
    low, high = paired_bootstrap(changes, seed=seed)
    p_value = sign_flip_exact([net for net, _ in changes])
    n = pairs.height
    return Comparison(n, both, lost, gained, neither, (gained - lost) / n, low, high, p_value)


def _pair(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return for each problem whether it was right before and after, and its cluster."""
    for name, rows in (("before", before), ("after", after)):
        if rows.height == 0 or rows["problem_id"].is_duplicated().any():
            raise DataError(
                f"The graded rows {name} are empty or have a problem twice: {rows.height} rows.",
                rule="one graded answer per problem",
                fix="compare one round and split at a time",
            )
    known = after if "cluster" in after.columns else before
    clusters = known.select("problem_id", cluster=cluster_of(known))
    pairs = (
        before.select("problem_id", before="correct")
        .join(after.select("problem_id", after="correct"), on="problem_id", validate="1:1")
        .join(clusters, on="problem_id", validate="1:1")
    )
    if not pairs.height == before.height == after.height:
        raise DataError(
            f"Only {pairs.height} problems are in both rounds, of {before.height} and "
            f"{after.height}.",
            rule="a paired test needs the same problems",
            fix="run the eval stages of both rounds on the same problems",
        )
    return pairs


def sign_flip_exact(changes: Sequence[int]) -> float:
    """Return the two-sided exact p of the sign-flip test: a fair coin for each cluster's sign.

    If the models do not differ, a cluster's net change is as likely as its opposite. The p is the
    share of all sign assignments whose sum is at least as far from 0 as the observed one. It is
    never 0: below the smallest positive float it is that float. With more than `EXACT_CLUSTERS`
    changes it has nine digits, and those below 1e-290 may be less.

    Args:
        changes: for each cluster the problems gained less those lost.

    Source:
        Fisher (1935), "The Design of Experiments", the randomisation test of paired differences.
        With changes of at most one problem it is the exact test of McNemar (1947).
    """
    observed = abs(sum(changes))
    if observed == 0:
        return 1.0
    sizes = Counter(abs(change) for change in changes if change)
    n = sizes.total()
    if n > EXACT_CLUSTERS:
        return min(1.0, max(math.ulp(0.0), _sign_flip_floats(sizes, observed)))
    # The number of sign assignments by their sum, of all sizes of change but the most frequent.
    (most, times), *others = sizes.most_common()
    ways = Counter({0: 1})
    for size, count in others:
        added: Counter[int] = Counter()
        for positive, chosen in enumerate(_binomials(count)):
            for total, known in ways.items():
                added[total + size * (2 * positive - count)] += known * chosen
        ways = added
    # The most frequent size by its tail: in how many ways at least so many are positive.
    at_least = [*reversed([*accumulate(_binomials(times))]), 0]
    tail = 0
    for total, known in ways.items():
        needed = max(0, -((total - observed - most * times) // (2 * most)))
        tail += known * at_least[min(needed, times + 1)]
    return min(1.0, max(math.ulp(0.0), float(2 * tail / 2**n)))


def _sign_flip_floats(sizes: Counter[int], observed: int) -> float:
    """Return what `sign_flip_exact` counts as a sum of chances."""
    # The chance of each sum of positive changes, from `start` on; the most frequent size apart.
    (most, times), *others = sizes.most_common()
    start, chances = 0, np.ones(1)
    for size, count in others:
        first, shares = _binomial_chances(count)
        added = np.zeros(len(chances) + size * (len(shares) - 1))
        for positive, share in enumerate(shares):
            added[size * positive :][: len(chances)] += share * chances
        kept = np.flatnonzero(added > _TINY)
        start += size * first + kept[0]
        chances = added[kept[0] : kept[-1] + 1]
    # The most frequent size by its tail, as in the exact test.
    first, shares = _binomial_chances(times)
    at_least = np.append(shares[::-1].cumsum()[::-1], 0.0)
    net = 2 * (start + np.arange(len(chances))) - sum(size * count for size, count in others)
    needed = -((net - observed - most * times) // (2 * most)) - first
    return float(2 * (chances @ at_least[needed.clip(0, len(shares))]))


def _binomial_chances(n: int) -> tuple[int, NDArray[np.float64]]:
    """Return how likely 0, 1, …, n of n coins show heads: the first number with a chance, and all.

    From the middle on, each chance is the one before times a ratio: that keeps all digits.
    """
    k = np.arange(n // 2, n)
    half = np.append(1.0, ((n - k) / (k + 1)).cumprod())
    chances = np.concatenate([half[:0:-1], half[n % 2 :]])
    chances /= chances.sum()
    kept = np.flatnonzero(chances > _TINY)
    return int(kept[0]), chances[kept]


def _binomials(n: int) -> list[int]:
    """Return in how many ways 0, 1, …, n of n can be chosen."""
    return [*accumulate(range(n), lambda ways, k: ways * (n - k) // (k + 1), initial=1)]


def paired_bootstrap(
    clusters: Sequence[tuple[int, int]], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% percentile interval of the accuracy difference over resampled clusters.

    To resample clusters with replacement is to sample from a multinomial over their kinds. One
    cluster alone says nothing of others: its interval is all from -1 to 1.

    Args:
        clusters: for each cluster the problems gained less those lost, and all its problems.
        resamples: how often to resample.
        seed: of the random numbers.
    """
    if len(clusters) < 2:
        return -1.0, 1.0
    kinds = sorted(Counter(clusters).items(), key=lambda item: (item[0][0] == 0, item[0]))
    shares = [count / len(clusters) for _, count in kinds]
    changes, sizes = np.array([kind for kind, _ in kinds]).T
    sampled = np.random.default_rng(seed).multinomial(len(clusters), shares, size=resamples)
    low, high = np.quantile((sampled @ changes) / (sampled @ sizes), [0.025, 0.975])
    return float(low), float(high)


def transitions(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return how many problems of each split went from right or wrong to right or wrong.

    Returns:
        `Transition` rows, four a split.

    Source:
        arXiv 2511.06805, Figure 2.
    """
    rows = []
    for split in after["split"].unique(maintain_order=True):
        found = compare(before.filter(split=split), after.filter(split=split))
        counts = (found.both, found.lost, found.gained, found.neither)
        for (old, new), count in zip(product(ANSWER_OUTCOMES, repeat=2), counts, strict=True):
            rows.append((old, new, count, count / found.n, split))
    return pl.DataFrame(rows, schema=TRANSITIONS, orient="row")
