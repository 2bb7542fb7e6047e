"""Find one wrong trajectory of a run that became a training row by reflection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

ROUND = "r1"
# Families whose question, picture and steps fit into the boxes, best first.
FAMILIES = ("spinner", "prices", "coins", "shapes", "triangle", "rectangle", "marbles", "bars")


def find_example(data: Path) -> dict[str, Any]:
    """Return a wrong trajectory with its problem, its verdict and its accepted reflection.

    Raises:
        LookupError: if round r1 has none.
    """
    folder = data / "rounds" / ROUND
    names = ("trajectories", "verdicts", "reflections", "reflection_verdicts", "train")
    wrong, verdicts, reflections, second, train = (
        pl.read_parquet(folder / f"{name}.parquet") for name in names
    )
    problems = pl.read_parquet(data / "problems/problems.parquet")
    # Wrong by the ORM and by the answer check, with a step that the box can show.
    verdicts = verdicts.filter(
        pl.col("orm_status") == "wrong",
        pl.col("answer_state") == "mismatch",
        pl.col("error_step").is_between(1, 5),
    )
    second = second.filter("accepted").select("trajectory_id", again="p_correct")
    columns = ["problem_id", "family", "question", "choices", "answer", "image_ids"]
    # Each one with its accepted reflection, the row that this became, and its problem.
    found = (
        wrong.select("trajectory_id", "problem_id", "steps")
        .join(verdicts.drop("problem_id", "round"), on="trajectory_id")
        .join(
            reflections.select("parent_id", reflection_id="trajectory_id", reflected="steps"),
            left_on="trajectory_id",
            right_on="parent_id",
        )
        .join(second, left_on="reflection_id", right_on="trajectory_id")
        .join(train.select("row_id", reflection_id="trajectory_id"), on="reflection_id")
        .join(problems.select(columns), on="problem_id")
        .filter(
            pl.col("steps").list.len() <= 6,
            pl.col("reflected").list.len() <= 6,
            pl.col("choices").list.len() == 0,
        )
    )
    if found.is_empty():
        raise LookupError(f"{folder}: no wrong trajectory with an accepted reflection")
    # The best family, then the latest faulty step.
    order = pl.col("family").replace_strict(
        {name: number for number, name in enumerate(FAMILIES)}, default=len(FAMILIES)
    )
    return found.sort(order, "error_step", "trajectory_id", descending=[False, True, False]).row(
        0, named=True
    )
