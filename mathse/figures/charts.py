"""Statistics: bar charts and pictographs."""

from __future__ import annotations

import random

from mathse.figures.canvas import Pen
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
    total,
    ways,
)
from mathse.figures.readings import Reading, Shown, table

NAMES = "ABCDE"
TOTAL_MAX = 200
"""Questions whose results are larger are left out where there is another question."""


class Bars(Family):
    """A bar chart with the value written above each bar."""

    name, subject = "bars", "statistics"
    shows = "Bars: {bars:named}."
    readings = (
        Reading(
            "pair",
            "the bars {bars:key1} and {bars:key2}",
            (
                "{bars:key1} is {bars:value1} and {bars:key2} is {bars:value2}.",
                "Bar {bars:key1} shows {bars:value1} and bar {bars:key2} shows {bars:value2}.",
                "{bars:value1} stands above {bars:key1} and {bars:value2} above {bars:key2}.",
            ),
        ),
        Reading(
            "one",
            "the bar {bars:key1}",
            (
                "{bars:key1} is {bars:value1}.",
                "Bar {bars:key1} shows {bars:value1}.",
                "{bars:value1} stands above {bars:key1}.",
            ),
        ),
        Reading(
            "three",
            "the bars {bars:key1}, {bars:key2} and {bars:key3}",
            (
                "{bars:key1} is {bars:value1}, {bars:key2} is {bars:value2} and "
                "{bars:key3} is {bars:value3}.",
                "Bar {bars:key1} shows {bars:value1}, bar {bars:key2} shows {bars:value2} and "
                "bar {bars:key3} shows {bars:value3}.",
                "{bars:value1} stands above {bars:key1}, {bars:value2} above {bars:key2} and "
                "{bars:value3} above {bars:key3}.",
            ),
        ),
        Reading(
            "all",
            "all bars",
            (
                "The bars are {bars:named}.",
                "The chart shows {bars:named}.",
                "From left to right: {bars:named}.",
            ),
        ),
        Reading(
            "order",
            "the bars by their height",
            (
                "From the highest: {order:row}.",
                "From the highest bar to the lowest: {order:row}.",
                "The bars by height are {order:row}.",
            ),
        ),
        Reading(
            "ends",
            "the highest and the lowest bar",
            (
                "The highest bar is {highest} and the lowest is {lowest}.",
                "{highest} is the highest bar and {lowest} is the lowest.",
                "Highest: {highest}, lowest: {lowest}.",
            ),
        ),
    )
    asked = {
        "sum": (
            "What do {one} and {two} make together?",
            "Find the sum of {one} and {two}.",
            "How much are {one} and {two} in all?",
        ),
        "three": (
            "What do {one}, {two} and {three} make together?",
            "Find the sum of {one}, {two} and {three}.",
        ),
        "difference": (
            "How much more is {one} than {two}?",
            "By how much is {one} higher than {two}?",
            "How much less is {two} than {one}?",
        ),
        "spread": (
            "How much more is the highest bar than the lowest?",
            "What is the difference between the highest and the lowest bar?",
            "By how much does the highest bar exceed the lowest?",
        ),
    }

    def facts(self, rng: random.Random, level: int) -> Facts:
        count, high = {1: (3, 29), 2: (4, 59), 3: (5, 99)}[level]
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
            pen.text((x, bottom + 9), NAMES[index], at_most=14)

    def shown(self, facts: Facts) -> Shown:
        bars = dict(zip(NAMES, facts["values"], strict=False))
        order = sorted(bars, key=lambda name: bars[name], reverse=True)
        return {"bars": bars, "order": order, "highest": order[0], "lowest": order[-1]}

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        bars = table(self.shown(facts), "bars")
        kind = rng.choice([*self.asked])
        names = rng.sample(sorted(bars), {"three": 3, "spread": 0}.get(kind, 2))
        if kind == "difference":
            names.sort(key=lambda name: bars[name], reverse=True)
        given = dict(zip(("one", "two", "three"), names, strict=False))
        return Question(kind, rng.choice(self.asked[kind]).format(**given), given)

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        bars, names = table(shown, "bars"), names_in(question)
        if question.kind == "spread":
            names = str(shown["highest"]), str(shown["lowest"])
        values = [bars[name] for name in names]
        single = one_by_one("one", names)
        if question.kind == "three":
            a, b, c = values
            sums = [total(a, b, c), at_once(a, b, c), total(a, c, b), total(b, c, a)]
            add, add_last = total(a, b, c)
            between = Route((*single[:2], add, single[2], add_last))
            return [*ways([[Read("three", names)], single, [Read("all")]], sums), between]
        a, b = values
        pair = Read("pair", names)
        if question.kind == "sum":
            return ways([[pair], single, [Read("all")]], [total(a, b), total(b, a)])
        if question.kind == "difference":
            return ways([[pair], single, [Read("all")]], [[Calc(f"{a}-{b}")]])
        by_height = [[at, pair] for at in (Read("order"), Read("ends"))]
        after = [[Read("all"), at] for at in (Read("order"), Read("ends"))]
        return ways([*by_height, *after], [[Calc(f"{a}-{b}")]])


class Pictograph(Family):
    """Rows of dots, each dot standing for several things."""

    name, subject = "pictograph", "statistics"
    shows = "Dots: {rows:pairs}. Each dot is {each}."
    readings = (
        Reading(
            "row",
            "row {rows:key1} and the dot",
            (
                "{rows:key1} has {rows:value1}, each is {each}.",
                "Dots in row {rows:key1}: {rows:value1}, each is {each}.",
                "Row {rows:key1} shows {rows:value1} and each dot is {each}.",
            ),
        ),
        Reading(
            "pair",
            "the rows {rows:key1} and {rows:key2} and the dot",
            (
                "{rows:key1} has {rows:value1} and {rows:key2} has {rows:value2}, each is {each}.",
                "Dots in row {rows:key1}: {rows:value1}, in row {rows:key2}: {rows:value2}, "
                "each is {each}.",
                "Row {rows:key1} shows {rows:value1}, row {rows:key2} shows {rows:value2} and "
                "each dot is {each}.",
            ),
        ),
        Reading(
            "count",
            "the dots in row {rows:key1}",
            (
                "Dots in row {rows:key1}: {rows:value1}.",
                "Row {rows:key1} shows {rows:value1}.",
                "The number of dots in {rows:key1} is {rows:value1}.",
            ),
        ),
        Reading(
            "all",
            "all rows",
            (
                "The rows show {rows:named}.",
                "Dots by row: {rows:named}.",
                "Counted from above: {rows:named}.",
            ),
        ),
        Reading(
            "dot",
            "what a dot stands for",
            ("Each dot is {each}.", "One dot stands for {each}.", "The dot below is {each}."),
        ),
    )
    asked = {
        "row": (
            "How many does {one} have?",
            "What number does row {one} stand for?",
            "How much does row {one} stand for?",
        ),
        "pair": (
            "How many do {one} and {two} have together?",
            "What is the total of rows {one} and {two}?",
            "How much do rows {one} and {two} stand for together?",
        ),
        "more": (
            "How many more does {one} have than {two}?",
            "What is the difference between {one} and {two}?",
        ),
        "all": ("How many do all rows have together?", "What is the total of all rows?"),
    }

    def facts(self, rng: random.Random, level: int) -> Facts:
        rows, high, least, most = {
            1: (rng.choice((2, 3, 3)), 5, 2, 12),
            2: (3, 6, 13, 20),
            3: (4, 7, 2, 20),
        }[level]
        counts = [rng.randint(1, high) for _ in range(rows)]
        return {"rows": counts, "each": rng.randint(least, most)}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng, rows = pen.rng, facts["rows"]
        pitch_y, radius, pitch_x = 82 / len(rows), rng.uniform(3.5, 5), rng.uniform(11.5, 13)
        fill = pen.named(rng.choice(("red", "blue", "green", "yellow")))
        top = rng.uniform(3, 7)
        for index, count in enumerate(rows):
            y = top + (index + 0.5) * pitch_y
            pen.text((9, y), NAMES[index])
            for dot in range(count):
                pen.disc((27 + dot * pitch_x, y), radius, fill=fill)
        pen.disc((34, 100), radius, fill=fill)
        pen.text((62, 100), f"= {facts['each']}")

    def shown(self, facts: Facts) -> Shown:
        return {"rows": dict(zip(NAMES, facts["rows"], strict=False)), "each": facts["each"]}

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        rows, each = dict(zip(NAMES, facts["rows"], strict=False)), facts["each"]
        names = sorted(rng.sample(sorted(rows), 2), key=lambda name: rows[name], reverse=True)
        a, b = (rows[name] for name in names)
        kinds = ["row"]
        kinds += ["pair"] if (a + b) * each <= TOTAL_MAX else []
        kinds += ["more"] if a > b else []
        kinds += ["all"] if len(rows) > 2 and sum(rows.values()) * each <= TOTAL_MAX else []
        kind = rng.choice(kinds)
        if kind != "more":
            rng.shuffle(names)
        names = names[: {"row": 1, "all": 0}.get(kind, 2)]
        given = dict(zip(("one", "two"), names, strict=False))
        return Question(kind, rng.choice(self.asked[kind]).format(**given), given)

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        rows, dot = table(shown, "rows"), Read("dot")
        each = shown["each"]
        names = names_in(question) or tuple(rows)
        counts = [rows[name] for name in names]
        # How to read: all in one line, or the rows and the dot one after the other.
        single = one_by_one("count", names)
        readings = [[Read("all"), dot], [*single, dot], [dot, *single]]
        if question.kind != "all":
            readings.insert(0, [Read("row" if question.kind == "row" else "pair", names)])
        if question.kind == "row":
            return ways(readings, [[Calc(f"{counts[0]}*{each}")], [Calc(f"{each}*{counts[0]}")]])
        # How to calculate: the dots first, or each row first, by steps or in one line.
        products = [Calc(f"{count}*{each}") for count in counts]
        parts = [int(step.right) for step in products]
        if question.kind == "more":
            (a, b), (high, low) = counts, parts
            first, last = [[Calc(f"{a}-{b}")]], [[Calc(f"{high}-{low}")]]
            count, sign = a - b, "-"
        else:
            first, last = ([total(*c), at_once(*c)][: len(c) - 1] for c in (counts, parts))
            count, sign = sum(counts), "+"
        return ways(
            readings,
            [
                *([*steps, Calc(f"{count}*{each}")] for steps in first),
                *([*products, *steps] for steps in last),
                [Calc(f"{each}*({sign.join(map(str, counts))})")],
                [Calc(sign.join(step.left for step in products))],
            ],
        )
