"""A user's audit of the answer check: against the table's own verdicts and published rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

import polars as pl

from mathse.answers import check_rows
from mathse.core.errors import ParamError
from mathse.core.table_files import write_any
from mathse.evaluation.accuracy import wilson
from mathse.evaluation.published_rules import RULES, score_rows
from mathse.report.answer_tables import read_answers

MAX_EXAMPLES = 5
RESPONSE_END = 80


@dataclass
class Audit:
    """What an audit finds.

    Attributes:
        states: how many rows the checker put in each state.
        lines: sentences on agreement and differences.
        examples: by their title, rows that show a difference.
        problems: for each row that could not be read, why not.
    """

    states: dict[str, int]
    lines: list[str] = field(default_factory=list)
    examples: dict[str, pl.DataFrame] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def audit(
    file: Path, out: Path | None = None, *, expected: str | None = None, rules: Sequence[str] = ()
) -> Audit:
    """Check a table, compare with its own verdicts, and score it by published rules.

    Args:
        file: see `read_answers`.
        out: the checked table, with a column for each further rule.
        expected: see `read_answers`.
        rules: names in `RULES`; `mathse` is the checker itself.

    Raises:
        ParamError: for an unknown rule.
        DataError: if the table cannot be read, lacks a column, or cannot be written.
    """
    if unknown := [name for name in rules if name not in RULES]:
        raise ParamError(f"There is no rule {unknown[0]!r}.\n  fix: use {', '.join(RULES)}")
    table = read_answers(file, expected)
    if table.problems and not table.numbers:
        return Audit({}, problems=table.problems)
    checked = check_rows(table.rows)
    counts = Counter(checked["state"].to_list())
    found = Audit(dict(sorted(counts.items())), problems=table.problems)
    scores = {name: score_rows(checked, name) for name in rules}
    if out is not None:
        others = [pl.Series(f"by_{name}", scores[name]) for name in rules if name != "mathse"]
        write_any(checked.with_columns(others), out)
    # The table's own verdicts.
    shown = _for_people(checked, table.numbers)
    if table.expected_column is not None:
        accepted = {"mathse": [state == "match" for state in checked["state"]]}
        accepted |= {name: [score is True for score in scores[name]] for name in rules[:]}
        for name, passed in accepted.items():
            found.lines.append(_agreement(name, passed, table.expected, table.expected_column))
        _add_errors(found, shown, accepted["mathse"], table.expected)
    if table.not_compared:
        column = table.not_compared
        found.lines.append(f"{column} is not compared: most of its values are not true or false")
    # Where two rules differ.
    for name in rules if len(rules) > 1 else ():
        found.lines.append(
            f"{name}: {_share(sum(s is True for s in scores[name]), len(checked))} right"
        )
    for left, right in combinations(rules, 2):
        for first, second in ((left, right), (right, left)):
            rows = [
                index
                for index, (a, b) in enumerate(zip(scores[first], scores[second], strict=True))
                if a is True and b is not True
            ]
            if rows:
                title = f"right by {first}, not by {second}: {len(rows)} rows"
                found.examples[title] = shown[rows[:MAX_EXAMPLES]]
    return found


def _agreement(
    name: str, passed: Sequence[bool], expected: Sequence[bool | None], column: str
) -> str:
    pairs = Counter((e, p) for e, p in zip(expected, passed, strict=True) if e is not None)
    right, wrong = pairs[True, True] + pairs[True, False], pairs[False, True] + pairs[False, False]
    same = pairs[True, True] + pairs[False, False]
    return (
        f"{name} agrees with {column} in {_share(same, right + wrong)}; "
        f"false accepts: {pairs[False, True]} of {wrong} wrong ones; "
        f"false rejects: {pairs[True, False]} of {right} right ones"
    )


def _add_errors(
    found: Audit, shown: pl.DataFrame, passed: Sequence[bool], expected: Sequence[bool | None]
) -> None:
    for title, wanted in (("false accepts", False), ("false rejects", True)):
        rows = [i for i, e in enumerate(expected) if e is wanted and passed[i] is not wanted]
        if rows:
            by_reason = Counter(shown["reason"].gather(rows).to_list()).most_common()
            reasons = ", ".join(f"{reason} {n}" for reason, n in by_reason)
            found.examples[f"{title}, by reason: {reasons}"] = shown[rows[:MAX_EXAMPLES]]


def _share(hits: int, n: int) -> str:
    low, high = wilson(hits, n)
    share = f"{100 * hits / n:.1f}%" if n else "none"
    return f"{share} [{100 * low:.1f}, {100 * high:.1f}] of {n} rows"


def _for_people(checked: pl.DataFrame, numbers: Sequence[int]) -> pl.DataFrame:
    """Return the columns that show a difference; of a response only its end."""
    end = pl.col("response").cast(pl.String).str.slice(-RESPONSE_END)
    row = pl.Series("row", numbers, dtype=pl.Int64)
    return checked.select(row, "gold", "found", "state", "reason", response=end)
