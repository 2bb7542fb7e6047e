"""Plan how many trajectories to generate for which problems."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from mathse.core.ids import content_id
from mathse.core.params import Params
from mathse.curation.ledger import OPEN
from mathse.engines.protocol import Engine


def plan_round(ledger: pl.DataFrame, params: Params, round_name: str) -> list[tuple[str, int]]:
    """Plan a round on D_remain: problem id and sample index (from 0) of each trajectory, sorted.

    Hard problems have samples of their own. Where `generate.max_problems` cuts, content hash
    chooses, so that each round has new problems.
    """
    section = params.generate
    if not params.is_enabled(round_name, "generate"):
        return []
    counts = {"hard": section.hard_samples, "remaining": section.samples}
    opened = ledger.filter(pl.col("state").is_in(OPEN)).select("problem_id", "state").rows()
    planned = [row for row in opened if counts[row[1]]]
    planned.sort(key=lambda row: content_id(round_name, row[0]))
    chosen = sorted(planned[: section.max_problems])
    return [(name, index) for name, state in chosen for index in range(counts[state])]


def usable_problems(
    problems: pl.DataFrame, teacher: Engine, excluded: Collection[str]
) -> pl.DataFrame:
    """Return the problems that a teacher may solve: neither excluded nor unknown to it."""
    name = pl.col("problem_id")
    usable = problems.filter(~name.is_in(list(excluded)))
    known = getattr(teacher, "problem_ids", None)
    return usable if known is None else usable.filter(name.is_in(known))


def choose_in_turn(problems: pl.DataFrame, count: int, *, seed: int) -> list[str]:
    """Choose problems for the teacher: families in turn, within one by content hash; sorted."""
    keys = [content_id("distill", seed, name) for name in problems["problem_id"]]
    ordered = problems.with_columns(pl.Series("key", keys, dtype=pl.String)).sort("key")
    group = pl.col("family").fill_null(pl.col("subject"))
    ordered = ordered.with_columns(turn=pl.int_range(pl.len()).over(group)).sort("turn", "key")
    return sorted(ordered["problem_id"].head(count).to_list())
