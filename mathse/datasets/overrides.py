"""Gold answers that a person has reviewed and corrected; they replace those of the problems.

The file is CSV with the columns problem_id, answer, note and, if rows wait for review, keep: `yes`
where the answer replaces gold, `no` where gold stays. `mathse suspects --out FILE` writes such a
file, with nothing in keep; once reviewed, it can be appended, header and all. A corrected problem
gets a new id, since its answer is part of what the id is made of; `meta` keeps the old one.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from schemas import LETTERS

COLUMNS = ("problem_id", "answer", "note")
FOR_REVIEW = "REVIEW: "
"""How the note of a row begins that nobody has reviewed."""


def read_overrides(file: str | Path) -> dict[str, tuple[str, str]]:
    """Return answer and note by problem_id, without those of which `keep` says no.

    Raises:
        DataError: if the file is not readable, has other columns, has rows that nobody has
            reviewed, lacks an answer, or gives a problem two answers.
    """
    rows = _read_rows(file)
    waiting = sum(keep not in ("yes", "no") for _, _, _, keep in rows)
    # Row by row, so that a message can name the row.
    found: dict[str, tuple[str, str]] = {}
    for row, (name, given, note, keep) in enumerate(rows):
        if keep not in ("yes", "no"):
            message = f"{waiting} corrected answers are not reviewed, such as that of {name}."
            fix = "look at each, then write into the column keep: yes, the answer replaces gold; no"
            raise DataError(message, file=file, row=row, rule="keep is yes or no", fix=fix)
        if keep == "no":
            continue
        if not given:
            message = f"There is no answer for problem {name}."
            raise DataError(message, file=file, row=row, rule="an answer is given")
        if name in found and found[name][0] != given:
            message = f"Problem {name} has two answers: {found[name][0]!r} and {given!r}."
            rule, fix = "one answer per problem", "keep the row that is right"
            raise DataError(message, file=file, row=row, rule=rule, fix=fix)
        found[name] = given, note
    return found


def _read_rows(file: str | Path) -> list[tuple[str, str, str, str]]:
    """Return problem_id, answer, note and keep of each row.

    A row without keep counts, but for those whose note asks for a review.
    """
    try:
        text = Path(file).read_text(encoding="utf-8-sig")
        header, *lines = [line for line in csv.reader(text.splitlines(True), strict=True) if line]
    except (OSError, ValueError, csv.Error) as error:
        message = f"The corrected answers cannot be read: {error}"
        fix = f"correct the file; without corrections it holds the line {','.join(COLUMNS)}"
        raise DataError(message, file=file, fix=fix) from error
    if set(header) - {"keep"} != set(COLUMNS):
        message = f"The corrected answers have the columns {header}."
        raise DataError(message, file=file, rule=f"the columns are {', '.join(COLUMNS)}, and keep")
    names = [name for name in header if name != "keep"]
    where = header.index("keep") if "keep" in header else len(COLUMNS)
    rows = []
    for row, cells in enumerate(lines):
        if set(cells) - {"keep"} == set(COLUMNS):
            continue  # the header of a list that was appended
        if len(cells) not in (len(header), len(COLUMNS) + 1):
            message = f"This row has {len(cells)} values: {cells}"
            rule = f"a row has {', '.join(COLUMNS)} and, perhaps, keep"
            fix = "put a value that has a comma into quotation marks"
            raise DataError(message, file=file, row=row, rule=rule, fix=fix)
        kept = cells.pop(where).strip().lower() if len(cells) > len(COLUMNS) else None
        values = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
        if kept is None:
            kept = "" if values["note"].startswith(FOR_REVIEW) else "yes"
        rows.append((values["problem_id"], values["answer"], values["note"], kept))
    return rows


def apply_overrides(problems: pl.DataFrame, file: str | Path) -> pl.DataFrame:
    """Give `Problem` rows their corrected answers.

    Returns:
        The rows in the same order. Those corrected have a new problem_id, and in `meta` under
        "corrected" the old id and answer and the note.

    Raises:
        DataError: as `read_overrides`; and if a problem is unknown, its answer names no choice, or
            it becomes one that is there already.
    """
    corrections = read_overrides(file)
    if not corrections:
        return problems
    known = set(problems["problem_id"])
    if unknown := sorted(set(corrections) - known):
        number, first = len(unknown), unknown[0]
        message = f"{number} corrected problems are not among the problems, such as {first}."
        fix = "take the ids from problems.parquet as it is without corrections, or remove the rows"
        raise DataError(message, file=file, rule="a corrected problem is known", fix=fix)
    rows = []
    for row in problems.iter_rows(named=True):
        answer, note = corrections.get(row["problem_id"], (row["answer"], ""))
        is_new = answer != row["answer"]
        rows.append(_correct(row, answer, note, file, known) if is_new else row)
    return pl.DataFrame(rows, schema=problems.schema)


def _correct(
    row: dict[str, Any], answer: str, note: str, file: str | Path, known: set[str]
) -> dict[str, Any]:
    old, choices = row["problem_id"], row["choices"] or []
    allowed = (*choices, *LETTERS[: len(choices)])
    if choices and row["answer_type"] == "choice" and answer not in allowed:
        count = len(choices)
        message = (
            f"The corrected answer {answer!r} of problem {old} is none of its {count} choices."
        )
        raise DataError(message, file=file, rule="an answer to a multiple choice names a choice")
    name = content_id(row["question"], choices, answer, row["image_ids"])
    if name in known:
        message = f"With this correction, problem {old} is the same as problem {name}."
        raise DataError(message, file=file, rule="ids occur once")
    known.add(name)
    meta = json.loads(row["meta"]) if row["meta"] else {}
    meta["corrected"] = {"problem_id": old, "answer": row["answer"], "note": note}
    text = json.dumps(meta, ensure_ascii=False, sort_keys=True)
    return {**row, "problem_id": name, "answer": answer, "meta": text}
