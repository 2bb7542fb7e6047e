"""The trace of one problem or trajectory: all that the tables contain about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mathse.core.errors import DataError
from mathse.core.text import one_line
from mathse.prompts import choice_letter
from mathse.report.sql import MAIN, Row, Tables
from mathse.report.summary import sort_rounds

_VIEWS = (
    *("problems", "ledger", "trajectories", "verdicts", "train", "dropped"),
    *("graded", "predictions"),
)


def render_trace(data: str | Path, name: str) -> tuple[str, list[str]]:
    """Return what the tables contain about a problem or trajectory, and the problem's image ids.

    Args:
        data: the data folder.
        name: a problem_id, trajectory_id or row_id of a training row, or the first characters of
            one. A trajectory's id shows that trajectory, the one it corrects and the ones that
            correct it, as does a row's id; a problem's id shows all its trajectories.

    Raises:
        DataError: if nothing or more than one thing has an id that begins so.
    """
    with Tables({MAIN: data}) as tables:
        made = tables.names()
        problem_id, found_id = _identify(tables, made, Path(data), name)
        rows = {view: _rows(tables, view, problem_id) if view in made else [] for view in _VIEWS}
    trajectories = rows["trajectories"]
    if found_id != problem_id:
        # The trajectory, the one it corrects and those that correct it.
        parents = {row["parent_id"] for row in trajectories if row["trajectory_id"] == found_id}
        trajectories = [
            row
            for row in trajectories
            if row["trajectory_id"] in {found_id, *parents} or row["parent_id"] == found_id
        ]

    # Trajectories in the order in which they were written, reflections after samples.
    order = sort_rounds({row["round"] for row in trajectories})
    trajectories.sort(
        key=lambda row: (
            order.index(row["round"]),
            row["origin"] == "reflection",
            row["sample_idx"],
        )
    )
    lines = _problem(problem_id, rows["problems"]) + _ledger(rows["ledger"])
    for row in trajectories:
        parts = (
            [part for part in rows[view] if part["trajectory_id"] == row["trajectory_id"]]
            for view in ("verdicts", "train", "dropped")
        )
        lines += _trajectory(row, *parts)
    if not trajectories:
        lines.append("It has no trajectory to learn from.")
    lines += _evaluations(rows["graded"], rows["predictions"])
    images = rows["problems"][0]["image_ids"] if rows["problems"] else []
    return "".join(f"{one_line(line)}\n" for line in lines), images


def _identify(tables: Tables, made: Sequence[str], root: Path, name: str) -> tuple[str, str]:
    """Return the problem of an id that begins so, and the id: the problem's or a trajectory's."""
    found: set[tuple[str, str]] = set()
    keys = {"problems": "problem_id", "trajectories": "trajectory_id", "train": "row_id"}
    for view, key in keys.items():
        if view in made:
            shown = "trajectory_id" if view == "train" else key
            sql = f"SELECT problem_id, {shown} AS id FROM {view} WHERE starts_with({key}, ?)"
            found |= {(row["problem_id"], row["id"]) for row in tables.rows(sql, [name])}
    if not found:
        message = f"No problem, trajectory or training row has an id that begins with {name!r}."
        raise DataError(message, file=root, fix="`mathse ask hardest` lists ids")
    if len(found) > 1:
        ids = sorted(found_id for _, found_id in found)
        shown = ", ".join(ids[:5]) + (", …" if len(ids) > 5 else "")
        message = f"{len(ids)} ids begin with {name!r}: {shown}"
        raise DataError(message, file=root, fix="give more characters")
    return found.pop()


def _problem(problem_id: str, rows: list[Row]) -> list[str]:
    if not rows:
        return [f"Problem {problem_id} is not in the problems table."]
    row = rows[0]
    facts = [row["source"], row["split"], row["subject"], f"level {row['level']}", row["family"]]
    lines = [f"Problem {problem_id} ({', '.join(str(fact) for fact in facts if fact)})", ""]
    lines += _indent(row["question"])
    lines += [f"  {choice_letter(i)}. {choice}" for i, choice in enumerate(row["choices"])]
    unit = f" {row['unit']}" if row["unit"] else ""
    lines.append(f"  answer: {row['answer']}{unit} ({row['answer_type']})")
    lines += [f"  image:  {image_id}" for image_id in row["image_ids"]]
    if row["solution"]:
        lines += ["  worked solution:", *_indent(row["solution"], 4)]
    return lines


def _ledger(rows: list[Row]) -> list[str]:
    if not rows:
        return ["", "It is in no ledger."]
    by_round = {row["round"]: row for row in rows}
    lines = ["", "Ledger"]
    for name in sort_rounds(by_round):
        state, passes, attempts = (by_round[name][key] for key in ("state", "passes", "attempts"))
        lines.append(f"  {name}: {state}, {passes} of {attempts} attempts passed")
    return lines


def _trajectory(row: Row, verdicts: list[Row], trained: list[Row], dropped: list[Row]) -> list[str]:
    title = f"{row['round']} {row['origin']} {row['sample_idx']}"
    parent = f", corrects {row['parent_id']}" if row["parent_id"] else ""
    end = "" if row["finish_reason"] == "stop" else f", ended by {row['finish_reason']}"
    error = f": {row['error']}" if row.get("error") else ""
    lines = ["", f"{title}: trajectory {row['trajectory_id']}{parent}{end}{error}"]
    faulty = {verdict["error_step"] for verdict in verdicts}
    for number, step in enumerate(row["steps"], start=1):
        lines.append(f"  {'>' if number in faulty else ' '} [{number}] {step}")
    for verdict in verdicts:
        lines += _verdict(verdict)
    if trained:
        lines.append(f"  training row since {trained[0]['added_in']}, row {trained[0]['row_id']}")
    elif dropped:
        lines.append(f"  accepted, but left out of the training rows: {dropped[0]['reason']}")
    return lines


def _verdict(row: Row) -> list[str]:
    outcome = "accepted" if row["accepted"] else f"rejected: {row['reason']}"
    answer = "" if row["predicted_answer"] is None else f" ({row['predicted_answer']})"
    p_correct = "" if row["p_correct"] is None else f", P(correct) {row['p_correct']:.3f}"
    lines = [
        f"  {outcome}; answer {row['answer_state']}{answer}; ORM {row['orm_status']}{p_correct}"
    ]
    if row["error_step"] is not None or row["error_analysis"]:
        where = "no step" if row["error_step"] is None else f"step {row['error_step']}"
        kind = f" ({row['error_kind']})" if row["error_kind"] else ""
        lines.append(f"  ORM on {where}{kind}: {row['error_analysis']}")
    return lines


def _evaluations(graded: list[Row], predictions: list[Row]) -> list[str]:
    by_round = {row["round"]: row for row in graded}
    responses = {row["round"]: row["response"] for row in predictions}
    lines = []
    for name in sort_rounds(by_round):
        row = by_round[name]
        state = f"{row['answer_state']}, found {row['predicted_answer']}"
        lines += ["", f"{name} evaluation ({row['split']}): {state}"]
        lines += _indent(responses.get(name, ""))
    return lines


def _rows(tables: Tables, view: str, problem_id: str) -> list[Row]:
    """Return the rows of a view that are of a problem."""
    where = "problem_id = ?"
    if view == "dropped":  # it has no problem_id
        where = f"trajectory_id IN (SELECT trajectory_id FROM trajectories WHERE {where})"
    return tables.rows(f"SELECT * FROM {view} WHERE {where}", [problem_id])


def _indent(text: str, blanks: int = 2) -> list[str]:
    return [" " * blanks + line for line in text.splitlines()]
