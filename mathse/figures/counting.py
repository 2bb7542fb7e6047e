"""Arithmetic and word problems: shapes to count, coins."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from mathse.figures.canvas import Pen, polar, scatter
from mathse.figures.items import Calc, Facts, Family, Question, Read, Route, at_once, total, ways
from mathse.figures.readings import Reading, Shown, Value, number

SHAPES = ("circle", "square", "triangle")


class Shapes(Family):
    """Circles, squares and triangles to count."""

    name, subject = "shapes", "arithmetic"
    shows = "Shapes: {counts:plurals}."
    readings = (
        Reading(
            "all",
            "the numbers of shapes",
            (
                "There are {counts:plurals}.",
                "The figure shows {counts:plurals}.",
                "Counting the shapes gives {counts:plurals}.",
            ),
        ),
        Reading(
            "two",
            "the {counts:key1}s and {counts:key2}s",
            (
                "The {counts:key1}s are {counts:value1} and the {counts:key2}s are "
                "{counts:value2}.",
                "Of the {counts:key1}s there are {counts:value1}, of the {counts:key2}s "
                "{counts:value2}.",
                "I count {counts:value1} for the {counts:key1}s and {counts:value2} for the "
                "{counts:key2}s.",
            ),
        ),
        Reading(
            "one",
            "the {counts:key1}s",
            (
                "The {counts:key1}s are {counts:value1}.",
                "Of the {counts:key1}s there are {counts:value1}.",
                "The number of {counts:key1}s is {counts:value1}.",
            ),
        ),
    )

    def facts(self, rng: random.Random, level: int) -> Facts:
        low, high = {1: (1, 5), 2: (1, 8), 3: (3, 10)}[level]
        while True:
            counts = [rng.randint(low, high) for _ in SHAPES]
            whole = sum(counts)
            if level == 1 or (whole <= 15 and max(counts) > 5 if level == 2 else 15 < whole < 25):
                return {"counts": counts}

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

    def shown(self, facts: Facts) -> Shown:
        return {"counts": dict(zip(SHAPES, facts["counts"], strict=True))}

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        counts = dict(zip(SHAPES, facts["counts"], strict=True))
        one, two = rng.sample(SHAPES, 2)
        kind = rng.choice(("all", "all", "together", "together", "more", "more", "other", "goal"))
        # There is more of the first one; two equal numbers are added instead.
        if kind == "more":
            if counts[one] == counts[two]:
                kind = "together"
            one, two = sorted((one, two), key=lambda name: counts[name], reverse=True)
        # What the question names: shapes, or a goal that is above their sum.
        given: dict[str, Value] = {"one": one, "two": two}
        if kind == "all":
            given = {}
        elif kind == "other":
            given = {"one": one}
        elif kind == "goal":
            given = {"goal": sum(counts.values()) + rng.randint(2, 15)}
        # Several wordings of each kind.
        text = rng.choice(
            {
                "all": (
                    "How many shapes are there in all?",
                    "Count all the shapes.",
                    "What is the number of all shapes?",
                ),
                "together": (
                    f"How many {one}s and {two}s are there together?",
                    f"Count the {one}s and the {two}s.",
                    f"What is the number of {one}s and {two}s?",
                ),
                "more": (
                    f"How many more {one}s than {two}s are there?",
                    f"By how many do the {one}s outnumber the {two}s?",
                    f"How much greater is the number of {one}s than the number of {two}s?",
                ),
                "other": (
                    f"How many shapes are not {one}s?",
                    f"Leave out the {one}s. How many shapes remain?",
                ),
                "goal": (
                    f"How many shapes must be added to make {given.get('goal')}?",
                    f"How many shapes are missing from {given.get('goal')}?",
                ),
            }[kind]
        )
        return Question(kind, text, given)

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        counts = shown["counts"]
        assert isinstance(counts, Mapping)
        numbers = [number(counts[name]) for name in SHAPES]
        whole, each, every = sum(numbers), [Read("one", (name,)) for name in SHAPES], Read("all")
        # All shapes, added in turn or at once. Up to a goal: less their sum, or less each number.
        if question.kind in ("all", "goal"):
            goal = number(question.given.get("goal", whole))
            rest = [] if question.kind == "all" else [Calc(f"{goal}-{whole}")]
            a, b, c = numbers
            sums: list[list[Calc]] = [[*total(a, b, c), *rest], [*at_once(a, b, c), *rest]]
            if rest:
                sums += [
                    [Calc(f"{goal}-{a}"), Calc(f"{goal - a}-{b}"), Calc(f"{goal - a - b}-{c}")],
                    [Calc(f"{goal}-{a}-{b}-{c}")],
                    [Calc(f"{goal}-({a}+{b}+{c})")],
                ]
            in_turn = [Route((*each[:2], steps[0], each[2], *steps[1:])) for steps in sums[:1]]
            return [*ways([[every], each], sums), *in_turn]
        one, two = str(question.given["one"]), str(question.given.get("two", ""))
        # All but one sort: the two others added, or the one subtracted from the sum.
        if question.kind == "other":
            left_out = number(counts[one])
            rest = [Calc(f"{whole}-{left_out}")]
            one, two = (name for name in SHAPES if name != one)
            orders = [
                [Calc(f"{counts[one]}+{counts[two]}")],
                [*total(*numbers), *rest],
                [*at_once(*numbers), *rest],
            ]
            return [
                *ways(_two(one, two), orders[:1]),
                *ways([[every]], orders),
                *ways([each], orders[1:]),
            ]
        # Two sorts compared or added.
        sign = "-" if question.kind == "more" else "+"
        orders = [[Calc(f"{counts[one]}{sign}{counts[two]}")]]
        return ways([*_two(one, two), [every]], orders)


def _two(one: str, two: str) -> list[list[Read]]:
    """Return the ways to read the numbers of two sorts of shapes."""
    return [[Read("two", (one, two))], [Read("one", (one,)), Read("one", (two,))]]


class Coins(Family):
    """Coins with their values written on them."""

    name, subject = "coins", "word problems"
    shows = "Coins: {coins:list}."
    readings = (
        Reading(
            "coins",
            "the coins",
            (
                "The coins are {coins:list}.",
                "There are coins of {coins:list}.",
                "The numbers on the coins are {coins:list}.",
                "I see the coins {coins:list}.",
            ),
        ),
    )

    def facts(self, rng: random.Random, level: int) -> Facts:
        high = {1: 20, 2: 40, 3: 60}[level]
        while True:
            count = rng.choice({1: (2, 3, 3), 2: (3, 4), 3: (5,)}[level])
            coins = sorted((rng.randint(1, high) for _ in range(count)), reverse=True)
            if sum(coins) < 200 and (level != 2 or coins[0] > 20):
                return {"coins": coins}

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

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        coins = facts["coins"]
        whole = sum(coins)
        # Kinds that suit the coins: something is left, the coins differ, two are not all of them.
        kinds = ["all", "all", "need"]
        kinds += ["spend", "spend"] if whole > 5 else []
        kinds += ["apart"] if coins[0] > coins[-1] else []
        kinds += ["largest"] if len(coins) > 2 else []
        kind = rng.choice(kinds)
        # What is spent is less than there is, and a price is more.
        given: dict[str, Value] = {}
        if kind == "spend":
            given = {"spent": rng.randint(2, min(whole - 1, 30))}
        elif kind == "need":
            given = {"price": whole + rng.randint(2, 30)}
        # Several wordings of each kind.
        text = rng.choice(
            {
                "all": (
                    "How much money is this in all?",
                    "Anna has these coins. How much does she have?",
                    "What is the sum of all the coins?",
                ),
                "spend": (
                    f"Leo has these coins and spends {given.get('spent')}. How much is left?",
                    f"How much of this money remains after paying {given.get('spent')}?",
                ),
                "need": (
                    f"Mia has these coins and needs {given.get('price')}. How much is missing?",
                    f"How much must be added to these coins to have {given.get('price')}?",
                ),
                "apart": (
                    "How much more is the largest coin than the smallest?",
                    "By how much does the largest coin exceed the smallest one?",
                ),
                "largest": (
                    "How much are the two largest coins together?",
                    "Ben takes the two largest coins. How much does he take?",
                ),
            }[kind]
        )
        return Question(kind, text, given)

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        listed = shown["coins"]
        assert isinstance(listed, Sequence)
        coins = [*map(number, listed)]  # from the largest: in twins equal coins differ
        read, whole, kind = Read("coins"), sum(coins), question.kind
        if kind == "apart":
            return [Route((read, Calc(f"{coins[0]}-{coins[-1]}")))]
        if kind == "largest":
            return [Route((read, Calc(f"{coins[0]}+{coins[1]}")))]
        sums = [total(*coins), total(*reversed(coins)), at_once(*coins)]
        if len(coins) == 2:
            sums.pop()
        plus = "+".join(map(str, coins))
        last: list[Calc] = []
        orders: list[list[Calc]] = []
        if kind == "spend":
            spent = number(question.given["spent"])
            last, orders = [Calc(f"{whole}-{spent}")], [[Calc(f"{plus}-{spent}")]]
        elif kind == "need":
            price = number(question.given["price"])
            last = [Calc(f"{price}-{whole}")]
            orders = [[Calc(f"{price}-({plus})")], [Calc(f"{price}-{plus.replace('+', '-')}")]]
            if len(coins) < 4:  # in the twins of more coins the price is seldom enough
                ends = [price - sum(coins[:index]) for index in range(len(coins))]
                pairs = zip(ends, coins, strict=True)
                orders.append([Calc(f"{end}-{coin}") for end, coin in pairs])
        return ways([[read]], [*([*steps, *last] for steps in sums), *orders])
