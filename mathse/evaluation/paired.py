"""Compare two models on the same problems: exact paired test, bootstrap interval, transitions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl

from mathse.core.errors import DataError, ParamError

RESAMPLES = 10_000


@dataclass(frozen=True)
class Comparison:
    """Two models on the same n problems.

    Attributes:
        n: problems.
        both: right in both.
        lost: right before, wrong after.
        gained: wrong before, right after.
        neither: wrong in both.
        difference: accuracy after − before.
        low: lower end of the 95% paired bootstrap interval of the difference.
        high: upper end.
        p_value: two-sided exact McNemar test.
    """

    n: int
    both: int
    lost: int
    gained: int
    neither: int
    difference: float
    low: float
    high: float
    p_value: float


def compare(before: pl.DataFrame, after: pl.DataFrame, *, seed: int = 0) -> Comparison:
    """Compare two sets of `Graded` rows, one row per problem each.

    Args:
        before: rows of the earlier model.
        after: rows of the later model on exactly the same problems.
        seed: of the bootstrap.

    Raises:
        DataError: if there are no rows, a problem occurs twice, or the problems are not the same.
    """
    counts = pair(before, after).select("before", "after").rows()
    n, both, neither = len(counts), counts.count((True, True)), counts.count((False, False))
    lost, gained = counts.count((True, False)), counts.count((False, True))
    low, high = paired_bootstrap(lost, gained, n, seed=seed)
    p_value = mcnemar_exact(lost, gained)
    return Comparison(n, both, lost, gained, neither, (gained - lost) / n, low, high, p_value)


def pair(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return problem_id, before and after (each whether it was right), one row per problem.

    Raises:
        DataError: see `compare`.
    """
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
    return pairs.sort("problem_id")


def mcnemar_exact(lost: int, gained: int) -> float:
    """Return the two-sided exact p of McNemar's test: a fair coin for each problem that changed.

    It is never 0: below the smallest positive float it is that float.

    Source:
        McNemar (1947); the exact form is the binomial test of `gained` in `lost + gained` at 1/2.

    Raises:
        ParamError: if a count is negative.
    """
    if min(lost, gained) < 0:
        raise ParamError(f"mcnemar_exact: counts cannot be negative: {lost}, {gained}")
    n = lost + gained
    tail = sum(math.comb(n, k) for k in range(min(lost, gained) + 1))
    return min(1.0, max(math.ulp(0.0), float(2 * tail / 2**n)))


def paired_bootstrap(
    lost: int, gained: int, n: int, *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Return the 95% percentile interval of the accuracy difference over resampled problems.

    To resample n problems with replacement is to sample from a multinomial over lost, gained and
    unchanged, so the counts are all that is needed.

    Raises:
        ParamError: if the counts do not fit n, or there is nothing to sample.
    """
    if n < 1 or min(lost, gained) < 0 or lost + gained > n or resamples < 1:
        raise ParamError(
            f"paired_bootstrap: lost {lost}, gained {gained} of {n}, {resamples} resamples"
        )
    shares = [lost / n, gained / n, max(0.0, (n - lost - gained) / n)]
    sampled = np.random.default_rng(seed).multinomial(n, shares, size=resamples)
    low, high = np.quantile((sampled[:, 1] - sampled[:, 0]) / n, [0.025, 0.975])
    return float(low), float(high)


def transitions(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return how many problems went from right or wrong to right or wrong.

    Returns:
        Four rows: before, after (correct or incorrect), n, share (of all problems).

    Source:
        arXiv 2511.06805, Figure 2.
    """
    found = compare(before, after)
    counts = [found.both, found.lost, found.gained, found.neither]
    return pl.DataFrame(
        {
            "before": ["correct", "correct", "incorrect", "incorrect"],
            "after": ["correct", "incorrect", "correct", "incorrect"],
            "n": counts,
            "share": [count / found.n for count in counts],
        }
    )
