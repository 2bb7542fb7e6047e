"""Arithmetic and word problems: counting shapes, coins, clocks, number lines."""

from __future__ import annotations

import math
import random

from mathse.figures.canvas import SIZE, Pen, Point, polar, scatter
from mathse.figures.items import Facts, Family, Worked, difference, plural, rule, see, solved, total

SHAPES = ("circle", "square", "triangle")
TICKS = 7


class Shapes(Family):
    """Circles, squares and triangles to count."""

    name, subject = "shapes", "arithmetic"

    def facts(self, rng: random.Random, level: int) -> Facts:
        low, high = {1: (1, 4), 2: (1, 5), 3: (4, 7)}[level]
        return {"counts": [rng.randint(low, high) for _ in SHAPES]}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        kinds = [k for k, n in zip(SHAPES, facts["counts"], strict=True) for _ in range(n)]
        cells = 4 if len(kinds) <= 15 else 5
        radius = rng.uniform(28, 36) / cells
        fills = [pen.tint() for _ in range(3)]
        spots = scatter(rng, len(kinds), columns=cells, rows=cells)
        for kind, (x, y) in zip(kinds, spots, strict=True):
            pen.mark((x, y), kind)
            fill = rng.choice(fills)
            if kind == "circle":
                pen.disc((x, y), radius, fill=fill)
                continue
            corners, turn = 3, -math.pi / 2
            if kind == "square":
                corners = 4
                turn = rng.choice((math.pi / 4, math.pi / 4, rng.uniform(0, math.pi)))
            angles = [turn + corner * 2 * math.pi / corners for corner in range(corners)]
            pen.polygon([polar((x, y), radius * 1.2, angle) for angle in angles], fill=fill)

    def describe(self, facts: Facts) -> str:
        return f"Shapes: {', '.join(map(plural, facts['counts'], SHAPES))}."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        counts = dict(zip(SHAPES, facts["counts"], strict=True))
        one, two = rng.sample(SHAPES, 2)
        if rng.random() < 0.35:
            asked = "How many shapes are there in all?", "Count all the shapes."
            parts = ", ".join(map(plural, facts["counts"], SHAPES))
            seen = see(f"There are {parts}.", "the numbers of shapes")
            return solved(rng.choice(asked), seen, *total(*facts["counts"]))
        if rng.random() < 0.5 or counts[one] == counts[two]:
            asked = (
                f"How many {one}s and {two}s are there together?",
                f"Count the {one}s and the {two}s.",
            )
            steps = total(counts[one], counts[two])
        else:
            one, two = sorted((one, two), key=lambda kind: counts[kind], reverse=True)
            asked = (
                f"How many more {one}s than {two}s are there?",
                f"By how many do the {one}s outnumber the {two}s?",
            )
            steps = [difference(counts[one], counts[two])]
        text = f"The {one}s are {counts[one]} and the {two}s are {counts[two]}."
        return solved(rng.choice(asked), see(text, f"the {one}s and {two}s"), *steps)


class Coins(Family):
    """Coins with their values written on them."""

    name, subject = "coins", "word problems"

    def facts(self, rng: random.Random, level: int) -> Facts:
        count = rng.choice({1: (2, 3), 2: (3, 4), 3: (5,)}[level])
        values = (1, 2, 5, 10, 20) if level == 1 else (1, 2, 5, 10, 20, 25, 50)
        return {"coins": sorted((rng.choice(values) for _ in range(count)), reverse=True)}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        coins = [*facts["coins"]]
        rng.shuffle(coins)
        fill = rng.choice(((236, 205, 120), (212, 214, 220), pen.tint()))
        radius = rng.uniform(12.5, 14.5)
        spots = scatter(rng, len(coins), columns=3, rows=3, margin=8)
        for coin, at in zip(coins, spots, strict=True):
            pen.disc(at, radius, fill=fill)
            pen.text(at, str(coin), at_most=15)

    def describe(self, facts: Facts) -> str:
        return f"Coins: {', '.join(map(str, facts['coins']))}."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        coins = facts["coins"]
        steps = see(f"The coins are {', '.join(map(str, coins))}.", "the coins"), *total(*coins)
        whole = sum(coins)
        if rng.random() < 0.5 or whole < 6:
            asked = (
                "How much money is this in all?",
                "Anna has these coins. How much does she have?",
            )
            return solved(rng.choice(asked), *steps)
        spent = rng.randint(2, min(whole - 1, 30))
        question = f"Leo has these coins and spends {spent}. How much is left?"
        return solved(question, *steps, difference(whole, spent))


class Clock(Family):
    """A clock face and some hours or minutes to go."""

    name, subject = "clock", "arithmetic"
    shows = "A clock at {hour}:{minute:02d}."

    def facts(self, rng: random.Random, level: int) -> Facts:
        minutes = range(0, 60, 15 if level == 1 else 5)
        return {"hour": rng.randint(1, 12), "minute": rng.choice(minutes), "level": level}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        centre = (56 + rng.uniform(-4, 4), 56 + rng.uniform(-4, 4))
        radius = rng.uniform(42, 50)
        pen.disc(centre, radius, fill=pen.tint() if rng.random() < 0.5 else None)

        def at(turn: float, far: float) -> Point:
            return polar(centre, radius * far, 2 * math.pi * turn - math.pi / 2)

        numbers = rng.random() < 0.6
        for hour in range(1, 13):
            if numbers and hour % 3 == 0:
                pen.text(at(hour / 12, 0.82), str(hour), size=12)
            else:
                pen.line([at(hour / 12, 0.9), at(hour / 12, 0.99)], width=1)
        turn = facts["minute"] / 60
        hands = {"hour hand": at((facts["hour"] + turn) / 12, 0.45), "minute hand": at(turn, 0.72)}
        for (hand, tip), width in zip(hands.items(), (4, pen.stroke), strict=True):
            pen.line([centre, tip], width=width)
            pen.mark(tip, hand)

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        hour, minute = facts["hour"], facts["minute"]
        seen = see(f"The clock shows {hour}:{minute:02d}.", "the time on the clock")
        later = rng.randint(2, 5) if facts["level"] < 3 else rng.randint(6, 11)
        if rng.choice((True, False)):
            asked = (
                f"What time will it be in {later} hours?",
                f"Which time does the clock show {later} hours later?",
            )
            plain, steps = hour + later, [seen, *total(hour, later)]
        else:
            asked = (
                f"What time was it {later} hours ago?",
                f"Which time did the clock show {later} hours earlier?",
            )
            plain, steps = hour - later, [seen, difference(hour, later)]
        shown = (plain - 1) % 12 + 1
        if shown != plain:
            equation = f"{plain}{'-' if plain > 12 else '+'}12={shown}."
            steps.append(rule(equation, "the twelve hours"))
        return Worked(rng.choice(asked), tuple(steps), f"{shown}:{minute:02d}", "text")


class NumberLine(Family):
    """Two points on a number line, lying or standing, every other tick labelled."""

    name, subject = "number_line", "arithmetic"
    shows = "A number line from {start} to {end}. P is {p}, Q is {q}."

    def facts(self, rng: random.Random, level: int) -> Facts:
        pitch = rng.choice({1: (1,), 2: (1, 2, 5), 3: (4, 10, 20)}[level])
        start = 0 if level == 1 else pitch * rng.randint(0, 10)
        p, q = rng.sample(range(TICKS), 2)
        return {"start": start, "pitch": pitch, "p": start + p * pitch, "q": start + q * pitch}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        across, low, high = rng.uniform(46, 66), rng.uniform(10, 15), rng.uniform(97, 102)
        upright, side = rng.random() < 0.4, rng.choice((-1, 1))

        def at(tick: float, off: float) -> Point:
            along = low + tick * (high - low) / (TICKS - 1)
            if upright:
                return across + side * off * 1.15, SIZE - along
            return along, across + side * off

        pen.line([at(-0.4, 0), at(TICKS - 0.6, 0)])
        start, pitch = facts["start"], facts["pitch"]
        for tick in range(TICKS):
            tall = 3 if tick % 2 else 6
            pen.line([at(tick, -tall), at(tick, tall)], width=1)
            if tick % 2 == 0:
                pen.text(at(tick, 16), str(start + tick * pitch), at_most=15)
        fill = pen.named(rng.choice(("red", "blue", "green")))
        for name in ("p", "q"):
            tick = (facts[name] - start) / pitch
            pen.disc(at(tick, 0), 4, fill=fill)
            pen.text(at(tick, -15), name.upper(), at_most=15)

    def describe(self, facts: Facts) -> str:
        return self.shows.format(end=facts["start"] + (TICKS - 1) * facts["pitch"], **facts)

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        p, q = facts["p"], facts["q"]
        seen = see(f"P is {p} and Q is {q}.", "the points P and Q")
        if rng.random() < 0.5:
            asked = "How far apart are P and Q?", "What is the distance from P to Q?"
            return solved(rng.choice(asked), seen, difference(max(p, q), min(p, q)))
        asked = "What is the sum of P and Q?", "Add the numbers at P and Q."
        return solved(rng.choice(asked), seen, *total(p, q))
