"""Plan how many trajectories to generate for which problems."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from mathse.core.errors import ParamError
from mathse.core.ids import content_id
from mathse.core.params import Params
from mathse.curation.ledger import OPEN
from mathse.engines.protocol import Engine


def plan_samples(ledger: pl.DataFrame, *, samples: int, hard_samples: int) -> pl.DataFrame:
    """Plan the samples of a round on D_remain; hard problems may get more.

    Args:
        ledger: of the previous round.
        samples: trajectories for each problem that was not tried yet.
        hard_samples: trajectories for each problem that was tried and not solved.

    Returns:
        problem_id and sample_idx (from 0), one row per trajectory, sorted.

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


def plan_round(ledger: pl.DataFrame, params: Params, round_name: str) -> list[tuple[str, int]]:
    """Plan a round by its parameters: problem id and sample index of each trajectory.

    Where `generate.max_problems` cuts, content hash chooses, so that each round has new problems.
    """
    section = params.generate
    if not params.is_enabled(round_name, "generate"):
        return []
    planned = plan_samples(ledger, samples=section.samples, hard_samples=section.hard_samples)
    names = planned["problem_id"].unique().to_list()
    chosen = sorted(names, key=lambda name: content_id(round_name, name))[: section.max_problems]
    return list(planned.filter(pl.col("problem_id").is_in(chosen)).iter_rows())


def usable_problems(
    problems: pl.DataFrame, teacher: Engine, contaminated: Collection[str]
) -> pl.DataFrame:
    """Return the problems that a teacher may solve: neither contaminated nor unknown to it."""
    name = pl.col("problem_id")
    usable = problems.filter(~name.is_in(list(contaminated)))
    known = getattr(teacher, "problem_ids", None)
    return usable if known is None else usable.filter(name.is_in(known))


def choose_in_turn(problems: pl.DataFrame, count: int, *, seed: int) -> list[str]:
    """Choose problems for the teacher: families in turn, within one by content hash; sorted."""
    keys = [content_id("distill", seed, name) for name in problems["problem_id"]]
    ordered = problems.with_columns(pl.Series("key", keys, dtype=pl.String)).sort("key")
    group = pl.col("family").fill_null(pl.col("subject"))
    ordered = ordered.with_columns(turn=pl.int_range(pl.len()).over(group)).sort("turn", "key")
    return sorted(ordered["problem_id"].head(count).to_list())
