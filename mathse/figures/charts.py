"""Statistics and word problems: bar charts, pictographs, price lists."""

from __future__ import annotations

import random

from mathse.figures.canvas import Pen
from mathse.figures.items import (
    Facts,
    Family,
    Worked,
    difference,
    plural,
    product,
    see,
    solved,
    total,
)

GOODS = ("pen", "cup", "hat", "bag", "key", "fan")


class Bars(Family):
    """A bar chart with the value written above each bar."""

    name, subject = "bars", "statistics"

    def facts(self, rng: random.Random, level: int) -> Facts:
        count, high = {1: (3, 12), 2: (4, 30), 3: (5, 60)}[level]
        return {"values": rng.sample(range(2, high + 1), count)}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng, values = pen.rng, facts["values"]
        left, bottom = 6 + rng.uniform(0, 6), 92 + rng.uniform(-4, 3)
        pitch = (106 - left) / len(values)
        width = pitch * rng.uniform(0.45, 0.75)
        scale = rng.uniform(48, 62) / max(values)
        shared = pen.tint() if rng.random() < 0.4 else None
        pen.line([(left - 3, bottom), (109, bottom)])
        for index, value in enumerate(values):
            x = left + (index + 0.5) * pitch
            top = bottom - max(3.0, value * scale)
            pen.box((x - width / 2, top, x + width / 2, bottom), fill=shared, width=1)
            pen.text((x, top - 9), str(value), at_most=15 if len(values) < 5 else 13)
            pen.text((x, bottom + 9), "ABCDE"[index], at_most=14)

    def describe(self, facts: Facts) -> str:
        bars = zip("ABCDE", facts["values"], strict=False)
        return f"Bars: {', '.join(f'{name} {value}' for name, value in bars)}."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        values = dict(zip("ABCDE", facts["values"], strict=False))
        form = rng.choice(("sum", "difference", "spread"))
        if form == "spread":
            asked = (
                "How much more is the highest bar than the lowest?",
                "What is the difference between the highest and the lowest bar?",
            )
            order = sorted(values, key=lambda name: values[name], reverse=True)
            shown = ", ".join(f"{name} {values[name]}" for name in order)
            seen = see(f"From the highest: {shown}.", "the bars by their height")
            return solved(rng.choice(asked), seen, difference(values[order[0]], values[order[-1]]))
        one, two = rng.sample(sorted(values), 2)
        if form == "difference" and values[one] < values[two]:
            one, two = two, one
        a, b = values[one], values[two]
        seen = see(f"{one} is {a} and {two} is {b}.", f"the bars {one} and {two}")
        if form == "sum":
            asked = f"What do {one} and {two} make together?", f"Find the sum of {one} and {two}."
            return solved(rng.choice(asked), seen, *total(a, b))
        asked = f"How much more is {one} than {two}?", f"By how much is {one} higher than {two}?"
        return solved(rng.choice(asked), seen, difference(a, b))


class Pictograph(Family):
    """Rows of dots, each dot standing for several things."""

    name, subject = "pictograph", "statistics"

    def facts(self, rng: random.Random, level: int) -> Facts:
        rows, high = {1: (2, 5), 2: (3, 6), 3: (4, 7)}[level]
        counts = [rng.randint(1, high) for _ in range(rows)]
        return {"rows": counts, "each": rng.choice((2, 3, 4, 5, 10))}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng, rows = pen.rng, facts["rows"]
        pitch_y, radius, pitch_x = 82 / len(rows), rng.uniform(3.5, 5), rng.uniform(11.5, 13)
        fill = pen.named(rng.choice(("red", "blue", "green", "yellow")))
        top = rng.uniform(3, 7)
        for index, count in enumerate(rows):
            y = top + (index + 0.5) * pitch_y
            pen.text((9, y), "ABCD"[index])
            for dot in range(count):
                pen.disc((27 + dot * pitch_x, y), radius, fill=fill)
        pen.disc((34, 100), radius, fill=fill)
        pen.text((62, 100), f"= {facts['each']}")

    def describe(self, facts: Facts) -> str:
        rows = ", ".join(f"{n} {c}" for n, c in zip("ABCD", facts["rows"], strict=False))
        return f"Dots: {rows}. Each dot is {facts['each']}."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        rows, each = dict(zip("ABCD", facts["rows"], strict=False)), facts["each"]
        one, two = rng.sample(sorted(rows), 2)
        a, b = rows[one], rows[two]
        if rng.random() < 0.5:
            asked = f"How many does {one} have?", f"What number does row {one} stand for?"
            seen = see(f"{one} has {plural(a, 'dot')}, each is {each}.", f"row {one}")
            return solved(rng.choice(asked), seen, product(a, each))
        asked = (
            f"How many do {one} and {two} have together?",
            f"What is the total of rows {one} and {two}?",
        )
        text = f"{one} has {a} and {two} has {b}, each is {each}."
        seen = see(text, f"the rows {one} and {two}")
        return solved(rng.choice(asked), seen, *total(a, b), product(a + b, each))


class Prices(Family):
    """A price list and a shopping question."""

    name, subject = "prices", "word problems"

    def facts(self, rng: random.Random, level: int) -> Facts:
        high = {1: 9, 2: 20, 3: 49}[level]
        goods = rng.sample(GOODS, 3)
        return {"goods": goods, "prices": [rng.randint(2, high) for _ in goods], "level": level}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        top, pitch = rng.uniform(10, 20), rng.uniform(24, 29)
        left, right = rng.uniform(22, 32), rng.uniform(76, 90)
        if rng.random() < 0.6:
            pen.box((left - 19, top - 7, right + 16, top + 2 * pitch + 18))
        for index, (thing, price) in enumerate(zip(facts["goods"], facts["prices"], strict=True)):
            y = top + index * pitch + 5
            pen.text((left, y), thing)
            pen.text((right, y), str(price))

    def describe(self, facts: Facts) -> str:
        prices = zip(facts["goods"], facts["prices"], strict=True)
        return f"Prices: {', '.join(f'{thing} {price}' for thing, price in prices)}."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        prices = dict(zip(facts["goods"], facts["prices"], strict=True))
        one, two = rng.sample(facts["goods"], 2)
        a, b = prices[one], prices[two]
        times = rng.randint(2, 4)
        form = rng.choice(("pair", "several", "change"))
        both = see(f"A {one} costs {a} and a {two} costs {b}.", f"the prices of {one} and {two}")
        if form == "pair":
            asked = (
                f"What do a {one} and a {two} cost?",
                f"Ben buys a {one} and a {two}. How much does he pay?",
            )
            return solved(rng.choice(asked), both, *total(a, b))
        cost = times * a
        if form == "several":
            question = f"Mia buys {times} {one}s and a {two}. How much does she pay?"
            return solved(question, both, product(times, a), *total(cost, b))
        paid = 50 if cost <= 45 else 200
        question = f"Tom buys {times} {one}s and pays with {paid}. How much does he get back?"
        seen = see(f"A {one} costs {a}.", f"the price of a {one}")
        return solved(question, seen, product(times, a), difference(paid, cost))
