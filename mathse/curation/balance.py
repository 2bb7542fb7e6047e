"""How many new rows a problem may give: fewer where the student always solves it, and a floor for hard problems."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

from mathse.core.errors import ParamError

BUCKETS = ("easy", "middle", "hard")
_WORD = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?|[-+*/=<>^%°]")


@dataclass(frozen=True)
class Balance:
    """Limits beside the cap of a problem. The defaults limit nothing.

    Attributes:
        min_chars: fewest characters of a path.
        max_chars: most characters of a path.
        near_min: share of word pairs from which two paths of a problem with the same numbers are
            the same; None: only the way of writing is forgiven (see
            `mathse.curation.dedup.dedup_key`).
        easy_rate: a problem is easy if this share of the student's paths or more was accepted.
        easy_max: most rows of an easy problem.
        hard_rate: a problem is hard if less than this share was accepted, as where reflection alone
            solved it.
        hard_max: most rows of a hard problem.
        hard_share: share of the round's new rows that hard problems should have at least.
    """

    min_chars: int = 0
    max_chars: int | None = None
    near_min: float | None = None
    easy_rate: float = 1.0
    easy_max: int | None = None
    hard_rate: float = 0.25
    hard_max: int | None = None
    hard_share: float = 0.0

    def __post_init__(self) -> None:
        """Check what the limits ask for.

        Raises:
            ParamError: naming the limit that nothing could meet.
        """
        if self.max_chars is not None and self.max_chars < self.min_chars:
            raise ParamError(
                f"merge.max_chars is {self.max_chars}, below merge.min_chars of {self.min_chars}"
            )
        if self.hard_rate > self.easy_rate:
            raise ParamError(
                f"merge.hard_rate is {self.hard_rate}, above merge.easy_rate of {self.easy_rate}"
            )
        if min(cap for cap in (self.easy_max, self.hard_max, 1) if cap is not None) < 1:
            raise ParamError(
                "merge.easy_max and merge.hard_max must be at least 1: a solved problem keeps a row"
            )
        if not 0 <= self.hard_share < 1:
            raise ParamError(f"merge.hard_share must lie in [0, 1), not {self.hard_share}")


def add_bucket(rows: pl.DataFrame, verdicts: pl.DataFrame | None, balance: Balance) -> pl.DataFrame:
    """Add `rate` and `bucket` to rows with a problem_id.

    Args:
        rows: candidates.
        verdicts: the student's own `Verdict` rows of the round. Where a problem has none, its rate
            is 0.
        balance: the limits.
    """
    if verdicts is None:
        rated = rows.with_columns(rate=pl.lit(0.0))
    else:
        rates = verdicts.group_by("problem_id").agg(rate=pl.col("accepted").mean())
        rated = rows.join(rates, on="problem_id", how="left", maintain_order="left")
        rated = rated.with_columns(pl.col("rate").fill_null(0.0))
    easy, hard = pl.col("rate") >= balance.easy_rate, pl.col("rate") < balance.hard_rate
    bucket = (
        pl.when(hard)
        .then(pl.lit("hard"))
        .when(easy)
        .then(pl.lit("easy"))
        .otherwise(pl.lit("middle"))
    )
    return rated.with_columns(bucket=bucket)


def cap_of_bucket(max_per_problem: int, balance: Balance) -> pl.Expr:
    """Return the most rows of a problem, by its bucket."""
    easy = max_per_problem if balance.easy_max is None else balance.easy_max
    hard = max_per_problem if balance.hard_max is None else balance.hard_max
    bucket = pl.col("bucket")
    return (
        pl.when(bucket == "easy")
        .then(easy)
        .when(bucket == "hard")
        .then(hard)
        .otherwise(max_per_problem)
    )


def over_budget(rows: pl.DataFrame, hard_share: float) -> set[str]:
    """Choose new rows to leave out so that hard problems have their share of the new rows.

    Rows go from the problems that the student solves most often, last rows first; the first row of
    a problem stays, so that every solved problem has one. Where that is not enough, the share is
    missed.

    Args:
        rows: trajectory_id, bucket, rate, old, and place: the number of earlier rows of the same
            problem.
        hard_share: share of hard problems' rows among the new ones, in [0, 1).

    Returns:
        The trajectory ids of the rows to leave out.
    """
    new = rows.filter(~pl.col("old"))
    n_hard = new.filter(pl.col("bucket") == "hard").height
    others = new.filter(pl.col("bucket") != "hard")
    if hard_share <= 0 or n_hard == 0:
        return set()
    room = int(n_hard * (1 - hard_share) / hard_share + 1e-9)
    spare = others.filter(pl.col("place") > 0).sort(
        "rate", "place", "trajectory_id", descending=[True, True, False]
    )
    return set(spare["trajectory_id"].head(max(0, others.height - room)))


def jaccard_duplicates(rows: pl.DataFrame, near_min: float) -> set[str]:
    """Choose new rows whose path says what an earlier row of the same problem says.

    Args:
        rows: trajectory_id, problem_id, response and old, by preference within each problem.
        near_min: share of word pairs (Jaccard) from which two paths with the same numbers are the
            same.

    Returns:
        The trajectory ids of the rows to leave out.
    """
    several = rows.filter(pl.len().over("problem_id") > 1)
    found: set[str] = set()
    for _, group in several.group_by("problem_id", maintain_order=True):
        kept: list[tuple[list[str], set[tuple[str, str]]]] = []
        for name, response, old in group.select("trajectory_id", "response", "old").iter_rows():
            words = _WORD.findall(response.lower())
            numbers = sorted(word for word in words if word[0].isdigit())
            pairs = set(zip(words, words[1:], strict=False))
            same = any(
                numbers == other and _share(pairs, theirs) >= near_min for other, theirs in kept
            )
            if same and not old:
                found.add(name)
            else:
                kept.append((numbers, pairs))
    return found


def _share(one: set[tuple[str, str]], other: set[tuple[str, str]]) -> float:
    return len(one & other) / len(one | other) if one or other else 1.0
