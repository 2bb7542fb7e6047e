"""How good an ORM is, on trajectories whose status is known."""

from __future__ import annotations

from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.evaluation.accuracy import share_with_interval

BINS = 10
WRONG_SHARE_MAX = 0.03
"""Most wrong ones that may pass at the threshold that is proposed."""


def orm_metrics(rows: pl.DataFrame, judgements: pl.DataFrame) -> dict[str, Any]:
    """Measure an ORM.

    A verdict that does not parse counts as no verdict: neither a right one nor a pass.

    Args:
        rows: `OrmRow` rows of the test part.
        judgements: trajectory_id, orm_status, p_correct and error_step for each row.

    Returns:
        Plain values for a metrics file. Shares have value, n, low and high (95% Wilson interval):
        positive_accuracy (correct ones judged correct), negative_accuracy (wrong ones judged
        wrong), overall_accuracy, wrong_passed (wrong ones judged correct), error_step_exact (the
        first faulty step is named, of all wrong ones that have one), error_step_exact_judged (of
        those judged wrong), unparseable. Then macro_f1_steps (see there), roc_auc, brier, ece,
        proposed (see `propose_threshold`; None where they cannot be had), p_given (trajectories
        with a probability) and n.

    Raises:
        DataError: if a row was not judged.

    Source:
        arXiv 2511.06805, Table 5 (positive, negative, overall).
    """
    joined = _join(rows, judgements)
    right, judged = pl.col("status") == "correct", pl.col("orm_status")
    wrong_stepped = joined.filter(~right & pl.col("error_step").is_not_null())
    exact = pl.col("judged_step").eq_missing(pl.col("error_step")) & (judged == "wrong")
    scored = joined.filter(pl.col("p_correct").is_not_null())
    labels, scores = (scored["status"] == "correct").to_list(), scored["p_correct"].to_list()
    return {
        "n": joined.height,
        "overall_accuracy": _share(joined, judged == pl.col("status")),
        "positive_accuracy": _share(joined.filter(right), judged == "correct"),
        "negative_accuracy": _share(joined.filter(~right), judged == "wrong"),
        "wrong_passed": _share(joined.filter(~right), judged == "correct"),
        "error_step_exact": _share(wrong_stepped, exact),
        "error_step_exact_judged": _share(wrong_stepped.filter(judged == "wrong"), exact),
        "unparseable": _share(joined, ~judged.is_in(("correct", "wrong"))),
        "roc_auc": roc_auc(labels, scores),
        "brier": brier(labels, scores),
        "ece": expected_calibration_error(calibration_table(labels, scores)),
        "proposed": propose_threshold(labels, scores),
        "p_given": len(scores),
        "macro_f1_steps": macro_f1_steps(rows, judgements),
    }


def macro_f1_steps(rows: pl.DataFrame, judgements: pl.DataFrame) -> float | None:
    """Return the mean over classes of the F1 of naming the first faulty step; None without rows.

    The class of a row is 0 if the trajectory is correct, else its first faulty step; wrong ones
    without a step are left out. The class of a judgement is 0 if it says correct, the step that it
    names if it says wrong, else none: a verdict that cannot be read or names no step, as in the
    binary form, misses its row's class and is no false alarm in another. F1 of a class is
    2 · hits / (rows of the class + judgements of the class). The mean is over the classes of the
    rows, each with the same weight, however rare.

    Args:
        rows: `OrmRow` rows of the test part.
        judgements: as for `orm_metrics`.
    """
    stepped = _join(rows, judgements).with_columns(
        truth=pl.when(status="correct").then(0).otherwise("error_step"),
        named=pl.when(orm_status="correct").then(0).when(orm_status="wrong").then("judged_step"),
    )
    stepped = stepped.filter(pl.col("truth").is_not_null())
    named = dict(stepped["named"].value_counts().iter_rows())
    classes = stepped.group_by("truth").agg(
        n=pl.len(), hits=(pl.col("named") == pl.col("truth")).sum()
    )
    scores = [
        2 * hits / (n + named.get(name, 0)) for name, n, hits in classes.sort("truth").iter_rows()
    ]
    return sum(scores) / len(scores) if scores else None


def orm_metrics_by(
    rows: pl.DataFrame, judgements: pl.DataFrame, groups: pl.DataFrame, by: str
) -> pl.DataFrame:
    """Measure an ORM for each family (or any other column of the problems).

    Args:
        rows: `OrmRow` rows of the test part.
        judgements: as for `orm_metrics`.
        groups: problem_id and the column `by`.
        by: the column to group by; rows where it is null make the group "none".

    Returns:
        The column `by`, n, then overall_accuracy, positive_accuracy, negative_accuracy,
        wrong_passed, error_step_exact and roc_auc (null where there is nothing to measure), sorted
        by `by`.
    """
    named = rows.join(groups.select("problem_id", by), on="problem_id", how="left", validate="m:1")
    named = named.with_columns(pl.col(by).cast(pl.String).fill_null("none"))
    kept = (
        "overall_accuracy",
        "positive_accuracy",
        "negative_accuracy",
        "wrong_passed",
        "error_step_exact",
    )
    table = []
    for (name,), group in named.group_by(by):
        found = orm_metrics(group.drop(by), judgements)
        shares = {key: found[key]["value"] for key in kept}
        table.append({by: name, **shares, "n": found["n"], "roc_auc": found["roc_auc"]})
    schema = {by: pl.String, "n": pl.Int64, **dict.fromkeys((*kept, "roc_auc"), pl.Float64)}
    return pl.DataFrame(table, schema=schema).sort(by)


def roc_auc(labels: list[bool], scores: list[float]) -> float | None:
    """Return the chance that a correct one scores above a wrong one (ties: half), or None.

    Source:
        Mann and Whitney (1947): from the sum of the ranks of the correct ones, mean ranks for ties.
    """
    n_right, n_wrong = sum(labels), len(labels) - sum(labels)
    if not n_right or not n_wrong:
        return None
    ranks = pl.Series(scores, dtype=pl.Float64).rank("average")
    rank_sum = float(ranks.filter(pl.Series(labels, dtype=pl.Boolean)).sum())
    return (rank_sum - n_right * (n_right + 1) / 2) / (n_right * n_wrong)


def propose_threshold(labels: list[bool], scores: list[float]) -> dict[str, float] | None:
    """Return a value for `score.min_p_correct`: the lowest that lets few wrong ones pass.

    Args:
        labels: whether a trajectory is correct.
        scores: its P(correct).

    Returns:
        min_p_correct, the lowest of the scores at which at most `WRONG_SHARE_MAX` of the wrong ones
        pass, with the shares right_passed and wrong_passed there; None if there is none.
    """
    rows = pl.DataFrame({"label": labels, "p": scores}, schema={"label": bool, "p": float})
    right, wrong = rows.filter("label")["p"], rows.filter(~pl.col("label"))["p"]
    if right.is_empty() or wrong.is_empty():
        return None
    for least in sorted(set(scores)):
        share = float((wrong >= least).sum()) / len(wrong)
        if least > 0 and share <= WRONG_SHARE_MAX:
            passed = float((right >= least).sum()) / len(right)
            return {"min_p_correct": least, "right_passed": passed, "wrong_passed": share}
    return None


def brier(labels: list[bool], scores: list[float]) -> float | None:
    """Return the mean squared distance of P(correct) from 1 or 0; None without scores."""
    if not scores:
        return None
    return sum((score - label) ** 2 for label, score in zip(labels, scores, strict=True)) / len(
        scores
    )


def calibration_table(labels: list[bool], scores: list[float], bins: int = BINS) -> pl.DataFrame:
    """Compare P(correct) with the share that is correct, in bins of equal width.

    Returns:
        One row per bin, empty ones too: low, high, n, mean_p (mean probability), share_correct; a
        bin holds scores from `low` up to, not including, `high` (the last one includes 1).
    """
    frame = pl.DataFrame(
        {"label": labels, "p": scores}, schema={"label": pl.Boolean, "p": pl.Float64}
    )
    found = (
        frame.with_columns(bin=(pl.col("p") * bins).floor().cast(pl.Int64).clip(0, bins - 1))
        .group_by("bin")
        .agg(
            n=pl.len().cast(pl.Int64),
            mean_p=pl.col("p").mean(),
            share_correct=pl.col("label").cast(pl.Float64).mean(),
        )
    )
    edges = pl.DataFrame(
        {
            "bin": list(range(bins)),
            "low": [number / bins for number in range(bins)],
            "high": [(number + 1) / bins for number in range(bins)],
        }
    )
    table = edges.join(found, on="bin", how="left").sort("bin")
    return table.with_columns(pl.col("n").fill_null(0)).select(
        "low", "high", "n", "mean_p", "share_correct"
    )


def expected_calibration_error(table: pl.DataFrame) -> float | None:
    """Return the mean over the bins of |mean P(correct) − share of correct|, weighted by n.

    Args:
        table: what `calibration_table` returned.
    """
    n = int(table["n"].sum())
    if not n:
        return None
    gaps = (pl.col("mean_p") - pl.col("share_correct")).abs() * pl.col("n")
    return float(table.select(gaps.sum() / n).item())


def _join(rows: pl.DataFrame, judgements: pl.DataFrame) -> pl.DataFrame:
    judged = judgements.select("trajectory_id", "orm_status", "p_correct", judged_step="error_step")
    joined = rows.join(judged, on="trajectory_id", how="left", validate="1:1")
    if lost := joined["orm_status"].null_count():
        raise DataError(
            f"{lost} of {rows.height} test rows have no judgement.",
            rule="every test row is judged",
            fix="run the eval_orm stage again",
        )
    return joined


def _share(rows: pl.DataFrame, hits: pl.Expr) -> dict[str, float | int | None]:
    return share_with_interval(int(rows.select(hits.fill_null(False).sum()).item()), rows.height)
