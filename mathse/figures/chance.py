"""Probability: spinners and bags of marbles."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from mathse.figures.canvas import PALETTE, Pen, Point, polar, scatter
from mathse.figures.items import (
    Calc,
    Facts,
    Family,
    Question,
    Read,
    Route,
    at_once,
    names_in,
    one_by_one,
    rule,
    total,
    ways,
)
from mathse.figures.readings import Reading, Shown, table

COLOURS = tuple(PALETTE)


def simplest(part: int, whole: int) -> str:
    """Return a fraction in lowest terms as text: `3/8`."""
    fraction = Fraction(part, whole)
    return f"{fraction.numerator}/{fraction.denominator}"


def readings_of(things: str) -> tuple[Reading, ...]:
    """Return what can be read off things of some colours; `things` is in the plural."""
    return (
        Reading(
            "counts",
            f"the numbers of {things}",
            (
                f"There are {{counts:pairs}} {things}.",
                f"I count {{counts:pairs}} {things}.",
                f"The {things} by colour: {{counts:named}}.",
            ),
        ),
        Reading(
            "one",
            f"the {{counts:key1}} {things}",
            (
                "The {counts:key1} ones are {counts:value1}.",
                f"The number of {{counts:key1}} {things} is {{counts:value1}}.",
                f"{things.capitalize()} in {{counts:key1}}: {{counts:value1}}.",
            ),
        ),
    )


class Coloured(Family):
    """Things of some colours: the probability of one, of one of two, or of all but one.

    Attributes:
        asked: several ways to ask, by the kind of question.
    """

    constants = (1,)
    asked: Mapping[str, Sequence[str]]

    @staticmethod
    def counts(facts: Facts) -> dict[str, int]:
        """Return how many things there are of each colour."""
        return dict(zip(facts["colours"], facts["counts"], strict=True))

    def shown(self, facts: Facts) -> Shown:
        return {"counts": self.counts(facts)}

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        counts = self.counts(facts)
        kind = rng.choice(("one", "not", "either") if len(counts) > 2 else ("one", "not"))
        colours = rng.sample([*counts], 2 if kind == "either" else 1)
        given = dict(zip(("one", "two"), colours, strict=False))
        text = rng.choice(self.asked[kind]).format(**given)
        return Question(kind, text, given, answer_type="expression")

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        counts, wanted = table(shown, "counts"), names_in(question)
        rest = tuple(colour for colour in counts if colour not in wanted)
        if question.kind == "not":
            wanted, rest = rest, wanted
        readings = [[Read("counts")], one_by_one("one", counts)]
        direct = self._direct(counts, wanted)
        if question.kind == "either":
            return ways(readings, [*direct, *self._complement(counts, rest)])
        if question.kind == "not":
            return ways(readings, [*self._complement(counts, rest), *direct])
        *add, share = direct[0]
        usual = Route((Read("counts"), *add, Read("one", wanted), share))
        return [usual, *ways(readings, direct)]

    @staticmethod
    def _direct(counts: Mapping[str, int], wanted: Sequence[str]) -> list[list[Calc]]:
        """Return the calculations that divide what is wanted by all."""
        parts, numbers = [counts[colour] for colour in wanted], [*counts.values()]
        whole = sum(numbers)
        share = Calc(f"{sum(parts)}/{whole}")
        found = [[*_totals(counts, wanted), share]]
        if len(numbers) > 2:
            found.append([*at_once(*numbers), *at_once(*parts), share])
        top, bottom = ("+".join(map(str, some)) for some in (parts, numbers))
        found.append([Calc(f"({top})/({bottom})" if len(parts) > 1 else f"{top}/({bottom})")])
        if len(parts) > 1:
            found.append([*total(*numbers), Calc("+".join(f"{part}/{whole}" for part in parts))])
        return found

    @staticmethod
    def _complement(counts: Mapping[str, int], rest: Sequence[str]) -> list[list[Calc]]:
        """Return the calculations that take what is not wanted from all."""
        whole, other = sum(counts.values()), sum(counts[colour] for colour in rest)
        wanted, chance, about = whole - other, f"{other}/{whole}", "the other probability"
        ends = (
            [Calc(f"{whole}-{other}"), Calc(f"{wanted}/{whole}")],
            [rule(f"1-{chance}", about)],
            [Calc(chance), rule(f"1-{simplest(other, whole)}", about)],
        )
        return [[*_totals(counts, rest), *end] for end in ends]


def _totals(counts: Mapping[str, int], some: Sequence[str]) -> list[Calc]:
    """Return the steps that add all, then some: none again for those that all begin with."""
    add = total(*counts.values())
    if [*some] == [*counts][: len(some)]:
        return add
    return [*add, *total(*(counts[colour] for colour in some))]


class Spinner(Coloured):
    """A spinner with equal sectors."""

    name, subject = "spinner", "probability"
    shows = "Sectors: {counts:pairs}."
    readings = readings_of("sectors")
    asked = {
        "one": (
            "What is the probability of {one}?",
            "How likely does the spinner stop on {one}?",
            "Find the probability that the spinner stops on {one}.",
        ),
        "not": (
            "What is the probability that the spinner does not stop on {one}?",
            "How likely is any colour but {one}?",
        ),
        "either": (
            "What is the probability of {one} or {two}?",
            "How likely does the spinner stop on {one} or {two}?",
        ),
    }
    sizes = {
        1: ((3, 2), (4, 2), (5, 2), (6, 2), (4, 3), (5, 3)),
        2: ((6, 3), (6, 4), (7, 3), (7, 4)),
        3: ((8, 3), (8, 4), (9, 3), (9, 4), (10, 3), (10, 4)),
    }
    """Numbers of sectors and colours, by level."""

    def facts(self, rng: random.Random, level: int) -> Facts:
        sectors, colours = rng.choice(self.sizes[level])
        chosen = rng.sample(COLOURS, colours)
        while True:
            around = [rng.choice(chosen) for _ in range(sectors)]
            if len(set(around)) == colours:
                return {"around": around}

    @staticmethod
    def counts(facts: Facts) -> dict[str, int]:
        around = facts["around"]
        return {colour: around.count(colour) for colour in COLOURS if colour in around}

    def canonical(self, facts: Facts) -> object:
        around = facts["around"]
        turned = [
            [*way[at:], *way[:at]] for way in (around, around[::-1]) for at in range(len(way))
        ]
        return min(turned)

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

    name, subject = "marbles", "probability"
    shows = "Marbles: {counts:pairs}."
    readings = readings_of("marbles")
    asked = {
        "one": (
            "You draw one marble. How likely is it {one}?",
            "What is the probability to draw {one}?",
            "One marble is drawn blind. Find the probability that it is {one}.",
        ),
        "not": (
            "You draw one marble. How likely is it not {one}?",
            "What is the probability to draw any colour but {one}?",
        ),
        "either": (
            "You draw one marble. How likely is it {one} or {two}?",
            "What is the probability to draw {one} or {two}?",
        ),
    }

    def facts(self, rng: random.Random, level: int) -> Facts:
        fewest, most, high = {1: (3, 8, 6), 2: (9, 13, 8), 3: (14, 18, 8)}[level]
        kinds = rng.choice({1: (2, 3), 2: (2, 3, 4), 3: (3, 4)}[level])
        colours = sorted(rng.sample(COLOURS, kinds), key=COLOURS.index)
        while True:
            marbles = rng.randint(fewest, most)
            cuts = sorted(rng.sample(range(1, marbles), kinds - 1))
            counts = [after - before for before, after in pairwise((0, *cuts, marbles))]
            if max(counts) <= high:
                return {"colours": colours, "counts": counts}

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
