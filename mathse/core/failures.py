"""Requests that failed: counts, a line on the screen, and a stop where many fail."""

from __future__ import annotations

import sys

import polars as pl

from mathse.core.errors import DataError


def count_failures(errors: pl.DataFrame) -> dict[str, int]:
    """Count failed requests by their kind.

    Args:
        errors: rows with error and error_kind, null where the request succeeded.
    """
    kinds = errors.filter(pl.col("error_kind").is_not_null()).group_by("error_kind").len()
    return dict(kinds.sort("error_kind").iter_rows())


def check_failures(errors: pl.DataFrame, *, max_share: float, label: str) -> None:
    """Print one line about failed requests, or stop if there are too many.

    Args:
        errors: rows with error and error_kind, null where the request succeeded.
        max_share: largest share of failed requests that lets the stage go on.
        label: what was being done.

    Raises:
        DataError: with a table of the reasons.
    """
    failed = errors.filter(pl.col("error_kind").is_not_null())
    if failed.is_empty():
        return
    counts = ", ".join(f"{count} {kind}" for kind, count in count_failures(errors).items())
    summary = f"{label}: {failed.height} of {errors.height} requests failed ({counts})"
    again = "; `dvc repro -f -s STAGE` tries the retryable ones again"
    may_stay = failed.height <= max_share * errors.height
    tries = may_stay and failed["error_kind"].eq("retryable").any()
    print(f"{summary}{again if tries else ''}", file=sys.stderr, flush=True)
    if may_stay:
        return
    # The most frequent reasons, alike but for ids and numbers.
    first_line = pl.col("error").str.split("\n").list.first()
    reasons = (
        failed.group_by(first_line.str.replace_all(r"[0-9a-f]{16,}|\d+", "…").alias("reason"))
        .agg(pl.len().alias("n"), pl.col("error_kind").first(), first_line.first().alias("such"))
        .sort("n", "reason", descending=[True, False])
        .head(8)
    )
    lines = [f"  {n:>6}  {kind:<10} {such}" for _, n, kind, such in reasons.iter_rows()]
    raise DataError(
        "\n".join([f"{summary}; at most {max_share:.0%} may fail.", *lines]),
        rule="errors_max_share",
        fix="remove the cause (a prompt over max_prompt_tokens, images that do not decode, a "
        "server that does not answer), or raise errors_max_share in params.yaml",
    )
