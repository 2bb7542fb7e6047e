"""Candidates: right and wrong solutions of a problem, to teach the student to choose."""

from __future__ import annotations

import polars as pl

from mathse.core.ids import content_id
from schemas import TrainRow, column_types

_COLUMN = column_types(TrainRow, "trajectory_id", "candidates")


def with_candidates(
    merged: pl.DataFrame,
    train: pl.DataFrame,
    trajectories: pl.DataFrame,
    verdicts: pl.DataFrame,
    *,
    round_name: str,
    gold_counts: bool,
    most: int,
) -> pl.DataFrame:
    """Add to rows of the student its wrong solutions of the same problem in the same round.

    Rows without a wrong one get none. Nor do those of the reflector: if another model writes them,
    its style would tell them from the student's. A solution is wrong if its answer differs from
    gold, or where no gold is used, if the ORM says so; one that was cut off does not count. The
    place of the right one follows from content hashes.

    Args:
        merged: `TrainRow` rows of this round.
        train: of the round before, with the candidates of its own.
        trajectories: what the student wrote in this round.
        verdicts: their `Verdict` rows.
        round_name: this round.
        gold_counts: whether gold may say what is wrong.
        most: most candidates of a row.

    Returns:
        The rows with candidates added; null for rows without.

    Source:
        Cheng et al. (2024), arXiv 2411.00855 (R3V): self-select. That all candidates are of one
        round, and the answer a number, is our choice.
    """
    # The student's wrong solutions of each problem in this round, each text once.
    is_wrong = (
        pl.col("answer_state") == "mismatch" if gold_counts else pl.col("orm_status") == "wrong"
    )
    wrong = (
        verdicts.filter(is_wrong & ~pl.col("accepted"))
        .select("trajectory_id")
        .join(trajectories, on="trajectory_id", validate="1:1")
        .filter(pl.col("finish_reason") == "stop", pl.col("steps").list.len() > 0)
        .sort("trajectory_id")
        .group_by("problem_id")
        .agg(wrong=pl.col("response").unique(maintain_order=True))
    )
    # Each new row with wrong ones of its problem. Their order comes from hashes: it
    # shows nothing of which one is right.
    is_new = (pl.col("round") == round_name) & (pl.col("origin") == "student")
    new = merged.filter(is_new).join(wrong, on="problem_id", how="inner")
    rows = []
    for name, right, others in new.select("trajectory_id", "response", "wrong").iter_rows():
        found = [right, *[text for text in others if text != right][: most - 1]]
        if len(found) > 1:
            order = sorted(found, key=lambda text: content_id("candidate", name, text))
            rows.append((name, order))
    # Rows of earlier rounds keep their candidates.
    parts = [pl.DataFrame(rows, schema=_COLUMN, orient="row")]
    if "candidates" in train.columns:
        parts.append(train.select(_COLUMN.names()))
    return merged.join(pl.concat(parts), on="trajectory_id", how="left", maintain_order="left")
