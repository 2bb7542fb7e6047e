"""Probability: spinners and bags of marbles."""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

from mathse.figures.canvas import PALETTE, Pen, scatter
from mathse.figures.items import Facts, Family, Step, Worked, listing, see, total, work

COLOURS = tuple(PALETTE)


def simplest(part: int, whole: int) -> str:
    """Return a fraction in lowest terms as text: `3/8`."""
    fraction = Fraction(part, whole)
    return f"{fraction.numerator}/{fraction.denominator}"


class Spinner(Family):
    """A spinner with equal sectors."""

    name, subject = "spinner", "probability"

    def facts(self, rng: random.Random, level: int) -> dict[str, Any]:
        sectors = rng.choice({1: (3, 4, 5), 2: (4, 5, 6), 3: (8, 9, 10)}[level])
        colours = rng.sample(COLOURS, min(sectors - 1, 2 if level == 1 else 3))
        while True:
            around = [rng.choice(colours) for _ in range(sectors)]
            if len(set(around)) == len(colours):
                return {"around": around}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng, around = pen.rng, facts["around"]
        centre = (56 + rng.uniform(-4, 4), 56 + rng.uniform(-4, 4))
        radius, turn = rng.uniform(38, 48), rng.uniform(0, 360)
        width = 360 / len(around)
        box = (centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius)
        shades = {colour: pen.named(colour) for colour in dict.fromkeys(around)}
        for index, colour in enumerate(around):
            start = turn + index * width
            pen.draw.pieslice(box, start, start + width, fill=shades[colour], outline=pen.ink, width=pen.stroke)
            middle = math.radians(start + width / 2)
            pen.mark((centre[0] + 0.6 * radius * math.cos(middle), centre[1] + 0.6 * radius * math.sin(middle)), colour)
        angle = rng.uniform(0, 2 * math.pi)
        tip = (centre[0] + 0.6 * radius * math.cos(angle), centre[1] + 0.6 * radius * math.sin(angle))
        pen.line([centre, tip], width=3)

    def describe(self, facts: Facts) -> str:
        counts = [f"{facts['around'].count(c)} {c}" for c in COLOURS if c in facts["around"]]
        return f"A spinner with {len(facts['around'])} sectors: {', '.join(counts)}."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        around = facts["around"]
        colour = rng.choice([c for c in COLOURS if c in around])
        part, whole = around.count(colour), len(around)
        question = rng.choice(
            (f"What is the probability of {colour}?", f"How likely does the spinner stop on {colour}?")
        )
        steps = (
            see(f"{part} of {whole} sectors are {colour}.", f"the {colour} sectors"),
            work(f"{part}/{whole}={simplest(part, whole)}."),
        )
        return Worked(question, steps, simplest(part, whole), "expression")


class Marbles(Family):
    """A bag of coloured marbles, one drawn blind."""

    name, subject = "marbles", "probability"

    def facts(self, rng: random.Random, level: int) -> dict[str, Any]:
        kinds, high = {1: (2, 4), 2: (2, 6), 3: (3, 6)}[level]
        colours = sorted(rng.sample(COLOURS, kinds), key=COLOURS.index)
        return {"colours": colours, "counts": [rng.randint(1, high) for _ in colours]}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        marbles = [c for c, count in zip(facts["colours"], facts["counts"], strict=True) for _ in range(count)]
        pen.draw.rounded_rectangle((3, 3, 108, 108), radius=rng.randint(4, 24), outline=pen.ink, width=pen.stroke)
        cells = 4 if len(marbles) <= 13 else 5
        radius = rng.uniform(28, 36) / cells
        shades = {colour: pen.named(colour) for colour in dict.fromkeys(marbles)}
        for colour, at in zip(marbles, scatter(rng, len(marbles), columns=cells, rows=cells, margin=9), strict=True):
            pen.disc(at, radius, fill=shades[colour])
            pen.mark(at, colour)

    def describe(self, facts: Facts) -> str:
        return "Marbles: " + ", ".join(f"{n} {c}" for c, n in zip(facts["colours"], facts["counts"], strict=True)) + "."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        counts = dict(zip(facts["colours"], facts["counts"], strict=True))
        colour = rng.choice(facts["colours"])
        question = rng.choice(
            (f"You draw one marble. How likely is it {colour}?", f"What is the probability to draw {colour}?")
        )
        whole = sum(counts.values())
        parts = listing([f"{n} {c}" for c, n in counts.items()])
        steps: list[Step] = [see(f"There are {parts} marbles.", "the numbers of marbles"), *total(*counts.values())]
        steps.append(work(f"{counts[colour]}/{whole}={simplest(counts[colour], whole)}."))
        return Worked(question, tuple(steps), simplest(counts[colour], whole), "expression")
