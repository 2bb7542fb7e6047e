"""What differs between two rounds of a run, or between two runs: answers, verdicts, rows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TextIO

import polars as pl

from mathse.core.errors import DataError
from mathse.core.layout import Layout
from mathse.evaluation.paired import compare
from mathse.report.revisions import WORKSPACE, open_revision
from mathse.report.sql import Row, Tables
from mathse.report.summary import sort_rounds
from mathse.report.text_tables import print_rows
from schemas import Graded, column_types

_ANSWERS = """
SELECT a.split, a.problem_id, p.family, p.answer AS gold, a.predicted_answer AS before,
       b.predicted_answer AS after, a.correct AS was_right, b.correct AS is_right,
       {cluster} AS cluster
FROM a.graded a JOIN b.graded b USING (problem_id) LEFT JOIN b.problems p USING (problem_id)
WHERE a.round = ? AND b.round = ? ORDER BY a.split, a.problem_id
"""
_VERDICTS = """
WITH a AS (SELECT *, CASE WHEN accepted THEN 'accepted' ELSE reason END AS outcome FROM a.verdicts),
     b AS (SELECT *, CASE WHEN accepted THEN 'accepted' ELSE reason END AS outcome FROM b.verdicts)
SELECT a.round, a.outcome AS before, b.outcome AS after, count(*) AS trajectories,
       min(a.trajectory_id) AS for_example
FROM a JOIN b USING (trajectory_id) WHERE a.outcome <> b.outcome
GROUP BY ALL ORDER BY a.round, trajectories DESC
"""
_STATES = """
SELECT a.state AS before, b.state AS after, count(*) AS problems
FROM a.ledger a JOIN b.ledger b USING (problem_id)
WHERE a.round = ? AND b.round = ? AND a.state <> b.state GROUP BY ALL ORDER BY problems DESC
"""
_ROWS = """
WITH a AS (SELECT row_id, origin FROM a.train WHERE round = ?),
     b AS (SELECT row_id, origin FROM b.train WHERE round = ?)
SELECT coalesce(a.origin, b.origin) AS origin, count(*) FILTER (a.row_id IS NULL) AS added,
       count(*) FILTER (b.row_id IS NULL) AS dropped,
       count(*) FILTER (a.row_id = b.row_id) AS kept
FROM a FULL JOIN b USING (row_id) GROUP BY ALL ORDER BY ALL
"""


_ROUND = re.compile(r"r\d+")  # r9


def render_diff(project: Path, before: str, after: str, out: TextIO, *, limit: int) -> None:
    """Write what differs between two rounds, or between the rounds of two runs.

    Args:
        project: the project's folder.
        before: an evaluated round of the project, or a commit or experiment ("workspace": what the
            folder has now).
        after: another one, of the same kind.
        out: where to write.
        limit: most problems to list.

    Raises:
        DataError: if one of them does not exist, or the two have nothing in common.
    """
    layout = Layout(project)
    evaluated = [*layout.find(layout.eval("*").graded)]
    of_one_run = {before, after} <= set(evaluated)
    missing = {before, after} - set(evaluated)
    if len(missing) == 1 and (name := missing.pop()) != WORKSPACE and _ROUND.fullmatch(name):
        fix = f"name one of {', '.join(sort_rounds(set(evaluated)))}"
        raise DataError(f"There is no evaluated round {name} here.", file=project, fix=fix)
    runs = (WORKSPACE, WORKSPACE) if of_one_run else (before, after)
    folders = [open_revision(project, rev).data for rev in runs]
    with Tables(dict(zip("ab", folders, strict=True))) as tables:
        made = tables.names()
        pairs = [(before, after)]
        if not of_one_run:
            common = [
                {str(row["round"]) for row in tables.rows(f"SELECT DISTINCT round FROM {name}")}
                if (name := f"{side}.graded") in made
                else set()
                for side in "ab"
            ]
            pairs = [(name, name) for name in sort_rounds(common[0] & common[1])]
            if not pairs:
                fix = "`mathse sql --rev REV` shows what a run has"
                raise DataError(f"{before} and {after} have no evaluated round in common.", fix=fix)
        _render(tables, made, pairs, of_one_run, out, limit)


def _render(
    tables: Tables,
    made: list[str],
    pairs: list[tuple[str, str]],
    of_one_run: bool,
    out: TextIO,
    limit: int,
) -> None:
    """Write the parts of a diff that have rows."""
    # Answers to the evaluation problems: counts with a paired test, then the problems.
    clustered = all(
        "cluster" in {row["column_name"] for row in tables.rows(f"DESCRIBE {side}.graded")}
        for side in "ab"
    )
    sql = _ANSWERS.format(cluster="b.cluster" if clustered else "NULL")
    answers = {pair: tables.rows(sql, pair) for pair in pairs}
    changed = [count for pair, rows in answers.items() for count in _counts(pair, rows)]
    _table("Answers", changed, out)
    for title, was_right in (("Newly solved", False), ("Newly broken", True)):
        flips: list[Row] = [
            {"round": pair[1], **{key: row[key] for key in _SHOWN}}
            for pair, rows in answers.items()
            for row in rows
            if row["was_right"] is was_right and row["is_right"] is not was_right
        ]
        more = f", the first {limit} of {len(flips)}" if len(flips) > limit else ""
        _table(f"{title}{more}", flips[:limit], out)
    # Verdicts of the same trajectories; between rounds, which have none in common, the ledger.
    if of_one_run and "a.ledger" in made:
        _table("States in the ledger", tables.rows(_STATES, pairs[0]), out)
    elif {"a.verdicts", "b.verdicts"} <= {*made}:
        _table("Verdicts that flipped", tables.rows(_VERDICTS), out)
    if {"a.train", "b.train"} <= {*made}:
        found = [{"round": b, **row} for a, b in pairs for row in tables.rows(_ROWS, (a, b))]
        _table("Training rows", [r for r in found if of_one_run or r["added"] or r["dropped"]], out)


_SHOWN = ("split", "problem_id", "family", "gold", "before", "after")


def _counts(pair: tuple[str, str], rows: list[Row]) -> Iterator[Row]:
    """Yield a line for each split: solved, broken, the difference with interval and p."""
    for split in sorted({row["split"] for row in rows}):
        of_split = [row for row in rows if row["split"] == split]
        before, after = (
            pl.DataFrame(
                [(row["problem_id"], row[right], row["cluster"]) for row in of_split],
                schema=column_types(Graded, "problem_id", "correct", "cluster"),
                orient="row",
            )
            for right in ("was_right", "is_right")
        )
        found = compare(before, after)
        low, high = 100 * found.low, 100 * found.high
        yield {
            "round": pair[1],
            "split": split,
            "n": found.n,
            "solved": found.gained,
            "broken": found.lost,
            "points": f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}]",
            "p": f"{found.p_value:.2g}",
        }


def _table(title: str, rows: list[Row] | list[Mapping[str, object]], out: TextIO) -> None:
    out.write(f"{title}{'' if rows else ': none'}\n")
    if rows:
        print_rows(list(rows[0]), [list(row.values()) for row in rows], out)
    out.write("\n")
