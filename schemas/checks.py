"""Rules between tables: ids that lead somewhere, counts that sum, problems that stay held out."""

from __future__ import annotations

import polars as pl

from schemas.validation import Rule, broken, quarantine_rows

_ORDER_FIX = "the tables come from different runs: run dvc repro, so that they are made together"


def known_problem_ids(df: pl.DataFrame, problems: pl.DataFrame, *, file: str) -> None:
    """Check that every `problem_id` is one of the problems.

    Raises:
        ContractError: rule "problem id is known".
    """
    held = df["problem_id"].is_in(problems["problem_id"].implode())
    broken(df, held, rule=Rule("problem id is known", "problem_id"), file=file, fix=_ORDER_FIX)


def known_trajectory_ids(
    df: pl.DataFrame, trajectories: pl.DataFrame, *, file: str, column: str = "trajectory_id"
) -> None:
    """Check that every id in the column is one of the trajectories; nulls pass.

    Args:
        df: the table to check.
        trajectories: `Trajectory` rows, of all rounds that the ids may come from.
        file: how to call the table in an error.
        column: "trajectory_id", or "parent_id" of reflections.

    Raises:
        ContractError: rule "trajectory id is known".
    """
    held = df[column].is_null() | df[column].is_in(trajectories["trajectory_id"].implode())
    broken(df, held, rule=Rule("trajectory id is known", column), file=file, fix=_ORDER_FIX)


def known_image_ids(problems: pl.DataFrame, images: pl.DataFrame, *, file: str) -> None:
    """Check that every image of every problem is there.

    Raises:
        ContractError: rule "image id is known".
    """
    fix = "run the problems stage again: it writes problems and images together"
    held = _has_images(problems, images)
    broken(problems, held, rule=Rule("image id is known", "image_ids"), file=file, fix=fix)


def split_unknown_images(
    problems: pl.DataFrame, images: pl.DataFrame, *, file: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Part the problems whose images are all there from the others.

    Returns:
        The good rows, and `Quarantine` rows with the rule "image id is known".
    """
    held = _has_images(problems, images)
    reason = "an image of this problem is missing or was set aside"
    rule = Rule("image id is known", "image_ids")
    return problems.filter(held), quarantine_rows(
        problems, ~held, rule=rule, file=file, reason=reason
    )


def error_step_within_steps(
    verdicts: pl.DataFrame, trajectories: pl.DataFrame, *, file: str
) -> None:
    """Check that a verdict names a step that its trajectory has.

    Raises:
        ContractError: rule "error_step within steps". A verdict whose trajectory is unknown breaks
            it too.
    """
    lengths = trajectories.select("trajectory_id", n_steps=pl.col("steps").list.len())
    joined = verdicts.join(lengths, on="trajectory_id", how="left", maintain_order="left")
    fits = pl.col("error_step").is_between(1, pl.col("n_steps")).fill_null(False)
    held = joined.select(pl.col("error_step").is_null() | fits).to_series()
    fix = "the judge must drop a step that the path does not have: run the score stage again"
    broken(verdicts, held, rule=Rule("error_step within steps", "error_step"), file=file, fix=fix)


def every_trajectory_judged(
    verdicts: pl.DataFrame, trajectories: pl.DataFrame, *, file: str
) -> None:
    """Check that no trajectory went without a verdict.

    Raises:
        ContractError: rule "every trajectory has a verdict"; the rows shown are those of the
            trajectories.
    """
    held = trajectories["trajectory_id"].is_in(verdicts["trajectory_id"].implode())
    rule = Rule("every trajectory has a verdict", "trajectory_id")
    broken(trajectories, held, rule=rule, file=file, fix="run the score stage again")


def ledger_covers_problems(ledger: pl.DataFrame, problems: pl.DataFrame, *, file: str) -> None:
    """Check that each round holds exactly one state for each problem, so that the counts sum to all problems.

    Args:
        ledger: `LedgerRow` rows of one or more rounds.
        problems: the problems that the ledger is about.
        file: how to call the ledger in an error.

    Raises:
        ContractError: rule "problem id is known", "one ledger state per problem", or "ledger counts
            sum to all problems".
    """
    fix = "every problem keeps a row in every round: run the merge stage again"
    known_problem_ids(ledger, problems, file=file)
    once = ledger.select(pl.struct("round", "problem_id").is_first_distinct()).to_series()
    broken(
        ledger, once, rule=Rule("one ledger state per problem", "problem_id"), file=file, fix=fix
    )
    counts = ledger.group_by("round", maintain_order=True).agg(problems=pl.len())
    sums = counts["problems"] == problems["problem_id"].n_unique()
    broken(
        counts, sums, rule=Rule("ledger counts sum to all problems", "problems"), file=file, fix=fix
    )


def held_out_stay_out(train: pl.DataFrame, held_out: pl.DataFrame, *, file: str) -> None:
    """Check that no evaluation problem is trained on.

    Args:
        train: rows with a `problem_id` that a model learns from.
        held_out: the evaluation problems.
        file: how to call the training table in an error.

    Raises:
        ContractError: rule "held-out problems are not trained on".
    """
    held = ~train["problem_id"].is_in(held_out["problem_id"].implode())
    rule = Rule("held-out problems are not trained on", "problem_id")
    broken(
        train,
        held,
        rule=rule,
        file=file,
        fix="an evaluation split leaked: look at how the splits are drawn",
    )


def _has_images(problems: pl.DataFrame, images: pl.DataFrame) -> pl.Series:
    known = images["image_id"].to_list()
    return problems.select(
        pl.col("image_ids").list.eval(pl.element().is_in(known)).list.all().fill_null(False)
    ).to_series()
