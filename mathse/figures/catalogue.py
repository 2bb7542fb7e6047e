"""All families, and reproducible streams of problems for every split.

Splits are made by content: a hash of a figure's facts decides its side of the split, so that no
figure of an evaluation split shows the same facts as a figure for training.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from mathse.figures.algebra import Balance, Machine, Sequence
from mathse.figures.arithmetic import Clock, Coins, NumberLine, Shapes
from mathse.figures.canvas import Pen
from mathse.figures.chance import Marbles, Spinner
from mathse.figures.charts import Bars, Pictograph, Prices
from mathse.figures.geometry import Polygon, Rectangle, SplitAngle, Triangle
from mathse.figures.items import Family, Step, Worked
from mathse.figures.unseen import Cuboid, DoubleBalance, JoinedBars

_TRAINED: tuple[type[Family], ...] = (
    *(Rectangle, Triangle, SplitAngle, Polygon, Bars, Pictograph, Prices, Shapes),
    *(Coins, Clock, NumberLine, Balance, Machine, Sequence, Spinner, Marbles),
)
FAMILIES: dict[str, Family] = {kind.name: kind() for kind in _TRAINED}
"""Families that models are trained on, by name."""

UNSEEN: dict[str, Family] = {kind.name: kind() for kind in (DoubleBalance, Cuboid, JoinedBars)}
"""Families that appear in `eval_hard` only."""

LETTERS = "ABCD"
CHOICE_SHARE = 0.25
HELD_OUT_BUCKETS = {"eval": range(0, 10), "orm_test": range(10, 15)}
"""Hundredths of all facts that belong to a held-out split; everything else may be trained on."""


@dataclass(frozen=True)
class Figure:
    """One drawn figure: its family, level, facts, PNG bytes, and the characters written on it."""

    family: str
    level: int
    facts: dict[str, Any]
    png: bytes
    glyphs: tuple[tuple[str, float, float], ...] = ()

    @property
    def description(self) -> str:
        """Everything the figure shows, as one canonical sentence."""
        return family(self.family).describe(self.facts)


@dataclass(frozen=True)
class FigureProblem:
    """A figure with a question, perhaps choices, and the worked solution of the gold answer."""

    figure: Figure
    subject: str
    worked: Worked
    choices: tuple[str, ...]


def family(name: str) -> Family:
    """Return a family by name; raise KeyError if there is none."""
    return FAMILIES.get(name) or UNSEEN[name]


def bucket(name: str, facts: dict[str, Any]) -> int:
    """Return in which hundredth the content of a figure falls, from 0 to 99."""
    shown = {key: value for key, value in facts.items() if key != "level"}
    content = json.dumps([name, shown], sort_keys=True)
    return int(hashlib.sha256(content.encode()).hexdigest()[:8], 16) % 100


def side(name: str, facts: dict[str, Any]) -> str:
    """Return the split side of a figure's content: `eval`, `orm_test` or `train`."""
    found = bucket(name, facts)
    return next((split for split, buckets in HELD_OUT_BUCKETS.items() if found in buckets), "train")


def draw_figure(rng: random.Random, name: str, level: int, *, wanted_side: str | None) -> Figure:
    """Draw a random figure of a family, with content of `wanted_side` (None: of any side)."""
    kind = family(name)
    facts = kind.facts(rng, level)
    while wanted_side is not None and side(name, facts) != wanted_side:
        facts = kind.facts(rng, level)
    pen = Pen(rng)
    kind.draw(facts, pen)
    return Figure(name, level, facts, pen.png(), tuple(pen.glyphs))


def distractors(answer: str, rng: random.Random) -> list[str]:
    """Return wrong answers that look like the right one: one of its numbers is changed a little."""
    numbers = list(re.finditer(r"\d+", answer))
    found: list[str] = []
    while len(found) < len(LETTERS) - 1:
        number = rng.choice(numbers)
        value = int(number.group())
        changed = value + rng.choice((-10, -5, -3, -2, -1, 1, 2, 3, 5, 10))
        width = len(number.group()) if ":" in answer and number.start() else 0
        if ":" in answer and not (0 < changed < (60 if width else 13)):
            continue
        text = answer[: number.start()] + str(changed).zfill(width) + answer[number.end() :]
        if changed > 0 and text != answer and text not in found:
            found.append(text)
    return found


def with_choices(worked: Worked, rng: random.Random) -> tuple[Worked, tuple[str, ...]]:
    """Turn a problem into a multiple-choice one, with a last step that names the letter."""
    options = [worked.answer, *distractors(worked.answer, rng)]
    rng.shuffle(options)
    letter = LETTERS[options.index(worked.answer)]
    chosen = Step(f"{worked.answer} is choice {letter}.", "question", "the choice")
    return Worked(worked.question, (*worked.steps, chosen), letter, "choice", None), tuple(options)


def make_problem(
    rng: random.Random, name: str, level: int, *, wanted_side: str | None
) -> FigureProblem:
    """Draw a figure and ask about it."""
    figure = draw_figure(rng, name, level, wanted_side=wanted_side)
    worked = family(name).ask(figure.facts, rng)
    choices: tuple[str, ...] = ()
    if rng.random() < CHOICE_SHARE:
        worked, choices = with_choices(worked, rng)
    return FigureProblem(figure, family(name).subject, worked, choices)


def stream(split: str, seed: int) -> Iterator[FigureProblem]:
    """Yield the endless, reproducible sequence of problems of a split, families in turn.

    Args:
        split: `eval_hard`, a held-out side (`eval`, `orm_test`), or any other name, which is a
            stream of its own on the training side.
        seed: the seed of the whole source.
    """
    wanted = split if split in HELD_OUT_BUCKETS else "train"
    names = [*FAMILIES]
    for index in count():
        rng = random.Random(f"{seed}/{split}/{index}")
        if split == "eval_hard":
            unseen = index % 2 == 1
            pool = [*UNSEEN] if unseen else names
            name, level = pool[(index // 2) % len(pool)], 3
            yield make_problem(rng, name, level, wanted_side=None if unseen else "eval")
        else:
            name = names[index % len(names)]
            yield make_problem(rng, name, rng.choice((1, 2)), wanted_side=wanted)
