"""The plots of the report, drawn by matplotlib from the values of `sections`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from mathse.report.page.sections import Paired, Row
from mathse.report.page.svg import COLOURS, STYLE, to_svg

SIZE = (4.9, 3.0)  # inches, of 72 units in the page
MARKERS = "osD^vPX"
LINES = ("-", "--", "-.", ":")
STATE_COLOURS = {
    "distilled": "s2",
    "accepted": "good",
    "reflected": "s1",
    "hard": "bad",
    "remaining": "same",
    "quarantined": "s5",
    "contaminated": "s4",
}
MIN_IN_BIN = 10
MAX_SERIES = 6


@contextmanager
def _panel(size: tuple[float, float] = SIZE) -> Iterator[tuple[Figure, Axes]]:
    with rc_context(STYLE):
        figure = Figure(size, layout="constrained")
        yield figure, figure.subplots()


def _add_legend(figure: Figure, **style: Any) -> None:
    """Add a legend below the panel, if anything in it has a label."""
    if any(axes.get_legend_handles_labels()[0] for axes in figure.axes):
        figure.legend(loc="outside lower left", **style)


def _series(number: int) -> dict[str, Any]:
    """Return colour, marker and line of a series: no two differ by colour alone."""
    return {
        "color": COLOURS[f"s{number % 7 + 1}"],
        "marker": MARKERS[number % 7],
        "linestyle": LINES[number % 4],
        "markersize": 5,
    }


def plot_accuracy(split: str, rows: Sequence[Row]) -> Markup:
    """Draw the accuracy of each model on a split, with its interval."""
    with _panel() as (figure, axes):
        names = [row["round"] for row in rows]
        loop = [number for number, name in enumerate(names) if not name.startswith("control")]
        values = [100 * row["accuracy"] for row in rows]
        line = [values[number] for number in loop]
        axes.plot(loop, line, color=COLOURS["s1"], linewidth=1, alpha=0.5)
        for number, row in enumerate(rows):
            ends = [[values[number] - 100 * row["low"]], [100 * row["high"] - values[number]]]
            colour, marker = ("s1", "o") if number in loop else ("s2", "s")
            axes.errorbar(
                number, values[number], ends, fmt=marker, color=COLOURS[colour], capsize=4
            )
            is_low = values[number] < 0.1 * max(values)
            axes.annotate(
                f"{values[number]:.1f}",
                (number, values[number]),
                (7, 3 if is_low else -3),
                va="bottom" if is_low else "top",
                textcoords="offset points",
            )
        axes.set_xticks(range(len(rows)), [name.replace("_", "\n") for name in names])
        axes.set(title=f"{split} (n = {rows[0]['n']})", ylabel="right answers, %", ylim=(0, None))
        axes.set_xlim(-0.4, len(rows) - 0.3)
        return to_svg(figure, f"Accuracy on {split} by model, with 95% intervals")


def plot_funnel(rows: Sequence[Row]) -> Markup:
    """Draw for each round how many trajectories are left after each step."""
    steps = ("written", "judged", "accepted", "distinct", "rows")
    labels = ("written", "judged by ORM", "accepted", "no duplicate", "training rows")
    rounds = list(dict.fromkeys(row["round"] for row in rows))[-4:]
    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure((2.1 * len(rounds) + 1.3, 2.4), layout="constrained")
        panels = figure.subplots(1, len(rounds), sharey=True, squeeze=False)[0]
        for axes, name in zip(panels, rounds, strict=True):
            left = np.zeros(len(steps))
            for origin, colour in (("student", "s1"), ("reflection", "s2")):
                found = [row for row in rows if (row["round"], row["origin"]) == (name, origin)]
                counts = np.array([sum(row[step] for row in found) for step in steps])
                axes.barh(
                    range(len(steps)),
                    counts,
                    left=left,
                    color=COLOURS[colour],
                    label=origin,
                    height=0.7,
                )
                left += counts
            for position, total in enumerate(left):
                axes.text(total, position, f" {total:,.0f}", va="center")
            axes.set(title=name, xlim=(0, 1.3 * max(left)), xticks=[])
            axes.set_yticks(range(len(steps)), labels)
            axes.spines[["bottom"]].set_visible(False)
        panels[0].invert_yaxis()
        handles, names = panels[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="outside lower right", ncols=2)
        return to_svg(figure, "Trajectories of each round that are left after each step")


def plot_ledger(
    states: Mapping[str, Mapping[str, int]], flows: Mapping[str, Mapping[tuple[str, str], int]]
) -> Markup:
    """Draw how problems went from state to state: a column for each round."""
    with _panel((6.4, 3.4)) as (figure, axes):
        names = list(states)
        order = list(states[names[0]])
        total = sum(states[names[0]].values())
        gap, width = 0.02 * total, 0.16
        starts: dict[tuple[int, str], float] = {}
        # A stack of bars for each round, the first state on top.
        for column, name in enumerate(names):
            below = 0.0
            for state in reversed(order):
                count = states[name][state]
                starts[column, state] = below
                colour = COLOURS[STATE_COLOURS[state]]
                axes.bar(column, count, width, bottom=below, color=colour)
                if count > 0.03 * total:
                    middle = below + count / 2
                    axes.text(column + width / 2 + 0.02, middle, f"{count:,}", va="center")
                below += count + gap
        # Bands from each stack to the next.
        for column, name in enumerate(names[1:]):
            _draw_flows(axes, column, flows[name], order, dict(starts), width / 2)
        # Beside the last stack, the names of the states.
        for state in order:
            count = states[names[-1]][state]
            middle = starts[len(names) - 1, state] + count / 2
            axes.text(len(names) - 0.62, middle, state, va="center", fontsize=8.5)
        axes.set(yticks=[], xlim=(-0.2, len(names) - 0.1))
        axes.set_xticks(range(len(names)), names)
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        return to_svg(figure, "Problems by state in each round, and how they moved")


def _draw_flows(
    axes: Axes,
    column: int,
    flows: Mapping[tuple[str, str], int],
    order: Sequence[str],
    starts: dict[tuple[int, str], float],
    half: float,
) -> None:
    """Draw bands from the states of a column to those of the next one."""
    x = np.linspace(column + half, column + 1 - half, 30)
    bend = (1 - np.cos(np.linspace(0, math.pi, 30))) / 2
    for old in reversed(order):
        for new in reversed(order):
            count = flows.get((old, new), 0)
            if count:
                left, right = starts[column, old], starts[column + 1, new]
                low = left + (right - left) * bend
                colour = COLOURS[STATE_COLOURS[new]]
                axes.fill_between(x, low, low + count, color=colour, alpha=0.22, linewidth=0)
                starts[column, old] += count
                starts[column + 1, new] += count


def plot_transitions(split: str, pairs: Sequence[Paired]) -> Markup:
    """Draw what became of the answers of a split from each model to the next."""
    with _panel((5.4, 0.5 * len(pairs) + 1.1)) as (figure, axes):
        # The parts of a bar, from left to right.
        parts = (
            ("right in both", "both", "good", 0.45),
            ("newly solved", "gained", "good", 1.0),
            ("newly broken", "lost", "bad", 1.0),
            ("wrong in both", "neither", "same", 0.5),
        )
        left = np.zeros(len(pairs))
        for label, name, colour, alpha in parts:
            counts = np.array([getattr(pair.found, name) for pair in pairs])
            axes.barh(
                range(len(pairs)),
                counts,
                left=left,
                color=COLOURS[colour],
                alpha=alpha,
                label=label,
                height=0.66,
            )
            # A number in each part that is wide enough for it.
            for position, (start, count) in enumerate(zip(left, counts, strict=True)):
                if count > 0.05 * pairs[0].found.n:
                    axes.text(
                        start + count / 2,
                        position,
                        str(count),
                        ha="center",
                        va="center",
                        fontsize=8.5,
                        color=COLOURS["ground" if alpha == 1 else "ink"],
                    )
            left += counts
        # The first pair on top. There is no scale: the parts have their numbers.
        axes.set_yticks(range(len(pairs)), [f"{pair.before} → {pair.after}" for pair in pairs])
        axes.invert_yaxis()
        axes.set(xticks=[], title=f"{split} (n = {pairs[0].found.n})")
        axes.grid(visible=False)
        axes.spines[["left", "bottom"]].set_visible(False)
        _add_legend(figure, ncols=4, fontsize=8, handlelength=1, columnspacing=1)
        return to_svg(figure, f"Problems of {split} solved and broken from model to model")


def plot_kinds(counts: Mapping[str, Mapping[str, int]]) -> Markup:
    """Draw the shares of the kinds of errors in each round."""
    with _panel((5.4, 3.0)) as (figure, axes):
        names, kinds = list(counts), list(next(iter(counts.values())))
        width = 0.8 / len(names)
        for number, name in enumerate(names):
            n = sum(counts[name].values())
            shares = [100 * counts[name][kind] / n for kind in kinds]
            left = np.arange(len(kinds)) + number * width
            colour = "same" if number == 0 and name == "ORM rows" else f"s{number % 7 + 1}"
            axes.bar(left, shares, width * 0.9, color=COLOURS[colour], label=f"{name} (n = {n:,})")
        axes.set_xticks(np.arange(len(kinds)) + 0.4 - width / 2, kinds)
        axes.set(ylabel="% of the errors")
        _add_legend(figure, ncols=2, fontsize=8)
        return to_svg(figure, "Kinds of the student's errors by round")


def plot_roc(judged: Sequence[Row]) -> Markup:
    """Draw the ROC curves of the ORM."""
    with _panel((4.6, 4.0)) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=COLOURS["grid"], linewidth=1)
        for number, row in enumerate(_with_both(judged)):
            label = f"{row['title']}, AUC {row['auc']:.3f}"
            x, y = zip(*row["roc"], strict=True)
            axes.plot(x, y, **_series(number) | {"marker": None}, label=label)
        axes.set(xlabel="wrong ones passed, %", ylabel="right ones passed, %", title="ROC")
        _finish_shares(figure, axes)
        return to_svg(figure, "ROC curves of the ORM on its test rows and in each round")


def plot_calibration(judged: Sequence[Row]) -> Markup:
    """Draw how often trajectories with a P(correct) are right, where there are enough of them."""
    with _panel((4.6, 4.0)) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=COLOURS["grid"], linewidth=1)
        for number, row in enumerate(_with_both(judged)):
            bins = [one for one in row["calibration"] if one["n"] >= MIN_IN_BIN]
            x, y = ([one[name] for one in bins] for name in ("mean_p", "share_correct"))
            axes.plot(x, y, **_series(number), label=f"{row['title']}, ECE {row['ece']:.3f}")
        axes.set(xlabel="P(correct) of the ORM, %", ylabel="really right, %", title="Calibration")
        _finish_shares(figure, axes)
        return to_svg(figure, "Calibration of the ORM on its test rows and in each round")


def _with_both(judged: Sequence[Row]) -> list[Row]:
    """Return what has right and wrong ones: the test rows and the last rounds."""
    found = [row for row in judged if row["roc"]]
    return found[:1] + found[1:][-MAX_SERIES + 1 :]


def _finish_shares(figure: Figure, axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{100 * value:.0f}")
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03))
    _add_legend(figure, ncols=2, fontsize=8)


def plot_lengths(rows: Sequence[Row], order: Sequence[str]) -> Markup:
    """Draw median and quartiles of the lengths of texts by round."""
    with _panel() as (figure, axes):
        origins = list(dict.fromkeys(row["origin"] for row in rows))
        for number, origin in enumerate(origins):
            found = [row for row in rows if row["origin"] == origin and row["round"] in order]
            x = [order.index(row["round"]) + 0.06 * number for row in found]
            y = [row["median"] for row in found]
            ends = [
                [row["median"] - row["low"] for row in found],
                [row["high"] - row["median"] for row in found],
            ]
            axes.errorbar(x, y, ends, **_series(number), label=origin, capsize=3)
        axes.set_xticks(range(len(order)), [name.replace("_", "\n") for name in order])
        axes.set(ylabel="characters", title="Length: median and quartiles", ylim=(0, None))
        _add_legend(figure, ncols=4, fontsize=8)
        return to_svg(figure, "Length of texts by round")


def plot_curves(curves: Mapping[str, pl.DataFrame]) -> Markup:
    """Draw the loss of each training by step."""
    with _panel() as (figure, axes):
        for number, (name, rows) in enumerate(curves.items()):
            x, y = rows["step"].to_list(), rows["loss"].to_list()
            axes.plot(x, y, **_series(number) | {"marker": None, "linewidth": 1.2}, label=name)
        axes.set(yscale="log", xlabel="step", title="Training loss")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(5))
        _add_legend(figure, ncols=6, fontsize=8, handlelength=1.5)
        return to_svg(figure, "Loss of each training by step")
