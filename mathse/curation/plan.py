"""How many paths to generate for which problems."""

from __future__ import annotations

import polars as pl

from mathse.core.errors import ParamError
from mathse.curation.ledger import OPEN


def plan_samples(ledger: pl.DataFrame, *, samples: int, hard_samples: int) -> pl.DataFrame:
    """Plan the paths that a round generates on D_remain; hard problems may get more.

    Rejection sampling alone would lose exactly the hard problems, so they can be given more tries.

    Args:
        ledger: of the round before.
        samples: paths for each problem that was not tried yet.
        hard_samples: paths for each problem that was tried and not solved.

    Returns:
        problem_id and sample_idx (from 0), one row per path, sorted.

    Raises:
        ParamError: if `samples` is not positive or `hard_samples` is negative.
    """
    if samples < 1 or hard_samples < 0:
        raise ParamError(
            "generate.samples must be at least 1 and generate.hard_samples at least 0, "
            f"not {samples} and {hard_samples}"
        )
    count = pl.when(pl.col("state") == "hard").then(hard_samples).otherwise(samples)
    return (
        ledger.filter(pl.col("state").is_in(OPEN))
        .select("problem_id", sample_idx=pl.int_ranges(0, count, dtype=pl.Int64))
        .explode("sample_idx", empty_as_null=False)
        .sort("problem_id", "sample_idx")
    )
