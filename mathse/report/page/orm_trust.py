"""How far the ORM can be trusted: on its test rows, and on what the loop really judged."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.evaluation.accuracy import share_with_interval
from mathse.judge.orm_metrics import calibration_table, orm_metrics, orm_metrics_by, roc_auc
from mathse.judge.orm_metrics import expected_calibration_error as calibration_error
from mathse.report.page.run_tables import ORM_TEST, RunTables

MAX_POINTS = 120
_STATUSES = ("correct", "wrong", "unparseable")
_KNOWN = ("match", "mismatch", "no_answer")
_CHECKS = (  # title, keys in metrics/eval_orm.json
    ("the student's right ones", ("student", "positive_accuracy")),
    ("the student's wrong ones", ("student", "wrong_passed")),
    ("right ones, with a white picture", ("blank_picture", "positive_accuracy")),
    ("wrong ones, with a white picture", ("blank_picture", "wrong_passed")),
    ("sample of right ones", ("attacks", "unchanged_right", "passed")),
    ("these, with the last line of another", ("attacks", "swapped_last_line", "passed")),
    ("sample of wrong ones", ("attacks", "unchanged_wrong", "passed")),
    ("these, with a line that calls them correct", ("attacks", "says_correct", "passed")),
    ("these, with the verdict pasted in", ("attacks", "pasted_verdict", "passed")),
    ("their problems, with no text", ("attacks", "empty", "passed")),
)
Row = dict[str, Any]


def orm_trust(tables: RunTables) -> Row:
    """Return what is known of the ORM.

    Returns:
        test: the metrics of `orm_metrics` on the test rows, None where there are none; families:
        those by family; judged: for the test rows and each round and origin: name, round, origin,
        n, counts (by truth and status), refused (share of right ones called wrong), passed (share
        of wrong ones called correct), auc, ece, roc (points), calibration (rows); checks: title
        and share passed of what eval_orm changed in the test rows, empty if it did not run.
        On what the loop judged, the truth is the answer check: a right answer from wrong steps
        counts as right, no answer as wrong; a check that failed is left out.
    """
    rows, judgements = tables.orm_rows, tables.judgements
    judged = [
        _judged(f"{name} {origin}", name, origin, tables.verdicts.filter(round=name, origin=origin))
        for name, origin in itertools.product(tables.loop[1:], ("student", "reflection"))
    ]
    found: Row = {"test": None, "families": [], "judged": [row for row in judged if row["n"]]}
    found["checks"] = list(_checks(tables))
    try:
        if rows.height and judgements.height:
            groups = tables.problems.select(
                "problem_id", family=pl.col("family").fill_null(pl.col("subject"))
            )
            found["test"] = orm_metrics(rows, judgements)
            found["families"] = orm_metrics_by(rows, judgements, groups, "family").to_dicts()
            truth = rows.select(
                "trajectory_id",
                answer_state=pl.when(status="correct")
                .then(pl.lit("match"))
                .otherwise(pl.lit("mismatch")),
            )
            pairs = judgements.join(truth, on="trajectory_id")
            found["judged"].insert(0, _judged("test rows", "", ORM_TEST, pairs))
    except DataError:  # rows of another run than the judgements
        pass
    return found


def _checks(tables: RunTables) -> Iterator[tuple[str, Row]]:
    file = tables.layout.metrics("eval_orm")
    metrics = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    for title, keys in _CHECKS:
        share = metrics
        for key in keys:
            share = share.get(key, {})
        if share.get("n"):
            yield title, share


def _judged(title: str, name: str, origin: str, verdicts: pl.DataFrame) -> Row:
    """Compare the ORM's judgements of some trajectories with their answer check."""
    known = verdicts.filter(
        pl.col("orm_status").is_in(_STATUSES), pl.col("answer_state").is_in(_KNOWN)
    ).with_columns(right=pl.col("answer_state") == "match")
    counts = {
        (right, status): known.filter(right=right, orm_status=status).height
        for right, status in itertools.product((True, False), _STATUSES)
    }
    scored = known.filter(pl.col("p_correct").is_not_null())
    labels, scores = scored["right"].to_list(), scored["p_correct"].to_list()
    bins = calibration_table(labels, scores)
    n_right, n_wrong = (known.filter(right=right).height for right in (True, False))
    return {
        "title": title,
        "round": name,
        "origin": origin,
        "n": known.height,
        "counts": counts,
        "refused": share_with_interval(counts[True, "wrong"], n_right),
        "passed": share_with_interval(counts[False, "correct"], n_wrong),
        "auc": roc_auc(labels, scores),
        "ece": calibration_error(bins),
        "roc": _roc(scored),
        "calibration": bins.filter(pl.col("n") > 0).to_dicts(),
    }


def _roc(scored: pl.DataFrame) -> list[tuple[float, float]]:
    """Return (share of wrong ones, share of right ones) with at least each P(correct)."""
    counts = scored.group_by("p_correct").agg(pl.col("right").sum(), n=pl.len())
    counts = counts.sort("p_correct", descending=True).select(
        right=pl.col("right").cum_sum(), wrong=(pl.col("n") - pl.col("right")).cum_sum()
    )
    if counts.is_empty() or not counts["right"][-1] or not counts["wrong"][-1]:
        return []
    shares = counts.select(
        pl.col("wrong") / counts["wrong"][-1], pl.col("right") / counts["right"][-1]
    )
    thinned = shares.gather_every(max(1, shares.height // MAX_POINTS)).rows()
    return [(0.0, 0.0), *thinned, (1.0, 1.0)]
