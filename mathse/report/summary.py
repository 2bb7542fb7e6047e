"""The table at the end of a run: what each round reached, and what the loop did with the problems."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import polars as pl

from mathse.core.errors import DataError
from mathse.core.tables import read_table
from mathse.curation.ledger import count_states
from mathse.evaluation.accuracy import wilson
from mathse.evaluation.paired import Comparison, compare

FIRST_ROUND = "r0"
BASE, CONTROL = "base", "control"
MAIN_SPLIT = "eval"
_STATES = {
    "accepted": "by student",
    "reflected": "by reflection",
    "hard": "still hard",
    "remaining": "untried",
}


@dataclass(frozen=True)
class RoundSummary:
    """What is known of one evaluated model.

    Attributes:
        name: the round, or base or control.
        correct: by split: right answers and problems.
        change: by split: compared with the round before; None where the problems are not the same.
        states: problems of the training pool by state after this round; empty where there is no
            ledger.
        train_rows: training rows of this round, or None.
    """

    name: str
    correct: dict[str, tuple[int, int]]
    change: dict[str, Comparison | None] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)
    train_rows: int | None = None


@dataclass(frozen=True)
class Summary:
    """What a run brought.

    Attributes:
        rounds: all rounds in order.
        contrasts: the last round compared with those that matter: (last, name, split, result).
        left_out: evaluated rounds that the parameters no longer name.
    """

    rounds: list[RoundSummary]
    contrasts: list[tuple[str, str, str, Comparison | None]]
    left_out: list[str] = field(default_factory=list)


def is_current(name: str, rounds: Sequence[str] | None) -> bool:
    """Tell whether an evaluated model belongs to a run of these rounds: base, r0 and the controls always do."""
    return rounds is None or name in (BASE, FIRST_ROUND, *rounds) or name.startswith(CONTROL)


def summarize(data: str | Path, rounds: Sequence[str] | None = None) -> Summary:
    """Read the evaluations, ledgers and training rows of all rounds.

    Each round is compared with the one before it (r0 with the base), and the last one also with the
    base, r0 and each control.

    Args:
        data: the data folder.
        rounds: the rounds to tell of, in the order of `params.yaml`; None: all that left an
            evaluation, by name.

    Raises:
        DataError: if nothing was evaluated yet.
    """
    root = Path(data)
    found = sort_rounds(
        (file.parent.name for file in root.glob("eval/*/graded.parquet")), rounds or ()
    )
    names = [name for name in found if is_current(name, rounds)]
    if not names:
        raise DataError(
            "No round was evaluated yet: no file fits eval/*/graded.parquet.",
            file=root,
            fix="run `make repro`",
        )
    graded = {name: read_table(root / "eval" / name / "graded.parquet") for name in names}
    loop = [name for name in names if not name.startswith(CONTROL)]
    told = []
    for name in names:
        place = loop.index(name) if name in loop else 0
        change = _changes(graded[loop[place - 1]], graded[name]) if place else {}
        folder = root / "rounds" / name
        states = (
            count_states(read_table(folder / "ledger.parquet")) if _has(folder, "ledger") else {}
        )
        rows = read_table(folder / "train.parquet").height if _has(folder, "train") else None
        told.append(RoundSummary(name, _count(graded[name]), change, states, rows))
    others = [name for name in names if name in (BASE, FIRST_ROUND) or name.startswith(CONTROL)]
    contrasts = [
        (loop[-1], name, split, result)
        for name in others
        if loop and name != loop[-1]
        for split, result in _changes(graded[name], graded[loop[-1]]).items()
    ]
    return Summary(told, contrasts, [name for name in found if name not in names])


def sort_rounds(names: Iterable[str], order: Sequence[str] = ()) -> list[str]:
    """Order rounds as they come: base, r0, those of `order`, others (r2, r10, final), then controls."""
    known = {name: number for number, name in enumerate([FIRST_ROUND, *order])}

    def place(name: str) -> tuple[int, int, bool, list[tuple[int, str]]]:
        group = 0 if name == BASE else 2 if name.startswith(CONTROL) else 1
        parts = [
            (int(part), "") if part.isdecimal() else (-1, part)
            for part in re.findall(r"\d+|\D+", name)
        ]
        unnumbered = group == 1 and not re.search(r"\d", name)
        return group, known.get(name, len(known)), unnumbered, parts

    return sorted(names, key=place)


def lay_out(summary: Summary) -> tuple[list[str], list[list[str]], list[str]]:
    """Return a summary as text: the header, a row of cells for each round, and the lines below the table."""
    splits = _splits(summary)
    sizes = {
        split: {line.correct[split][1] for line in summary.rounds if split in line.correct}
        for split in splits
    }
    one_size = {split: len(found) == 1 for split, found in sizes.items()}
    header = ["round"]
    header += [
        f"{split} (n = {next(iter(sizes[split]))})" if one_size[split] else split
        for split in splits
    ]
    states = {name: title for name, title in _STATES.items() if _any_count(summary, name)}
    has_rows = any(line.train_rows is not None for line in summary.rounds)
    header += [f"change on {splits[0]}", *states.values(), *(["train rows"] if has_rows else [])]
    lines = []
    for line in summary.rounds:
        cells = [
            line.name,
            *(accuracy_cell(line.correct.get(split), one_size=one_size[split]) for split in splits),
        ]
        cells.append(_change(line.change[splits[0]]) if splits[0] in line.change else "")
        cells += [str(line.states[name]) if line.states else "" for name in states]
        cells += [("" if line.train_rows is None else str(line.train_rows))] * has_rows
        lines.append(cells)
    return header, lines, _notes(summary)


def render(summary: Summary, out: TextIO) -> None:
    """Write the summary: a drawn table on a terminal, aligned plain text anywhere else."""
    header, lines, notes = lay_out(summary)
    print_table(header, lines, out)
    out.write("".join(f"{note}\n" for note in notes))


def as_text(summary: Summary) -> str:
    """Return the summary as plain text."""
    out = io.StringIO()
    render(summary, out)
    return out.getvalue()


def plain_table(header: list[str], lines: list[list[str]]) -> str:
    """Align columns with two blanks between them and a rule below the header; numbers stand right."""
    places = range(len(header))
    widths = [max(len(row[place]) for row in [header, *lines]) for place in places]
    right = [_is_numeric(lines, place) for place in places]
    rows = [header, ["-" * width for width in widths], *lines]
    text = ""
    for row in rows:
        cells = [
            row[place].rjust(widths[place]) if right[place] else row[place].ljust(widths[place])
            for place in places
        ]
        text += "  ".join(cells).rstrip() + "\n"
    return text


def print_table(header: list[str], lines: list[list[str]], out: TextIO) -> None:
    """Write a table: drawn on a terminal, aligned plain text anywhere else."""
    if not out.isatty():
        out.write(plain_table(header, lines))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if _is_numeric(lines, place) else "left")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    Console(file=out).print(table)


def _changes(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, Comparison | None]:
    """Compare on each split that both have; None where the problems are not the same."""
    changes: dict[str, Comparison | None] = {}
    for split in sorted(set(before["split"]) & set(after["split"])):
        try:
            changes[split] = compare(
                *(rows.filter(pl.col("split") == split) for rows in (before, after))
            )
        except DataError:
            changes[split] = None
    return changes


def _count(graded: pl.DataFrame) -> dict[str, tuple[int, int]]:
    counts = graded.group_by("split").agg(pl.col("correct").sum(), pl.len()).sort("split")
    return {split: (int(hits), int(n)) for split, hits, n in counts.iter_rows()}


def _splits(summary: Summary) -> list[str]:
    found = {split for line in summary.rounds for split in line.correct}
    return sorted(found, key=lambda split: (split != MAIN_SPLIT, split))


def _any_count(summary: Summary, state: str) -> bool:
    """Tell whether a state is worth a column; problems never tried are shown only where there are any."""
    counts = [line.states[state] for line in summary.rounds if line.states]
    return any(counts) if state == "remaining" else bool(counts)


def _notes(summary: Summary) -> list[str]:
    notes = [
        "Accuracy in % with its 95% Wilson interval; change from the round before in points, with its 95% "
        "paired bootstrap interval and the p of McNemar's exact test."
    ]
    states = next((line.states for line in summary.rounds if line.states), None)
    if states:
        kept_out = states["quarantined"] + states["contaminated"]
        notes.append(
            f"Training pool: {sum(states.values())} problems, {states['distilled']} with a teacher's "
            f"solution, {kept_out} kept out."
        )
    for last, name, split, found in summary.contrasts:
        notes.append(f"{last} against {name} on {split}: {_change(found)}")
    if summary.left_out:
        notes.append(
            f"Left out: {', '.join(summary.left_out)}, evaluated before, but not among the rounds of params.yaml."
        )
    return notes


def accuracy_cell(counts: tuple[int, int] | None, *, one_size: bool) -> str:
    """Return right answers of all as a percentage with its interval, and n where it is not told elsewhere."""
    if counts is None:
        return ""
    low, high = wilson(*counts)
    size = "" if one_size else f" n={counts[1]}"
    return f"{100 * counts[0] / counts[1]:.1f} [{100 * low:.1f}, {100 * high:.1f}]{size}"


def _change(found: Comparison | None) -> str:
    if found is None:
        return "other problems"
    p_value = "p<0.001" if found.p_value < 0.001 else f"p={found.p_value:.3f}"
    return (
        f"{100 * found.difference:+.1f} [{100 * found.low:+.1f}, {100 * found.high:+.1f}] {p_value}"
    )


def _is_numeric(lines: list[list[str]], place: int) -> bool:
    """Tell whether a column holds numbers and blanks alone."""
    return bool(lines) and all(
        not line[place] or re.fullmatch(r"[-+]?\d[\d.,]*(e[-+]?\d+)?", line[place])
        for line in lines
    )


def _has(folder: Path, table: str) -> bool:
    return (folder / f"{table}.parquet").is_file()
