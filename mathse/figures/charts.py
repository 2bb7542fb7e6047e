"""Statistics and word problems: bar charts, pictographs, price lists."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import product

from mathse.figures.canvas import Pen
from mathse.figures.items import Calc, Facts, Family, Question, Read, Route, at_once, total
from mathse.figures.readings import Reading, Shown, Value

NAMES = "ABCDE"
GOODS = ("pen", "cup", "hat", "bag", "key", "fan")
NOTES = (20, 50, 100, 200)
"""What one pays with."""
TOTAL_MAX = 200
"""Questions whose results are larger are left out where there is another question."""


def table(shown: Shown, name: str) -> dict[str, int]:
    """Return a table of numbers that a figure shows."""
    part = shown[name]
    assert isinstance(part, Mapping)
    return {key: int(number) for key, number in part.items()}


def ways(readings: Iterable[Sequence[Read]], calculations: Iterable[Sequence[Calc]]) -> list[Route]:
    """Return the routes that first read in one of the ways and then calculate in one of them."""
    return [Route((*read, *calc)) for calc, read in product([*calculations], [*readings])]


def names_in(question: Question) -> tuple[str, ...]:
    """Return the names in a question: `one`, `two`, `three`, those that it has."""
    return tuple(
        str(question.given[name]) for name in ("one", "two", "three") if name in question.given
    )


def one_by_one(reading: str, names: Iterable[str]) -> list[Read]:
    """Return the steps that read entries of a table, each on its own line."""
    return [Read(reading, (name,)) for name in names]


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


class Prices(Family):
    """A price list and a shopping question."""

    name, subject = "prices", "word problems"
    shows = "Prices: {prices:named}."
    readings = (
        Reading(
            "pair",
            "the prices of {prices:key1} and {prices:key2}",
            (
                "A {prices:key1} costs {prices:value1} and a {prices:key2} costs {prices:value2}.",
                "The price of a {prices:key1} is {prices:value1}, of a {prices:key2} it is "
                "{prices:value2}.",
                "The list has {prices:value1} for a {prices:key1} and {prices:value2} for a "
                "{prices:key2}.",
            ),
        ),
        Reading(
            "one",
            "the price of a {prices:key1}",
            (
                "A {prices:key1} costs {prices:value1}.",
                "The price of a {prices:key1} is {prices:value1}.",
                "The list has {prices:value1} for a {prices:key1}.",
            ),
        ),
        Reading(
            "all",
            "all prices",
            (
                "The prices are {prices:named}.",
                "The list shows {prices:named}.",
                "On the list: {prices:named}.",
            ),
        ),
    )
    fixed = frozenset({"given times", "given more"})
    asked = {
        "pair": (
            "What do a {one} and a {two} cost?",
            "Ben buys a {one} and a {two}. How much does he pay?",
            "How much are a {one} and a {two} together?",
        ),
        "all": (
            "What do a {one}, a {two} and a {three} cost?",
            "Eva buys a {one}, a {two} and a {three}. How much does she pay?",
        ),
        "dearer": (
            "How much more does a {one} cost than a {two}?",
            "By how much is a {one} dearer than a {two}?",
        ),
        "several": (
            "Mia buys {times} {one}s and a {two}. How much does she pay?",
            "What do {times} {one}s and a {two} cost?",
        ),
        "mixed": (
            "Mia buys {times} {one}s and {more} {two}s. How much does she pay?",
            "What do {times} {one}s and {more} {two}s cost?",
        ),
        "change": (
            "Tom buys {times} {one}s and pays with {paid}. How much does he get back?",
            "Ann pays for {times} {one}s with {paid}. What does she get back?",
        ),
        "change_pair": (
            "Tom buys a {one} and a {two} and pays with {paid}. How much does he get back?",
            "Ann pays for a {one} and a {two} with {paid}. What does she get back?",
        ),
    }

    def facts(self, rng: random.Random, level: int) -> Facts:
        low, high = {1: (2, 20), 2: (21, 45), 3: (46, 99)}[level]  # of the highest price
        prices = [rng.randint(low, high), *(rng.randint(2, high) for _ in range(2))]
        rng.shuffle(prices)
        return {"goods": rng.sample(GOODS, 3), "prices": prices}

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

    def shown(self, facts: Facts) -> Shown:
        return {"prices": dict(zip(facts["goods"], facts["prices"], strict=True))}

    def canonical(self, facts: Facts) -> object:
        return sorted([*line] for line in zip(facts["goods"], facts["prices"], strict=True))

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        prices = table(self.shown(facts), "prices")
        names = rng.sample(sorted(prices), 3)
        a, b, _ = (prices[name] for name in names)
        # How many of each: those with a total that is not too large.
        counts = range(2, 5)
        times = rng.choice([n for n in counts if n * a + b <= TOTAL_MAX] or [2])
        mixed = [pair for pair in product(counts, counts) if pair[0] * a + pair[1] * b <= TOTAL_MAX]
        kinds = [kind for kind in self.asked if kind != "mixed" or mixed]
        kind = rng.choice([kind for kind in kinds if kind != "dearer" or a != b])
        # The names and numbers in the question.
        used = {"all": 3, "change": 1}.get(kind, 2)
        if kind == "dearer":
            names[:2] = sorted(names[:2], key=lambda name: prices[name], reverse=True)
        given: dict[str, Value] = dict(zip(("one", "two", "three"), names[:used], strict=False))
        if kind in ("several", "change"):
            given["times"] = times
        elif kind == "mixed":
            given["times"], given["more"] = rng.choice(mixed)
        if kind in ("change", "change_pair"):
            cost = times * a if kind == "change" else a + b
            given["paid"] = rng.choice([note for note in NOTES if note > cost][:2])
        return Question(kind, rng.choice(self.asked[kind]).format(**given), given)

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        prices, names = table(shown, "prices"), names_in(question)
        values = [prices[name] for name in names]
        single = one_by_one("one", names)
        readings = [single, [Read("all")]]
        if len(names) == 2:
            readings.insert(0, [Read("pair", names)])
        if question.kind == "pair":
            a, b = values
            return ways(readings, [total(a, b), total(b, a)])
        if question.kind == "all":
            a, b, c = values
            sums = [total(a, b, c), at_once(a, b, c), total(a, c, b), total(b, c, a)]
            add, add_last = total(a, b, c)
            between = Route((*single[:2], add, single[2], add_last))
            return [*ways(readings[::-1], sums), between]
        if question.kind == "dearer":
            a, b = values
            return ways(readings, [[Calc(f"{a}-{b}")]])
        if question.kind in ("several", "mixed"):
            return self._several(question, values, readings)
        return ways(readings, self._change(question, values))

    @staticmethod
    def _several(
        question: Question, values: Sequence[int], readings: Sequence[Sequence[Read]]
    ) -> list[Route]:
        """Return the routes to the price of several things of one sort and some of another."""
        a, b = values
        times, more = int(question.given["times"]), int(question.given.get("more", 1))
        first, second = Calc(f"{times}*{a}"), [Calc(f"{more}*{b}")][: more - 1]
        both = total(times * a, more * b)
        line = f"{first.left}+{second[0].left if second else b}"
        calculations = [[first, *second, *both], [Calc(line)]]
        if max(times, more) <= 4:
            one, two = [a] * times, [b] * more
            calculations += [[*at_once(*one), *at_once(*two), *both], at_once(*one, *two)]
        # Each price read right before it is used.
        read_a, read_b = readings[1]
        return [*ways(readings, calculations), Route((read_a, first, read_b, *second, *both))]

    @staticmethod
    def _change(question: Question, values: Sequence[int]) -> list[list[Calc]]:
        """Return the calculations of what one gets back."""
        paid, times = int(question.given["paid"]), int(question.given.get("times", 1))
        parts = [*values] * times
        back = Calc(f"{paid}-{sum(parts)}")
        # Add what is bought, or subtract one thing after the other.
        found = [
            [*total(*parts), back],
            [Calc(f"{paid}-({'+'.join(map(str, parts))})")],
            [Calc("-".join(map(str, (paid, *parts))))],
        ]
        if len(parts) > 2:
            found.append([*at_once(*parts), back])
        if len(parts) == 2:
            found.append([Calc(f"{paid}-{parts[0]}"), Calc(f"{paid - parts[0]}-{parts[1]}")])
        if len(values) > 1:
            return found
        # Several of one sort: multiply.
        cost = Calc(f"{times}*{values[0]}")
        return [[cost, back], [Calc(f"{paid}-{cost.left}")], *(found if times <= 4 else [])]
