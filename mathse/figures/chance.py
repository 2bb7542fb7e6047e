"""Probability: spinners and bags of marbles."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from mathse.figures.canvas import PALETTE, Pen, Point, polar, scatter
from mathse.figures.items import Facts, Family, Worked, see, solved, total, work

COLOURS = tuple(PALETTE)


def simplest(part: int, whole: int) -> str:
    """Return a fraction in lowest terms as text: `3/8`."""
    fraction = Fraction(part, whole)
    return f"{fraction.numerator}/{fraction.denominator}"


class Coloured(Family):
    """Things of some colours, and the probability of one colour.

    Attributes:
        things: what has the colours, in the plural.
        asked: two ways to ask for the probability.
    """

    things: str
    asked: tuple[str, str]

    @staticmethod
    def counts(facts: Facts) -> dict[str, int]:
        """Return how many things there are of each colour."""
        return dict(zip(facts["colours"], facts["counts"], strict=True))

    def describe(self, facts: Facts) -> str:
        counts = ", ".join(f"{count} {name}" for name, count in self.counts(facts).items())
        return f"{self.things.capitalize()}: {counts}."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        counts, things = self.counts(facts), self.things
        colour = rng.choice([*counts])
        whole, part = sum(counts.values()), counts[colour]
        *others, last = (f"{count} {name}" for name, count in counts.items())
        return solved(
            rng.choice(self.asked).format(colour),
            see(f"There are {', '.join(others)} and {last} {things}.", f"the numbers of {things}"),
            *total(*counts.values()),
            see(f"The {colour} ones are {part}.", f"the {colour} {things}"),
            work(f"{part}/{whole}={simplest(part, whole)}."),
            kind="expression",
        )


class Spinner(Coloured):
    """A spinner with equal sectors."""

    name, subject, things = "spinner", "probability", "sectors"
    asked = "What is the probability of {}?", "How likely does the spinner stop on {}?"

    def facts(self, rng: random.Random, level: int) -> Facts:
        sectors = rng.choice({1: (3, 4, 5), 2: (4, 5, 6), 3: (8, 9, 10)}[level])
        colours = rng.sample(COLOURS, min(sectors - 1, 2 if level == 1 else 3))
        while True:
            around = [rng.choice(colours) for _ in range(sectors)]
            if len(set(around)) == len(colours):
                return {"around": around}

    @staticmethod
    def counts(facts: Facts) -> dict[str, int]:
        around = facts["around"]
        return {colour: around.count(colour) for colour in COLOURS if colour in around}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng, around = pen.rng, facts["around"]
        centre = (56 + rng.uniform(-3, 3), 56 + rng.uniform(-3, 3))
        radius, turn = rng.uniform(34, 40), rng.uniform(0, 360)
        width, gap = 360 / len(around), rng.uniform(6, 9)
        shades = {colour: pen.named(colour) for colour in dict.fromkeys(around)}

        def at(angle: float, far: float) -> Point:
            return polar(centre, far, math.radians(angle))

        for index, colour in enumerate(around):
            start = turn + index * width
            x, y = at(start + width / 2, gap)  # off the centre: paper separates the sectors
            box = (x - radius, y - radius, x + radius, y + radius)
            pen.draw.pieslice(
                box, start, start + width, fill=shades[colour], outline=pen.ink, width=pen.stroke
            )
            pen.mark(at(start + width / 2, gap + 0.6 * radius), colour)
        pen.disc(centre, 3, fill=pen.ink)


class Marbles(Coloured):
    """A bag of coloured marbles, one drawn blind."""

    name, subject, things = "marbles", "probability", "marbles"
    asked = "You draw one marble. How likely is it {}?", "What is the probability to draw {}?"

    def facts(self, rng: random.Random, level: int) -> Facts:
        kinds, high = {1: (2, 4), 2: (2, 6), 3: (3, 6)}[level]
        colours = sorted(rng.sample(COLOURS, kinds), key=COLOURS.index)
        return {"colours": colours, "counts": [rng.randint(1, high) for _ in colours]}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        marbles = [colour for colour, count in self.counts(facts).items() for _ in range(count)]
        pen.draw.rounded_rectangle(
            (3, 3, 108, 108), radius=rng.randint(4, 24), outline=pen.ink, width=pen.stroke
        )
        cells = 4 if len(marbles) <= 13 else 5
        radius = rng.uniform(28, 36) / cells
        shades = {colour: pen.named(colour) for colour in dict.fromkeys(marbles)}
        spots = scatter(rng, len(marbles), columns=cells, rows=cells, margin=9)
        for colour, at in zip(marbles, spots, strict=True):
            pen.disc(at, radius, fill=shades[colour])
            pen.mark(at, colour)
