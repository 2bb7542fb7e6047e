"""The story of one problem or path: everything that the tables say of it, for a person to read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb

from mathse.core.errors import DataError
from mathse.prompts import choice_letter
from mathse.report.sql import VIEWS, connect
from mathse.report.summary import sort_rounds

Row = dict[str, Any]


def tell(data: str | Path, name: str) -> str:
    """Write what the tables say of a problem, or of the problem that a path belongs to.

    Args:
        data: the data folder.
        name: a problem_id or trajectory_id, or the first characters of one. A path's id shows that
            path, the one it corrects and the ones that correct it; a problem's id shows all its
            paths.

    Raises:
        DataError: if nothing or more than one thing has an id that begins so.
    """
    with connect(data) as connection:
        problem_id, trajectory_id = _identify(connection, Path(data), name)
        lines = _problem(connection, problem_id)
        lines += _fate(connection, problem_id)
        paths = _rows(connection, "trajectories", "problem_id", problem_id)
        verdicts = _by_path(_rows(connection, "verdicts", "problem_id", problem_id))
        trained = _by_path(_rows(connection, "train", "problem_id", problem_id))
        dropped = {row["trajectory_id"]: row for row in _rows(connection, "dropped") if row}
        if trajectory_id is not None:
            paths = _family(paths, trajectory_id)
        order = {
            place: number
            for number, place in enumerate(sort_rounds({path["round"] for path in paths}))
        }
        paths.sort(
            key=lambda path: (
                order[path["round"]],
                path["origin"] == "reflection",
                path["sample_idx"],
            )
        )
        for path in paths:
            own = path["trajectory_id"]
            lines += _path(path, verdicts.get(own, []), trained.get(own, []), dropped.get(own))
        if not paths:
            lines.append("No path was written for it.")
        lines += _evaluations(connection, problem_id)
    return "\n".join(lines) + "\n"


def _identify(
    connection: duckdb.DuckDBPyConnection, root: Path, name: str
) -> tuple[str, str | None]:
    found: set[tuple[str, str | None]] = set()
    if "problems" in _views(connection):
        sql = "SELECT problem_id FROM problems WHERE starts_with(problem_id, ?)"
        found |= {
            (problem_id, None) for (problem_id,) in connection.execute(sql, [name]).fetchall()
        }
    if "trajectories" in _views(connection):
        sql = (
            "SELECT problem_id, trajectory_id FROM trajectories WHERE starts_with(trajectory_id, ?)"
        )
        found |= set(connection.execute(sql, [name]).fetchall())
    if not found:
        raise DataError(f"No problem and no path has an id that begins with {name!r}.", file=root)
    if len(found) > 1:
        ids = sorted(path or problem for problem, path in found)
        shown = ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
        raise DataError(
            f"{len(ids)} ids begin with {name!r}: {shown}", file=root, fix="give more characters"
        )
    return found.pop()


def _problem(connection: duckdb.DuckDBPyConnection, problem_id: str) -> list[str]:
    rows = _rows(connection, "problems", "problem_id", problem_id)
    if not rows:
        return [f"Problem {problem_id} is not in the problems table."]
    problem = rows[0]
    facts = [
        problem["source"],
        problem["split"],
        problem["subject"],
        f"level {problem['level']}",
        problem["family"],
    ]
    lines = [f"Problem {problem_id} ({', '.join(str(fact) for fact in facts if fact)})", ""]
    lines += _indent(problem["question"])
    lines += [
        f"  {choice_letter(place)}. {choice}" for place, choice in enumerate(problem["choices"])
    ]
    unit = f" {problem['unit']}" if problem["unit"] else ""
    lines.append(f"  answer: {problem['answer']}{unit} ({problem['answer_type']})")
    lines += [f"  image:  {image_id}" for image_id in problem["image_ids"]]
    if problem["solution"]:
        lines += ["  worked solution:", *_indent(problem["solution"], 4)]
    return lines


def _fate(connection: duckdb.DuckDBPyConnection, problem_id: str) -> list[str]:
    rows = _rows(connection, "ledger", "problem_id", problem_id)
    if not rows:
        return ["", "It is in no ledger."]
    by_round = {row["round"]: row for row in rows}
    lines = ["", "Ledger"]
    for name in sort_rounds(by_round):
        row = by_round[name]
        lines.append(
            f"  {name}: {row['state']}, {row['passes']} of {row['attempts']} attempts passed"
        )
    return lines


def _path(path: Row, verdicts: list[Row], trained: list[Row], dropped: Row | None) -> list[str]:
    title = f"{path['round']} {path['origin']} {path['sample_idx']}: path {path['trajectory_id']}"
    parent = f", corrects {path['parent_id']}" if path["parent_id"] else ""
    end = "" if path["finish_reason"] == "stop" else f", ended by {path['finish_reason']}"
    lines = ["", f"{title}{parent}{end}"]
    named = {verdict["error_step"] for verdict in verdicts}
    for number, step in enumerate(path["steps"], start=1):
        lines.append(f"  {'>' if number in named else ' '} [{number}] {step}")
    for verdict in verdicts:
        lines += _verdict(verdict)
    if trained:
        lines.append(f"  training row since {trained[0]['added_in']}, row {trained[0]['row_id']}")
    elif dropped is not None:
        lines.append(f"  accepted, but left out of the training rows: {dropped['reason']}")
    return lines


def _verdict(verdict: Row) -> list[str]:
    outcome = "accepted" if verdict["accepted"] else f"rejected: {verdict['reason']}"
    p_correct = verdict["p_correct"]
    shown = "" if p_correct is None else f", P(correct) {p_correct:.3f}"
    found = "" if verdict["predicted_answer"] is None else f" ({verdict['predicted_answer']})"
    lines = [
        f"  {outcome}; answer {verdict['answer_state']}{found}; ORM {verdict['orm_status']}{shown}"
    ]
    if verdict["error_step"] is not None:
        kind = f" ({verdict['error_kind']})" if verdict["error_kind"] else ""
        lines.append(f"  ORM on step {verdict['error_step']}{kind}: {verdict['error_analysis']}")
    return lines


def _evaluations(connection: duckdb.DuckDBPyConnection, problem_id: str) -> list[str]:
    graded = {row["round"]: row for row in _rows(connection, "graded", "problem_id", problem_id)}
    written = {
        row["round"]: row for row in _rows(connection, "predictions", "problem_id", problem_id)
    }
    lines = []
    for name in sort_rounds(graded):
        row = graded[name]
        lines += [
            "",
            f"{name} evaluation ({row['split']}): {row['answer_state']}, found {row['predicted_answer']}",
        ]
        if name in written:
            lines += _indent(written[name]["response"])
    return lines


def _family(paths: list[Row], trajectory_id: str) -> list[Row]:
    """Keep a path, the one it corrects and those that correct it."""
    own = next(path for path in paths if path["trajectory_id"] == trajectory_id)
    return [
        path
        for path in paths
        if path is own
        or path["trajectory_id"] == own["parent_id"]
        or path["parent_id"] == trajectory_id
    ]


def _by_path(rows: list[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["trajectory_id"], []).append(row)
    return found


def _rows(
    connection: duckdb.DuckDBPyConnection,
    view: str,
    column: str | None = None,
    value: str | None = None,
) -> list[Row]:
    """Return the rows of a view where a column has a value; none where the view has no files yet."""
    assert view in VIEWS
    if view not in _views(connection):
        return []
    where = f" WHERE {column} = ?" if column else ""
    answer = connection.execute(f"SELECT * FROM {view}{where}", [value] if column else [])
    names = [entry[0] for entry in answer.description or []]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _views(connection: duckdb.DuckDBPyConnection) -> set[str]:
    sql = "SELECT view_name FROM duckdb_views() WHERE NOT internal"
    return {name for (name,) in connection.execute(sql).fetchall()}


def _indent(text: str, blanks: int = 2) -> list[str]:
    return [" " * blanks + line for line in text.splitlines()]
