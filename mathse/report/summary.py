"""The table at the end of a run: what each round reached, and what became of the problems."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import polars as pl
import yaml

from mathse.core.errors import DataError
from mathse.core.layout import Layout
from mathse.core.tables import read_table
from mathse.core.text import one_line
from mathse.curation.ledger import count_states
from mathse.evaluation.accuracy import accuracy_table
from mathse.evaluation.paired import Comparison, compare
from mathse.report.text_tables import print_table

FIRST_ROUND = "r0"
BASE, CONTROL = "base", "control"
MAIN_SPLIT = "eval"
WIDTH = 80
_STATES = {
    "accepted": "by student",
    "reflected": "by reflection",
    "hard": "still hard",
    "remaining": "untried",
}


class Accuracy(NamedTuple):
    """Right answers of n problems, with the 95% interval of their share."""

    correct: int
    n: int
    low: float
    high: float


@dataclass(frozen=True)
class RoundSummary:
    """What is known of one evaluated model: a round, base or a control."""

    name: str
    accuracy: dict[str, Accuracy]  # by split
    # by split: compared with `previous_models`; None where the problems are not the same
    change: dict[str, Comparison | None] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)  # problems by state; empty: no ledger
    train_rows: int | None = None


@dataclass(frozen=True)
class Summary:
    """What a run brought."""

    rounds: list[RoundSummary]  # in order
    # the last round compared with those that matter: (last, name, split, result)
    contrasts: list[tuple[str, str, str, Comparison | None]]
    left_out: list[str] = field(default_factory=list)  # evaluated, but no longer in params.yaml


def is_current(name: str, rounds: Sequence[str] | None) -> bool:
    """Return True if a model belongs to these rounds and controls; base and r0 always do."""
    return rounds is None or name in (BASE, FIRST_ROUND, *rounds)


def previous_models(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the model that each one follows and is compared with, by what `params.yaml` has.

    They need not pass `load_params`: another revision may lack a parameter of today.
    """
    rounds: Mapping[str, Mapping[str, str]] = params.get("rounds") or {}
    previous = {FIRST_ROUND: BASE} | dict.fromkeys(params.get("controls") or [], FIRST_ROUND)
    return previous | {name: settings["prev"] for name, settings in rounds.items()}


def summarize(data: str | Path, rounds: Sequence[str] | None = None) -> Summary:
    """Read the evaluations, ledgers and training rows of all rounds.

    Each round is compared with the one that it follows (r0 with the base), and the last one also
    with the base, r0 and each control. Without a `params.yaml` next to the data folder, a
    round follows the one before it.

    Args:
        data: the data folder.
        rounds: the rounds and controls to show, in the order of `params.yaml`; None: all that
            were evaluated, by name.

    Raises:
        DataError: if nothing was evaluated yet.
    """
    layout = Layout(data=data)
    pattern = layout.eval("*").graded
    evaluated = layout.find(pattern)
    found = sort_rounds(evaluated, rounds or ())
    names = [name for name in found if is_current(name, rounds)]
    if not names:
        message = f"No round was evaluated yet: no file fits {pattern.relative_to(layout.folder)}."
        raise DataError(message, file=layout.data, fix="run `make repro`")
    graded = {name: read_table(evaluated[name]) for name in names}
    loop = [name for name in names if not name.startswith(CONTROL)]
    previous = {name: earlier for earlier, name in itertools.pairwise(loop)}
    if layout.params.is_file():
        previous = previous_models(yaml.safe_load(layout.params.read_text(encoding="utf-8")))
    lines = []
    for name in names:
        before = graded.get(previous.get(name, "")) if name in loop else None
        change = {} if before is None else _changes(before, graded[name])
        files = layout.round(name)
        states = count_states(read_table(files.ledger)) if files.ledger.is_file() else {}
        rows = read_table(files.train).height if files.train.is_file() else None
        lines.append(RoundSummary(name, _accuracies(graded[name]), change, states, rows))
    others = [name for name in names if name in (BASE, FIRST_ROUND) or name.startswith(CONTROL)]
    contrasts = [
        (loop[-1], name, split, result)
        for name in others
        if loop and name != loop[-1]
        for split, result in _changes(graded[name], graded[loop[-1]]).items()
    ]
    return Summary(lines, contrasts, [name for name in found if name not in names])


def sort_rounds(names: Iterable[str], order: Sequence[str] = ()) -> list[str]:
    """Sort rounds: base, r0, those of `order`, others (r2, r10, final), then controls."""
    known = {name: number for number, name in enumerate([FIRST_ROUND, *order])}

    def key(name: str) -> tuple[int, int, bool, list[tuple[int, str]]]:
        group = 0 if name == BASE else 2 if name.startswith(CONTROL) else 1
        parts = re.findall(r"\d+|\D+", name)  # "r10b" gives r, 10, b
        numbered = [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]
        has_no_number = group == 1 and not re.search(r"\d", name)
        return group, known.get(name, len(known)), has_no_number, numbered

    return sorted(names, key=key)


def to_table(summary: Summary) -> tuple[list[str], list[list[str]], list[str]]:
    """Return a summary as text: header, a row of cells for each round, and lines for below."""
    # The columns: problems never tried only where there are any, n with a split that has one.
    found = {split for line in summary.rounds for split in line.accuracy}
    splits = sorted(found, key=lambda split: (split != MAIN_SPLIT, split))
    sizes = {
        split: {line.accuracy[split].n for line in summary.rounds if split in line.accuracy}
        for split in splits
    }
    same_n = {split: len(found) == 1 for split, found in sizes.items()}
    ledgers = [line.states for line in summary.rounds if line.states]
    states = dict(_STATES) if ledgers else {}
    if not any(ledger["remaining"] for ledger in ledgers):
        states.pop("remaining", None)
    has_rows = any(line.train_rows is not None for line in summary.rounds)
    header = ["round"]
    header += [f"{name} (n = {min(sizes[name])})" if same_n[name] else name for name in splits]
    header += [f"change on {splits[0]}", *states.values(), *["train rows"] * has_rows]

    lines = []
    for line in summary.rounds:
        cells = [line.name]
        cells += [
            accuracy_cell(line.accuracy.get(name), show_n=not same_n[name]) for name in splits
        ]
        cells.append(_render_change(line.change[splits[0]]) if splits[0] in line.change else "")
        cells += [str(line.states[name]) if line.states else "" for name in states]
        cells += ["" if line.train_rows is None else str(line.train_rows)] * has_rows
        lines.append(cells)
    return header, lines, _notes(summary)


def render(summary: Summary, out: TextIO) -> None:
    """Write the summary: a table and the lines below it."""
    header, lines, notes = to_table(summary)
    print_table(header, lines, out, width=WIDTH)
    out.write("\n")
    out.writelines(f"{textwrap.fill(one_line(note), WIDTH)}\n" for note in notes)


def accuracy_cell(found: Accuracy | None, *, show_n: bool) -> str:
    """Return an accuracy as a percentage with its interval."""
    if found is None:
        return ""
    correct, n, low, high = found
    size = f" n={n}" if show_n else ""
    return f"{100 * correct / n:.1f} [{100 * low:.1f}, {100 * high:.1f}]{size}"


def _changes(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, Comparison | None]:
    """Compare on each split that both have; None where the problems are not the same."""
    changes: dict[str, Comparison | None] = {}
    for split in sorted(set(before["split"]) & set(after["split"])):
        try:
            changes[split] = compare(*(rows.filter(split=split) for rows in (before, after)))
        except DataError:
            changes[split] = None
    return changes


def _accuracies(graded: pl.DataFrame) -> dict[str, Accuracy]:
    rows = accuracy_table(graded, by=["split"]).select("split", *Accuracy._fields)
    return {split: Accuracy(*found) for split, *found in rows.iter_rows()}


def _notes(summary: Summary) -> list[str]:
    notes = [
        "Accuracy in % with its 95% Wilson interval; change from the round before in points, with "
        "its 95% paired bootstrap interval and the p of an exact sign-flip test. Problems about "
        "the same figure are one cluster."
    ]
    states = next((line.states for line in summary.rounds if line.states), None)
    if states:
        notes.append(
            f"Training pool: {sum(states.values())} problems, {states['distilled']} with a "
            f"teacher's solution, {states['quarantined'] + states['contaminated']} kept out."
        )
    for last, name, split, found in summary.contrasts:
        notes.append(f"{last} against {name} on {split}: {_render_change(found)}")
    if summary.left_out:
        names = ", ".join(summary.left_out)
        end = "evaluated before, but not among the rounds of params.yaml."
        notes.append(f"Left out: {names}, {end}")
    return notes


def _render_change(found: Comparison | None) -> str:
    if found is None:
        return "other problems"
    p_value = "p<0.001" if found.p_value < 0.001 else f"p={found.p_value:.3f}"
    low, high = 100 * found.low, 100 * found.high
    return f"{100 * found.difference:+.1f} [{low:+.1f}, {high:+.1f}] {p_value}"
