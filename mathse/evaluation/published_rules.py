"""Score a table of answers by rules that others have published, beside this checker's.

The rules of MathVista compare text, those of Math-Verify are SymPy's. Both follow the published
scripts in what counts as equal; the answers that a served model extracts for MathVista's script are
those that this checker finds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import polars as pl

from mathse.core.processes import start_worker
from schemas import LETTERS

LIMIT_S = 30.0
START_LIMIT_S = 120.0
MEMORY_BYTES = 4 << 30

_IN_BRACKETS = re.compile(r"\(([a-zA-Z])\)")  # "(A) 12"


def score_rows(checked: pl.DataFrame, rule: str) -> list[bool | None]:
    """Score each row of a checked table by one of `RULES`; None where the rule reaches no verdict.

    Args:
        checked: the result of `check_rows`.
        rule: a name in `RULES`.
    """
    return RULES[rule](checked)


def _mathse(checked: pl.DataFrame) -> list[bool | None]:
    """Accept what this checker accepts; only match and mismatch are verdicts."""
    return [{"match": True, "mismatch": False}.get(state) for state in checked["state"]]


def _mathvista(checked: pl.DataFrame) -> list[bool | None]:
    """Compare as MathVista's `calculate_score.py` does: text that is equal after normalizing.

    In multiple choice an answer that names no option counts as the nearest one by edit distance.
    Numbers are cut to whole ones for an integer, rounded to the precision for a float.
    """
    return [_mathvista_equal(row) for row in checked.iter_rows(named=True)]


def _mathvista_equal(row: Mapping[str, Any]) -> bool:
    gold, choices = str(row["gold"]), [str(choice) for choice in row.get("choices") or []]
    last_line = (row["response"] or "").strip().rpartition("\n")[2]
    found = str(row["found"] or last_line).strip()
    if choices:
        letters = LETTERS[: len(choices)]
        gold = choices[letters.index(gold)] if gold in letters and gold not in choices else gold
        if named := _IN_BRACKETS.findall(found):
            found = named[0].upper()
        if found in letters:
            return choices[letters.index(found)] == gold
        return min(choices, key=lambda choice: edit_distance(found, choice)) == gold
    precision = row.get("precision")
    if precision is None:
        precision = len(gold.partition(".")[2])
    with suppress(ValueError, OverflowError):
        whole = row.get("answer_type") == "integer" or float(gold).is_integer() and "." not in gold
        try:
            number = float(found)
            return gold == str(int(number) if whole else round(number, int(float(precision))))
        except (ValueError, OverflowError):
            return False
    return found == gold


def edit_distance(left: str, right: str) -> int:
    """Return the least number of characters to insert, delete or replace (Levenshtein)."""
    row = list(range(len(right) + 1))
    for i, char in enumerate(left, 1):
        previous, row = row, [i]
        for j, other in enumerate(right, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (char != other)))
    return row[-1]


def _math_verify(checked: pl.DataFrame) -> list[bool | None]:
    """Compare as Math-Verify's own example does: `verify(parse("$gold$"), parse(response))`.

    It runs in a process of its own, which is replaced where a row overruns its time or memory.
    """
    found: list[bool | None] = []
    worker = None
    for gold, response in checked.select("gold", "response").cast(pl.String).iter_rows():
        if worker is None:
            worker = start_worker({}, _serve_math_verify)
            worker[1].poll(START_LIMIT_S)
        process, connection = worker
        try:
            if connection.poll(0):
                connection.recv()
            connection.send((gold, response or ""))
            found.append(connection.recv() if connection.poll(LIMIT_S) else None)
        except (EOFError, OSError):
            found.append(None)
        if found[-1] is None:
            process.kill()
            worker = None
    if worker is not None:
        worker[0].kill()
    return found


def _serve_math_verify(connection: Connection) -> None:
    """Answer rows until the other end is closed; the first message means that it is ready."""
    import logging
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    logging.disable(logging.CRITICAL)
    from math_verify import parse, verify  # type: ignore[import-untyped]

    connection.send(None)
    with suppress(EOFError):
        while True:
            gold, response = connection.recv()
            connection.send(bool(verify(parse(f"${gold}$"), parse(response))))


RULES: dict[str, Callable[[pl.DataFrame], list[bool | None]]] = {
    "mathse": _mathse,
    "mathvista": _mathvista,
    "math-verify": _math_verify,
}
