"""Draw docs/images from the run in this folder and from `results/`: `make pictures`.

`loop-light.svg` and `loop-dark.svg` show one problem of round r1 on its way to a training row,
`accuracy-….svg` the accuracies of rounds and controls: all seeds together, and each one.
"""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.ticker import MaxNLocator
from PIL import Image

from mathse.core.images import ImageStore
from recipes.documents.blocks import ROOT, load
from recipes.documents.example import find_example

IMAGES = ROOT / "docs" / "images"
LINE = 37  # characters in a line of a box
WIDTH, HEIGHT = 272, 172  # of a box
plt.rcParams.update({"svg.hashsalt": "mathse", "font.family": "DejaVu Sans"})


@dataclass(frozen=True)
class Theme:
    """Colours of one variant."""

    name: str
    ink: str
    muted: str
    border: str
    fill: str
    red: str
    green: str
    blue: str


THEMES = (
    Theme("light", "#1f2328", "#59636e", "#d1d9e0", "#f6f8fa", "#cf222e", "#1a7f37", "#0969da"),
    Theme("dark", "#e6edf3", "#9198a1", "#3d444d", "#151b23", "#ff7b72", "#56d364", "#79c0ff"),
)


def draw_loop(row: dict[str, Any], theme: Theme) -> None:
    """Draw the six boxes of the example and the arrows between them."""
    figure, axes = plt.subplots(figsize=(10, 4.52))
    axes.set(xlim=(0, 1000), ylim=(452, 0))
    axes.axis("off")
    figure.subplots_adjust(0, 0, 1, 1)
    # The upper row, from left to right: problem, trajectory with its faulty step, verdict.
    left, middle, right, top, bottom = 4, 364, 724, 26, 276
    question = textwrap.wrap(row["question"], 23)
    problem = [*question, "", f"gold answer: {row['answer']}"]
    box(axes, theme, (left, top), "problem", [(line, theme.ink) for line in problem], indent=104)
    insert_image(axes, row["image_ids"][0], (left + 10, top + 34))
    fault = row["error_step"]
    steps = [
        (line, theme.red if number == fault else theme.ink)
        for number, line in enumerate(row["steps"], 1)
    ]
    box(axes, theme, (middle, top), "trajectory of the student", steps)
    verdict = [
        ("WRONG", theme.red),
        (f"faulty step: {fault}", theme.ink),
        (f"analysis: {row['error_analysis']}", theme.ink),
        (f"P(correct) = {row['p_correct']:.3f}", theme.muted),
    ]
    box(axes, theme, (right, top), "verdict of the ORM", verdict)
    # The lower row, from right to left: reflection, second verdict, training row.
    new = [(line, theme.ink) for line in row["reflected"]]
    box(axes, theme, (right, bottom), "reflection", new)
    accepted = [
        ("CORRECT", theme.green),
        (f"P(correct) = {row['again']:.3f}", theme.muted),
        ("answer check: match", theme.ink),
        ("accepted", theme.green),
    ]
    box(axes, theme, (middle, bottom), "second verdict", accepted)
    text = [
        ("input: picture,", theme.ink),
        ("question", theme.ink),
        ("target: reflection", theme.ink),
        ("", theme.ink),
        (f"row {row['row_id'][:8]}…", theme.muted),
        (f"from {row['trajectory_id'][:8]}…", theme.muted),
    ]
    box(axes, theme, (left, bottom), "training row", text, indent=104)
    insert_image(axes, row["image_ids"][0], (left + 10, bottom + 34))
    # Arrows around, and back up to the next round.
    high, low, half = top + HEIGHT // 2, bottom + HEIGHT // 2, WIDTH // 2
    arrow(axes, theme, (left + WIDTH + 3, high), (middle - 3, high), "generate")
    arrow(axes, theme, (middle + WIDTH + 3, high), (right - 3, high), "score")
    arrow(axes, theme, (right + half, top + HEIGHT + 3), (right + half, bottom - 24), "reflect")
    arrow(axes, theme, (right - 3, low), (middle + WIDTH + 3, low), "judge again")
    arrow(axes, theme, (middle - 3, low), (left + WIDTH + 3, low), "merge")
    arrow(
        axes,
        theme,
        (left + half, bottom - 4),
        (left + half, top + HEIGHT + 3),
        "finetune, next round",
    )
    save(figure, f"loop-{theme.name}")


def box(
    axes: Axes,
    theme: Theme,
    corner: tuple[int, int],
    title: str,
    lines: list[tuple[str, str]],
    indent: int = 0,
) -> None:
    """Draw a box with its title above it and its lines in their colours."""
    x, y = corner
    style = "round,pad=0,rounding_size=8"
    axes.add_patch(
        FancyBboxPatch(
            (x, y), WIDTH, HEIGHT, boxstyle=style, fc=theme.fill, ec=theme.border, lw=1.2
        )
    )
    axes.text(x + 2, y - 9, title, color=theme.muted, fontsize=10, fontweight="bold")
    y += 24
    for line, colour in lines:
        for part in textwrap.wrap(line, LINE, subsequent_indent="    ") or [""]:
            axes.text(x + 12 + indent, y, part, color=colour, fontsize=9.5, va="center")
            y += 22


def insert_image(axes: Axes, image_id: str, corner: tuple[int, int]) -> None:
    """Draw the picture of a problem, 96 by 96."""
    data = ImageStore(ROOT / "data/problems/images").get(image_id)
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    x, y = corner
    axes.imshow(pixels, extent=(x, x + 96, y + 96, y), interpolation="nearest", zorder=3)
    axes.set(xlim=(0, 1000), ylim=(452, 0), aspect="auto")


def arrow(
    axes: Axes, theme: Theme, start: tuple[int, int], stop: tuple[int, int], name: str
) -> None:
    """Draw an arrow with the name of its stage."""
    axes.add_patch(
        FancyArrowPatch(
            start, stop, arrowstyle="-|>", mutation_scale=14, color=theme.blue, lw=1.6, shrinkB=0
        )
    )
    x, y = (start[0] + stop[0]) / 2, (start[1] + stop[1]) / 2
    if start[0] == stop[0]:
        axes.text(x + 10, y, name, color=theme.blue, fontsize=9.5, va="center")
    else:
        axes.text(x, y - 12, name, color=theme.blue, fontsize=9.5, ha="center")


def draw_accuracy(theme: Theme) -> None:
    """Draw accuracy by model with 95% intervals, one panel for each split; a dot is one seed."""
    models = load("default-seeds")
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.2))
    for panel, split in zip(panels, (2, 4), strict=True):
        rows = models["rows"]
        # A mark with its interval for each model, its seeds beside it; controls are squares.
        for position, row in enumerate(rows):
            value, low, high = row[split]
            single = [float(one) for one in row[split + 1].split(", ")]
            is_control = "control" in row[0]
            colour = theme.muted if is_control or row[0] == "base" else theme.blue
            panel.errorbar(
                position,
                value,
                [[value - low], [high - value]],
                fmt="s" if is_control else "o",
                color=colour,
                capsize=4,
                lw=1.8,
                ms=6,
            )
            beside = [position - 0.25] * len(single)
            panel.scatter(beside, single, s=9, color=colour, alpha=0.7, linewidths=0)
            panel.text(position + 0.2, value, f"{value:.1f}", color=theme.ink, va="top")
        # A line through the models of the loop, without the controls.
        loop = [(n, row[split][0]) for n, row in enumerate(rows) if "control" not in row[0]]
        panel.plot(*zip(*loop, strict=True), color=theme.blue, lw=1, alpha=0.5, zorder=0)
        panel.set_xticks(range(len(rows)), [row[0].replace("_", "\n") for row in rows])
        # Axes, with a transparent ground for both themes.
        panel.set_xlim(-0.5, len(rows) - 0.3)
        panel.set_ylim(bottom=-0.05 * max(row[split][2] for row in rows))
        name = models["columns"][split]["name"].replace(" in %", ", %")
        panel.set_title(name, color=theme.ink, fontsize=11, loc="left")
        panel.tick_params(colors=theme.muted, length=0)
        panel.grid(axis="y", color=theme.border, lw=0.7)
        panel.set_axisbelow(True)
        panel.set_facecolor("none")
        panel.yaxis.set_major_locator(MaxNLocator(5))
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.spines["bottom"].set_color(theme.border)
    figure.tight_layout(w_pad=3)
    save(figure, f"accuracy-{theme.name}")


def save(figure: Any, name: str) -> None:
    """Write a figure without clock times, on a transparent ground."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / f"{name}.svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    print(IMAGES / f"{name}.svg")


def main() -> None:
    """Draw both pictures in both variants."""
    row = find_example(ROOT / "data")
    for theme in THEMES:
        draw_loop(row, theme)
        draw_accuracy(theme)


if __name__ == "__main__":
    main()
