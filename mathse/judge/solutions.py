"""Which problems the ORM's form can learn from."""

from __future__ import annotations

import polars as pl

from mathse.core.errors import DataError


def check_solutions(problems: pl.DataFrame, form: str) -> None:
    """Check that problems bring the solutions that the stepwise form needs.

    Args:
        problems: `Problem` rows that the ORM learns from.
        form: `train_orm.form`.

    Raises:
        DataError: if a solution is missing.
    """
    missing = problems.filter(pl.col("solution").fill_null("") == "")["problem_id"].sort()
    if form == "stepwise" and len(missing):
        raise DataError(
            f"{len(missing)} problems that the ORM learns from have no solution, as {missing[0]}.",
            rule="a stepwise ORM learns to solve before it compares",
            fix="set train_orm.form to diagnostic or binary, or name in problems.tables data "
            "that brings solutions",
        )
