"""Algebra: balances, function machines, sequences."""

from __future__ import annotations

import random

from mathse.figures.canvas import Pen
from mathse.figures.items import (
    Facts,
    Family,
    Step,
    Worked,
    difference,
    product,
    see,
    solved,
    total,
    work,
)


class Balance(Family):
    """A balance with an unknown weight x on one pan."""

    name, subject = "balance", "algebra"
    shows = "A balance with x+{added}={weight}."

    def facts(self, rng: random.Random, level: int) -> Facts:
        high = {1: 10, 2: 30, 3: 80}[level]
        x, added = rng.randint(1, high), rng.randint(1, high)
        return {"added": added, "weight": x + added}

    def draw(self, facts: Facts, pen: Pen) -> None:
        unknown = f"x+{facts['added']}" if pen.rng.random() < 0.5 else f"{facts['added']}+x"
        draw_balance(pen, unknown, str(facts["weight"]))

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        added, weight = facts["added"], facts["weight"]
        return solved(
            rng.choice(("How heavy is x?", "The pans balance. Find x.")),
            see(f"The balance shows x+{added}={weight}.", "the weights on the balance"),
            Step(f"x={weight}-{added}.", "reasoning", "how x is found"),
            difference(weight, added),
        )


def draw_balance(pen: Pen, one: str, other: str) -> None:
    """Draw a level balance with two labelled pans, sides chosen at random."""
    rng = pen.rng
    y, x = rng.uniform(58, 72), 56 + rng.uniform(-4, 4)
    pen.line([(x - 44, y), (x + 44, y)], width=2)
    pen.polygon([(x, y), (x - 10, y + 26), (x + 10, y + 26)])
    sides = [one, other]
    if rng.random() < 0.5:
        sides.reverse()
    for label, centre in zip(sides, (x - 27, x + 27), strict=True):
        half, height = rng.uniform(21, 25), rng.uniform(20, 28)
        pen.box((centre - half, y - 2 - height, centre + half, y - 2), width=1)
        pen.text((centre, y - 2 - height / 2), label, at_most=15)


class Machine(Family):
    """A number machine with two operations; with a letter put in, the answer is an expression."""

    name, subject = "machine", "algebra"
    shows = "A machine: {start}, times {times}, plus {plus}."

    def facts(self, rng: random.Random, level: int) -> Facts:
        high = {1: 5, 2: 9, 3: 14}[level]
        letter = rng.random() < 0.35
        start = rng.choice("nxk") if letter else rng.randint(2, high)
        return {"start": start, "times": rng.randint(2, high), "plus": rng.randint(1, 2 * high)}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        labels = [str(facts["start"]), f"*{facts['times']}", f"+{facts['plus']}", "?"]
        upright = rng.random() < 0.4
        shift = rng.uniform(-5, 5)
        for index, label in enumerate(labels):
            along, across = 14 + index * 28, 56 + shift
            x, y = (across, along) if upright else (along, across)
            if index in (1, 2):
                pen.box((x - 12, y - 9, x + 12, y + 9))
            pen.text((x, y), label, size=14)
            if index < 3:
                near, far = along + (10 if upright else 12), along + (18 if upright else 15)
                ends = [(near, across), (far, across)]
                pen.line([(y, x) for x, y in ends] if upright else ends)

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        start, times, plus = facts["start"], facts["times"], facts["plus"]
        asked = "What comes out of the machine?", "Which result does the machine give?"
        text = f"The machine takes {start}, times {times}, plus {plus}."
        question, seen = rng.choice(asked), see(text, "the numbers on the machine")
        if isinstance(start, str):
            multiplied = work(f"{start}*{times}={times}{start}.")
            last = Step(f"The result is {times}{start}+{plus}.", "reasoning", "the result")
            return solved(question, seen, multiplied, last, kind="expression")
        return solved(question, seen, product(start, times), *total(start * times, plus))


class Sequence(Family):
    """A sequence with a constant difference, to be continued."""

    name, subject = "sequence", "algebra"

    def facts(self, rng: random.Random, level: int) -> Facts:
        gap = rng.randint(2, {1: 9, 2: 15, 3: 25}[level])
        start = rng.randint(1, {1: 12, 2: 30, 3: 60}[level])
        return {"start": start, "gap": gap}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        labels = [*self._terms(facts), "?"]
        y, slope = rng.uniform(40, 72), rng.uniform(-7, 7)
        boxed = rng.random() < 0.7
        for index, label in enumerate(labels):
            x, height = 15 + index * 27.5, y + slope * (index - 1.5)
            if boxed:
                pen.box((x - 12, height - 10, x + 12, height + 10))
            pen.text((x, height), label, at_most=15)

    def describe(self, facts: Facts) -> str:
        return f"A sequence: {', '.join(self._terms(facts))}, ?."

    @staticmethod
    def _terms(facts: Facts) -> list[str]:
        return [str(facts["start"] + index * facts["gap"]) for index in range(3)]

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        terms, gap = self._terms(facts), facts["gap"]
        fourth = "Which number comes next?", "What is the number at the question mark?"
        fifth = "What is the fifth number?", "Which number follows the one at the question mark?"
        asks_fourth = rng.random() < 0.6
        return solved(
            rng.choice(fourth if asks_fourth else fifth),
            see(f"The sequence is {', '.join(terms)}.", "the numbers of the sequence"),
            Step(f"{terms[1]}-{terms[0]}={gap}.", "reasoning", "the difference"),
            *total(int(terms[2]), *[gap] * (1 if asks_fourth else 2)),
        )
