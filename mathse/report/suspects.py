"""Gold answers that may be wrong: trajectories agree on another, and the ORM calls them correct."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.layout import Layout
from mathse.core.tables import read_table
from mathse.datasets.overrides import FOR_REVIEW
from mathse.report.text_tables import print_rows
from schemas import Problem, column_types

SUSPECTS = pl.Schema(
    {
        **column_types(Problem, "problem_id", "source", "split"),
        "gold": pl.String(),
        **column_types(Problem, "answer"),
        "agree": pl.Int64(),
        "with_gold": pl.Int64(),
        "trajectories": pl.Int64(),
        "p_correct": pl.Float64(),
        "rounds": pl.String(),
        **column_types(Problem, "question"),
    }
)
BUILT_IN = "figures"
"""The source of the built-in problems."""
_USED = ("problem_id", "round", "answer_state", "predicted_answer", "orm_status", "p_correct")


def find_suspects(
    data: str | Path, *, min_trajectories: int = 3, min_share: float = 0.5
) -> pl.DataFrame:
    """List problems whose gold answer a person should look at, over all rounds.

    A problem is listed with the answer that most trajectories give although it does not match gold,
    if the ORM calls these correct, at least `min_trajectories` give it, they are at least
    `min_share` of all judged ones, and more than those that match gold. Reflections that were shown
    the wrong answer count too.

    Returns:
        One row a problem, those with most agreement first. `p_correct` is the mean over the
        trajectories that agree.

    Raises:
        ParamError: if a bound is out of its range.
        DataError: if no trajectory was judged yet.
    """
    if min_trajectories < 2 or not 0 <= min_share <= 1:
        given = f"{min_trajectories} and {min_share}"
        raise ParamError(f"at least 2 trajectories agree, by a share in [0, 1], not {given}")
    layout = Layout(data=data)
    rounds = layout.round("*")
    patterns = (rounds.verdicts, rounds.reflection_verdicts)
    files = [file for pattern in patterns for file in layout.find(pattern).values()]
    if not files:
        fix = "run the score stage of a round"
        raise DataError("No trajectory was judged yet.", file=rounds.folder.parent, fix=fix)
    # Sorted by id: the first of equal answers must not depend on the order of files.
    # "$ x = 5$" gives x=5
    key = pl.col("predicted_answer").str.replace_all(r"[\s$]+", "").str.to_lowercase()
    judged = pl.concat([read_table(file) for file in files], how="diagonal")
    judged = judged.sort("trajectory_id").select(_USED).with_columns(key=key)
    with_gold = (pl.col("answer_state") == "match").sum()
    totals = judged.group_by("problem_id").agg(trajectories=pl.len(), with_gold=with_gold)
    # Answers that differ from gold and that the ORM calls correct, with their counts.
    against = judged.filter(answer_state="mismatch", orm_status="correct")
    answers = against.group_by("problem_id", "key", maintain_order=True).agg(
        answer=pl.col("predicted_answer").mode(maintain_order=True).first(),
        agree=pl.len(),
        p_correct=pl.col("p_correct").mean(),
        rounds=pl.col("round").unique().sort().str.join(" "),
    )
    # The answer of each problem that most of these give, if they are enough.
    best = (
        answers.sort("agree", "p_correct", "key", descending=[True, True, False], nulls_last=True)
        .unique("problem_id", keep="first", maintain_order=True)
        .join(totals, on="problem_id")
        .with_columns(share=pl.col("agree") / pl.col("trajectories"))
        .filter(
            pl.col("agree") >= min_trajectories,
            pl.col("share") >= min_share,
            pl.col("agree") > pl.col("with_gold"),
        )
    )
    columns = ("problem_id", "source", "split", "question")
    problems = read_table(layout.problems).select(columns, gold="answer")
    rows = best.join(problems, on="problem_id").sort(
        "share", "agree", "p_correct", "problem_id", descending=[True, True, True, False]
    )
    return rows.select(pl.col(name).cast(dtype) for name, dtype in SUSPECTS.items())


def to_review(suspects: pl.DataFrame) -> pl.DataFrame:
    """Return rows for overrides.csv that wait for a person's yes or no in `keep`."""
    gold, answer = (pl.col(name).fill_null("?") for name in ("gold", "answer"))
    text = FOR_REVIEW + "gold {}, {} of {} trajectories give {}"
    note = pl.format(text, gold, "agree", "trajectories", answer)
    return suspects.select("problem_id", "answer", note=note, keep=pl.lit(""))


def _check_unreviewed(out: Path) -> None:
    """Raise ParamError if there is a file that is not a list to review with an empty `keep`."""
    if not out.is_file() or not out.stat().st_size:
        return
    try:
        rows = pl.read_csv(out, infer_schema=False)
        is_list = rows.columns == to_review(pl.DataFrame(schema=SUSPECTS)).columns
    except pl.exceptions.PolarsError:
        is_list = False
    if not is_list:
        reason = "exists and is not a list to review"
    elif reviewed := (rows["keep"].fill_null("").str.strip_chars() != "").sum():
        reason = f"has {reviewed} reviewed rows"
    else:
        return
    raise ParamError(f"{out} {reason}; it is left as it is.\n  fix: give --out another name")


def describe_precision(suspects: pl.DataFrame) -> str | None:
    """Say how many of those listed are right, where that is known: among the built-in problems.

    Their gold answers are right by construction, so each one listed is a false alarm.
    """
    built_in = suspects.filter(source=BUILT_IN).height
    if not built_in:
        return None
    return (
        f"Precision on the built-in problems: 0 of {built_in}. Their gold answers are right by "
        f"construction; {suspects.height - built_in} other problems are listed."
    )


def report_suspects(data: Path, min_trajectories: int, min_share: float, out: Path | None) -> None:
    """Print the list, or write it to a file to review, and print its precision if it is known.

    Raises:
        ParamError: if the file exists and is not such a list, or somebody has reviewed rows of it.
    """
    if out is not None:
        _check_unreviewed(out)
    found = find_suspects(data, min_trajectories=min_trajectories, min_share=min_share)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        to_review(found).write_csv(out)
        print(f"{out} lists {found.height} problems.")
        if found.height:
            print("Look at each, and write into the column keep: yes (the answer replaces gold),")
            print(f"or no (gold is right). Then add them: cat {out} >> overrides.csv")
    elif found.is_empty():
        print("No gold answer is suspicious.")
    else:
        print_rows(found.columns, found.rows(), sys.stdout)
    if precision := describe_precision(found):
        print(precision)
