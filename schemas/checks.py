"""Rules between tables: ids that lead somewhere, counts that sum, evaluation problems kept out.

Each raises a `ContractError` that names its rule and the first failing rows of `file`.
"""

from __future__ import annotations

import polars as pl

from schemas.validation import Rule, quarantine_rows, require

_ORDER_FIX = "the tables come from different runs: run dvc repro, so that they are made together"


def known_problem_ids(df: pl.DataFrame, problems: pl.DataFrame, *, file: str) -> None:
    """Check that every `problem_id` is one of the problems."""
    passed = df["problem_id"].is_in(problems["problem_id"].implode())
    require(df, passed, Rule("problem id is known", "problem_id"), file=file, fix=_ORDER_FIX)


def split_unknown_images(
    problems: pl.DataFrame, images: pl.DataFrame, *, file: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the problems whose images are all there, and `Quarantine` rows for the others."""
    is_known = pl.element().is_in(images["image_id"].to_list())
    known = pl.col("image_ids").list.eval(is_known).list.all().fill_null(False)
    passed = problems.select(known).to_series()
    rule = Rule("image id is known", "image_ids")
    reason = "an image of this problem is missing or was quarantined"
    return problems.filter(passed), quarantine_rows(
        problems, ~passed, rule, file=file, reason=reason
    )


def error_step_within_steps(
    verdicts: pl.DataFrame, trajectories: pl.DataFrame, *, file: str
) -> None:
    """Check that a verdict names a step of its trajectory, and that the trajectory is known."""
    lengths = trajectories.select("trajectory_id", n_steps=pl.col("steps").list.len())
    joined = verdicts.join(lengths, on="trajectory_id", how="left", maintain_order="left")
    fits = pl.col("error_step").is_between(1, pl.col("n_steps")).fill_null(False)
    passed = joined.select(pl.col("error_step").is_null() | fits).to_series()
    fix = "the judge must drop a step that the trajectory does not have: run the score stage again"
    require(verdicts, passed, Rule("error_step within steps", "error_step"), file=file, fix=fix)


def every_trajectory_judged(
    verdicts: pl.DataFrame, trajectories: pl.DataFrame, *, file: str
) -> None:
    """Check that no trajectory is without a verdict; the rows shown are trajectories."""
    passed = trajectories["trajectory_id"].is_in(verdicts["trajectory_id"].implode())
    rule = Rule("every trajectory has a verdict", "trajectory_id")
    require(trajectories, passed, rule, file=file, fix="run the score stage again")


def ledger_covers_problems(ledger: pl.DataFrame, problems: pl.DataFrame, *, file: str) -> None:
    """Check that the states of each round are of all problems, and that their counts sum to all."""
    known_problem_ids(ledger, problems, file=file)
    counts = ledger.group_by("round", maintain_order=True).agg(problems=pl.len())
    sums = counts["problems"] == problems["problem_id"].n_unique()
    rule = Rule("ledger counts sum to all problems", "problems")
    fix = "every problem keeps a row in every round: run the merge stage again"
    require(counts, sums, rule, file=file, fix=fix)


def held_out_stay_out(train: pl.DataFrame, held_out: pl.DataFrame, *, file: str) -> None:
    """Check that no evaluation problem is trained on."""
    passed = ~train["problem_id"].is_in(held_out["problem_id"].implode())
    rule = Rule("held-out problems are not trained on", "problem_id")
    fix = "an evaluation split leaked: look at how the splits are made"
    require(train, passed, rule, file=file, fix=fix)
