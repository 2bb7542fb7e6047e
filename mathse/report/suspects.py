"""Gold answers that may be wrong: paths agree with one another and not with gold, and the ORM calls them right."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.tables import read_table
from schemas import Problem, column_types

SUSPECTS = pl.Schema(
    {
        **column_types(Problem, "problem_id", "split"),
        "gold": pl.String(),
        **column_types(Problem, "answer"),
        "agree": pl.Int64(),
        "with_gold": pl.Int64(),
        "paths": pl.Int64(),
        "p_correct": pl.Float64(),
        "rounds": pl.String(),
        **column_types(Problem, "question"),
    }
)
_TABLES = ("verdicts", "reflection_verdicts")
_COLUMNS = (
    "trajectory_id",
    "problem_id",
    "round",
    "answer_state",
    "predicted_answer",
    "orm_status",
    "p_correct",
)
_BLANK = re.compile(r"[\s$]+")


def find_suspects(data: str | Path, *, min_paths: int = 3, min_share: float = 0.5) -> pl.DataFrame:
    """List problems whose gold answer a person should look at, over all rounds.

    A problem is listed with the answer that most paths give although it does not match gold, if the
    ORM calls these paths correct, at least `min_paths` give it, they are at least `min_share` of
    all its judged paths, and more than those that match gold. Paths are different samples:
    reflections that were shown the wrong answer count too.

    Args:
        data: the data folder.
        min_paths: fewest paths that agree.
        min_share: least share of the problem's paths that agree, in [0, 1].

    Returns:
        One row a problem: those with most agreement first. `p_correct` is the mean of the agreeing
        paths.

    Raises:
        ParamError: if a bound is out of its range.
        DataError: if no path was judged yet.
    """
    if min_paths < 2 or not 0 <= min_share <= 1:
        raise ParamError(
            f"at least 2 paths agree, by a share in [0, 1], not {min_paths} and {min_share}"
        )
    root = Path(data)
    files = [file for name in _TABLES for file in sorted(root.glob(f"rounds/*/{name}.parquet"))]
    if not files:
        raise DataError(
            "No path was judged yet.", file=root / "rounds", fix="run the score stage of a round"
        )
    judged = pl.concat([read_table(file).select(_COLUMNS) for file in files])
    judged = judged.with_columns(
        key=pl.col("predicted_answer").map_elements(_plain, return_dtype=pl.String, skip_nulls=True)
    )
    right = pl.col("answer_state") == "match"
    totals = judged.group_by("problem_id").agg(
        paths=pl.len().cast(pl.Int64), with_gold=right.sum().cast(pl.Int64)
    )
    against = judged.filter(
        (pl.col("answer_state") == "mismatch") & (pl.col("orm_status") == "correct")
    )
    groups = (
        against.sort("trajectory_id")
        .group_by("problem_id", "key", maintain_order=True)
        .agg(
            answer=pl.col("predicted_answer").mode(maintain_order=True).first(),
            agree=pl.len().cast(pl.Int64),
            p_correct=pl.col("p_correct").mean(),
            rounds=pl.col("round").unique().sort().str.join(" "),
        )
    )
    best = groups.sort("agree", "p_correct", "key", descending=[True, True, False], nulls_last=True)
    best = best.unique("problem_id", keep="first", maintain_order=True).join(
        totals, on="problem_id"
    )
    listed = best.filter(
        (pl.col("agree") >= min_paths)
        & (pl.col("agree") >= min_share * pl.col("paths"))
        & (pl.col("agree") > pl.col("with_gold"))
    )
    problems = read_table(root / "problems" / "problems.parquet").select(
        "problem_id", "split", "question", gold="answer"
    )
    rows = listed.join(problems, on="problem_id").with_columns(
        share=pl.col("agree") / pl.col("paths")
    )
    ordered = rows.sort(
        "share", "agree", "p_correct", "problem_id", descending=[True, True, True, False]
    )
    return ordered.select(pl.col(name).cast(dtype) for name, dtype in SUSPECTS.items())


def to_review(suspects: pl.DataFrame) -> pl.DataFrame:
    """Return problem_id, answer and note, as `problems.overrides` takes them once a person has reviewed the rows."""
    note = pl.format(
        "REVIEW: gold {}, {} of {} paths say {}",
        *(
            pl.col(name).fill_null("?") if name in ("gold", "answer") else pl.col(name)
            for name in ("gold", "agree", "paths", "answer")
        ),
    )
    return suspects.select("problem_id", "answer", note=note)


def _plain(answer: str) -> str:
    return _BLANK.sub("", answer).casefold()
