"""All families, and reproducible streams of problems for every split.

Splits are made by content: a hash of a figure's facts, up to symmetries, and of the seed decides
its side of the split. No figure of an evaluation split shows what a figure for training shows, and
each seed has a held-out part of its own.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from mathse.figures.algebra import Balance, Machine, Sequence
from mathse.figures.angles import SplitAngle, Triangle
from mathse.figures.arithmetic import Clock, NumberLine
from mathse.figures.canvas import Pen
from mathse.figures.chance import Marbles, Spinner
from mathse.figures.charts import Bars, Pictograph
from mathse.figures.counting import Coins, Shapes
from mathse.figures.geometry import Polygon, Rectangle
from mathse.figures.items import CHOICES, Facts, Family, Question, Step, Worked
from mathse.figures.shopping import Prices
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
    facts: Facts
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


def side(name: str, facts: Facts, seed: int) -> str:
    """Return the split side of a figure's content: `eval`, `orm_test` or `train`."""
    content = json.dumps([seed, name, family(name).canonical(facts)], sort_keys=True)
    bucket = int(hashlib.sha256(content.encode()).hexdigest()[:8], 16) % 100
    return next((name for name, part in HELD_OUT_BUCKETS.items() if bucket in part), "train")


def draw_figure(
    rng: random.Random, name: str, level: int, *, wanted_side: str | None, seed: int = 0
) -> Figure:
    """Draw a random figure of a family, with content of `wanted_side` (None: of any side)."""
    kind = family(name)
    facts = kind.facts(rng, level)
    while wanted_side not in (None, side(name, facts, seed)):
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


def offer_choices(worked: Worked, rng: random.Random) -> tuple[str, ...]:
    """Return four answers to choose from, the right one at a random place."""
    options = [worked.answer, *distractors(worked.answer, rng)]
    rng.shuffle(options)
    return tuple(options)


def with_choice(
    worked: Worked, choices: tuple[str, ...], rng: random.Random | None = None
) -> Worked:
    """Add the step that names the letter of the answer, in the usual or in any wording."""
    letter = LETTERS[choices.index(worked.answer)]
    wording = rng.choice(CHOICES) if rng else CHOICES[0]
    chosen = Step(wording.format(right=worked.answer, letter=letter), "question", "the choice")
    question = replace(worked.question, answer_type="choice", unit=None)
    return Worked(question, (*worked.steps, chosen), letter)


def solution(
    kind: Family,
    question: Question,
    facts: Facts,
    choices: tuple[str, ...],
    rng: random.Random | None = None,
) -> Worked:
    """Return a written solution: the usual one, or with `rng` any route in any wording."""
    worked = kind.work(question, kind.shown(facts), rng)
    return with_choice(worked, choices, rng) if choices else worked


def stream(split: str, seed: int) -> Iterator[FigureProblem]:
    """Yield the endless, reproducible sequence of problems of a split, families in turn.

    Args:
        split: `eval_hard`, a held-out side (`eval`, `orm_test`), or any other name, which is a
            stream of its own on the training side.
        seed: the seed of the whole source.
    """
    for index in count():
        rng = random.Random(f"{seed}/{split}/{index}")
        # Family, level and side.
        wanted: str | None = split if split in HELD_OUT_BUCKETS else "train"
        pool, turn = [*FAMILIES.values()], index
        if split == "eval_hard":
            turn, unseen = divmod(index, 2)
            pool, wanted = ([*UNSEEN.values()], None) if unseen else (pool, "eval")
        kind = pool[turn % len(pool)]
        level = 3 if split == "eval_hard" else rng.choice((1, 2))
        # The figure and a question about it, with choices or without.
        figure = draw_figure(rng, kind.name, level, wanted_side=wanted, seed=seed)
        question = kind.ask(figure.facts, rng)
        choices: tuple[str, ...] = ()
        if rng.random() < CHOICE_SHARE:
            choices = offer_choices(kind.work(question, kind.shown(figure.facts)), rng)
        worked = solution(kind, question, figure.facts, choices)
        yield FigureProblem(figure, kind.subject, worked, choices)
