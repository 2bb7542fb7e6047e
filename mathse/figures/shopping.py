"""Word problems: price lists."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

from mathse.figures.canvas import Pen
from mathse.figures.charts import TOTAL_MAX
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
from mathse.figures.readings import Reading, Shown, Value, table

GOODS = ("pen", "cup", "hat", "bag", "key", "fan")
NOTES = (20, 50, 100, 200)
"""What one pays with."""


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
