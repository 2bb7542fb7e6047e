"""Gold answers that a person has reviewed and corrected, laid over the problems before anything is learned.

The file is CSV with the columns problem_id, answer and note. `mathse suspects --out FILE` writes
such a file to review. A corrected problem gets a new id, since its answer is part of what the id is
made of; `meta` keeps what it was.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from schemas import LETTERS

COLUMNS = ("problem_id", "answer", "note")


def read_overrides(file: str | Path) -> dict[str, tuple[str, str]]:
    """Read a file of corrections.

    Returns:
        By problem_id: the answer and the note.

    Raises:
        DataError: if the file is not readable, has other columns, lacks an answer, or gives a
            problem two answers.
    """
    try:
        rows = pl.read_csv(file, infer_schema=False).with_columns(pl.all().fill_null(""))
    except (pl.exceptions.PolarsError, OSError) as error:
        fix = "correct the path in problems.overrides, or set it to null"
        raise DataError(
            f"The corrected answers cannot be read: {error}", file=file, fix=fix
        ) from error
    if sorted(rows.columns) != sorted(COLUMNS):
        raise DataError(
            f"The corrected answers have the columns {rows.columns}.",
            file=file,
            rule=f"the columns are {', '.join(COLUMNS)}",
        )
    found: dict[str, tuple[str, str]] = {}
    for row, (problem_id, answer, note) in enumerate(rows.select(COLUMNS).iter_rows()):
        name, given = problem_id.strip(), answer.strip()
        if not given:
            raise DataError(
                f"There is no answer for problem {name}.",
                file=file,
                row=row,
                rule="an answer is given",
            )
        if name in found and found[name][0] != given:
            raise DataError(
                f"Problem {name} has two answers: {found[name][0]!r} and {given!r}.",
                file=file,
                row=row,
                rule="one answer per problem",
                fix="keep the row that is right",
            )
        found[name] = given, note.strip()
    return found


def apply_overrides(problems: pl.DataFrame, file: str | Path) -> pl.DataFrame:
    """Give problems their corrected answers.

    Args:
        problems: `Problem` rows.
        file: see `read_overrides`.

    Returns:
        The rows in the same order. Those corrected have a new problem_id, and in `meta` under
        "corrected" the old id and answer and the note.

    Raises:
        DataError: as `read_overrides`; and if a problem is unknown, its answer names no choice, or
            it becomes one that is there already.
    """
    corrections = read_overrides(file)
    known = set(problems["problem_id"])
    if lost := sorted(set(corrections) - known):
        raise DataError(
            f"{len(lost)} corrected problems are not among the problems, such as {lost[0]}.",
            file=file,
            rule="a corrected problem is known",
            fix="take the ids from problems.parquet as it is without corrections, or remove the rows",
        )
    rows: list[dict[str, Any]] = []
    for row in problems.filter(pl.col("problem_id").is_in(list(corrections))).iter_rows(named=True):
        answer, note = corrections[row["problem_id"]]
        if answer != row["answer"]:
            rows.append(_corrected(row, answer, note, file, known))
    if not rows:
        return problems
    new = pl.DataFrame(rows, schema={**problems.schema, "old_id": pl.String})
    order = problems.select("problem_id").with_row_index("place")
    kept = problems.join(
        new, left_on="problem_id", right_on="old_id", how="anti", maintain_order="left"
    )
    placed = pl.concat(
        [
            kept.join(order, on="problem_id", maintain_order="left"),
            new.join(order, left_on="old_id", right_on="problem_id", maintain_order="left").drop(
                "old_id"
            ),
        ]
    )
    return placed.sort("place").drop("place")


def _corrected(
    row: dict[str, Any], answer: str, note: str, file: str | Path, known: set[str]
) -> dict[str, Any]:
    old = row["problem_id"]
    choices = row["choices"] or []
    if (
        choices
        and row["answer_type"] == "choice"
        and answer not in (*choices, *LETTERS[: len(choices)])
    ):
        raise DataError(
            f"The corrected answer {answer!r} of problem {old} is none of its {len(choices)} choices.",
            file=file,
            rule="an answer to a multiple choice names a choice",
        )
    name = content_id(row["question"], choices, answer, row["image_ids"])
    if name in known:
        raise DataError(
            f"Corrected so, problem {old} is the same as problem {name}.",
            file=file,
            rule="ids occur once",
        )
    known.add(name)
    meta = json.loads(row["meta"]) if row["meta"] else {}
    meta["corrected"] = {"problem_id": old, "answer": row["answer"], "note": note}
    text = json.dumps(meta, ensure_ascii=False, sort_keys=True)
    return {**row, "problem_id": name, "answer": answer, "meta": text, "old_id": old}
