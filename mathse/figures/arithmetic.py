"""Arithmetic and word problems: counting shapes, coins, clocks, number lines."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from mathse.figures.canvas import SIZE, Pen, Point, polar, scatter
from mathse.figures.items import Calc, Facts, Family, Question, Read, Route, at_once, rule, total
from mathse.figures.readings import Reading, Shown, Value

SHAPES = ("circle", "square", "triangle")
TICKS = 7
QUARTERS = (0, 15, 30, 45)
TURNS = {12: "the twelve hours", 60: "the sixty minutes"}


def number(part: object) -> int:
    """Return a part of `shown` or of a question's `given` that is a number."""
    assert isinstance(part, int)
    return part


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
        if kind == "more":
            if counts[one] == counts[two]:
                kind = "together"
            one, two = sorted((one, two), key=lambda name: counts[name], reverse=True)
        given: dict[str, Value] = {"one": one, "two": two}
        if kind == "all":
            given = {}
        elif kind == "other":
            given = {"one": one}
        elif kind == "goal":
            given = {"goal": sum(counts.values()) + rng.randint(2, 15)}
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
            return [*_after([[every], each], sums), *in_turn]
        one, two = str(question.given["one"]), str(question.given.get("two", ""))
        if question.kind == "other":
            left_out = number(counts[one])
            rest = [Calc(f"{whole}-{left_out}")]
            one, two = (name for name in SHAPES if name != one)
            ways = [
                [Calc(f"{counts[one]}+{counts[two]}")],
                [*total(*numbers), *rest],
                [*at_once(*numbers), *rest],
            ]
            return [
                *_after(_two(one, two), ways[:1]),
                *_after([[every]], ways),
                *_after([each], ways[1:]),
            ]
        sign = "-" if question.kind == "more" else "+"
        ways = [[Calc(f"{counts[one]}{sign}{counts[two]}")]]
        return _after([*_two(one, two), [every]], ways)


def _two(one: str, two: str) -> list[list[Read]]:
    """Return the ways to read the numbers of two sorts of shapes."""
    return [[Read("two", (one, two))], [Read("one", (one,)), Read("one", (two,))]]


def _after(
    readings: Sequence[Sequence[Read]], ways: Sequence[Sequence[Calc]], stated: str = ""
) -> list[Route]:
    """Return each way after each of several readings, the first reading of the first way first."""
    return [Route((*read, *way), stated) for way in ways for read in readings]


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
        kinds = ["all", "all", "need"]
        kinds += ["spend", "spend"] if whole > 5 else []
        kinds += ["apart"] if coins[0] > coins[-1] else []
        kinds += ["largest"] if len(coins) > 2 else []
        kind = rng.choice(kinds)
        given: dict[str, Value] = {}
        if kind == "spend":
            given = {"spent": rng.randint(2, min(whole - 1, 30))}
        elif kind == "need":
            given = {"price": whole + rng.randint(2, 30)}
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
        ways: list[list[Calc]] = []
        if kind == "spend":
            spent = number(question.given["spent"])
            last, ways = [Calc(f"{whole}-{spent}")], [[Calc(f"{plus}-{spent}")]]
        elif kind == "need":
            price = number(question.given["price"])
            last = [Calc(f"{price}-{whole}")]
            ways = [[Calc(f"{price}-({plus})")], [Calc(f"{price}-{plus.replace('+', '-')}")]]
            if len(coins) < 4:  # in the twins of more coins the price is seldom enough
                ends = [price - sum(coins[:index]) for index in range(len(coins))]
                pairs = zip(ends, coins, strict=True)
                ways.append([Calc(f"{end}-{coin}") for end, coin in pairs])
        return _after([[read]], [*([*steps, *last] for steps in sums), *ways])


class Clock(Family):
    """A clock face and some hours or minutes to go."""

    name, subject = "clock", "arithmetic"
    shows = "A clock at {hour}:{minute:02}."
    readings = (
        Reading(
            "time",
            "the time on the clock",
            (
                "The clock shows {hour}:{minute:02}.",
                "The time on the clock is {hour}:{minute:02}.",
                "The hands show {hour}:{minute:02}.",
                "It is {hour}:{minute:02} now.",
            ),
        ),
        Reading(
            "hour",
            "the hour on the clock",
            ("The hour is {hour}.", "The hour hand shows {hour}.", "The short hand gives {hour}."),
        ),
        Reading(
            "minute",
            "the minutes on the clock",
            (
                "The minutes are {minute}.",
                "The minute hand shows {minute}.",
                "The long hand gives {minute}.",
            ),
        ),
    )
    constants = (1, 12, 60)

    def facts(self, rng: random.Random, level: int) -> Facts:
        hour = rng.randint(1, 12)
        minutes: Sequence[int] = QUARTERS
        if level > 1:  # each hour and each minute is at both levels, but not together
            fives = [minute for minute in range(5, 60, 5) if minute not in QUARTERS]
            minutes = [minute for minute in fives if (hour + minute // 5 + level) % 2]
        return {"hour": hour, "minute": rng.choice(minutes), "level": level}

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

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        hour, minute, hard = facts["hour"], facts["minute"], facts["level"] == 3
        way = rng.choice(("later", "earlier"))
        if minute == 0 or rng.random() < 0.65:
            name, count = "hours", rng.choice(range(6, 12) if hard else range(2, 6))
        else:
            name, count = "minutes", rng.choice(range(35, 60, 5) if hard else range(5, 35, 5))
        asked = {
            "later": (
                f"What time will it be in {count} {name}?",
                f"Which time does the clock show {count} {name} later?",
                f"In {count} {name} a film starts. At what time is that?",
            ),
            "earlier": (
                f"What time was it {count} {name} ago?",
                f"Which time did the clock show {count} {name} earlier?",
                f"A film began {count} {name} ago. At what time was that?",
            ),
        }[way]
        passed = _passed(name, way, hour, minute, count)
        kind = " ".join((name, way, *passed))
        return Question(kind, rng.choice(asked), {"count": count}, "text")

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        hour, minute = number(shown["hour"]), number(shown["minute"])
        count, (name, way, *passed) = number(question.given["count"]), question.kind.split()
        if name == "hours":
            ways, found = _moved(hour, count, 12, way, passed=bool(passed))
            stated = f"{found}:{minute:02d}"
            apart = [Route((Read("hour"), *steps, Read("minute")), stated) for steps in ways]
            return [*_after([[Read("time")]], ways, stated), *apart]
        ways, found = _moved(minute, count, 60, way, passed=bool(passed))
        hours: list[Calc] = []
        if passed:
            step = 1 if way == "later" else -1
            hours.append(Calc(f"{hour}{step:+d}", "reasoning", "the hour that changes"))
            hour += step
            if "noon" in passed:
                hours.append(rule(f"{hour}{-12 * step:+d}", TURNS[12]))
                hour -= 12 * step
        stated = f"{hour}:{found:02d}"
        routes = _after([[Read("time")]], [[*steps, *hours] for steps in ways], stated)
        for steps in ways:
            routes.append(Route((Read("minute"), *steps, Read("hour"), *hours), stated))
            if hours:
                routes.append(Route((Read("time"), *hours, *steps), stated))
        return routes


def _passed(name: str, way: str, hour: int, minute: int, count: int) -> list[str]:
    """Return what the hands pass on their way: the full hour, and noon or midnight.

    It is a part of a question's kind, so that twins pass the same with numbers of any size.
    """
    if name == "hours":
        return ["noon"] if not 1 <= hour + (count if way == "later" else -count) <= 12 else []
    if 0 <= minute + (count if way == "later" else -count) < 60:
        return []
    return ["hour", "noon"] if hour == (12 if way == "later" else 1) else ["hour"]


def _moved(
    start: int, count: int, turn: int, way: str, *, passed: bool
) -> tuple[list[list[Calc]], int]:
    """Return the ways to an hour or a minute, and that hour or minute.

    Args:
        start: the hour or minute on the clock.
        count: the hours or minutes to go.
        turn: how many hours or minutes make a turn of the hand.
        way: `later` or `earlier`.
        passed: True if the hand passes the end of a turn.
    """
    about = TURNS[turn]
    if way == "later":
        plain, first = start + count, Calc(f"{start}+{count}")
        if not passed:
            return [[first]], plain
        ways = [
            [first, rule(f"{plain}-{turn}", about)],
            [rule(f"{start}+{count}-{turn}", about)],
            [rule(f"{count}-({turn}-{start})", about)],
        ]
        return ways, plain - turn
    plain, first = start - count, Calc(f"{start}-{count}")
    if not passed:
        return [[first]], plain
    ways = [
        [first, rule(f"{plain}+{turn}", about)],
        [rule(f"{start}+{turn}", about), Calc(f"{start + turn}-{count}")],
        [rule(f"{start}+{turn}-{count}", about)],
        [Calc(f"{count}-{start}"), rule(f"{turn}-{count - start}", about)],
    ]
    return ways, plain + turn


class NumberLine(Family):
    """Two points on a number line, lying or standing, every other tick labelled."""

    name, subject = "number_line", "arithmetic"
    shows = "A number line from {start} to {end}. P is {p}, Q is {q}."
    readings = (
        Reading(
            "both",
            "the points P and Q",
            (
                "P is {p} and Q is {q}.",
                "P stands at {p} and Q at {q}.",
                "The points are P at {p} and Q at {q}.",
            ),
        ),
        Reading("p", "the point P", ("P is {p}.", "P stands at {p}.", "The point P is at {p}.")),
        Reading("q", "the point Q", ("Q is {q}.", "Q stands at {q}.", "The point Q is at {q}.")),
    )

    def facts(self, rng: random.Random, level: int) -> Facts:
        pitch = rng.choice({1: (1, 2), 2: (3, 4, 5), 3: (6, 7, 8, 9, 10, 11, 12)}[level])
        start = rng.randint(0, {1: 40, 2: 60, 3: 99 - (TICKS - 1) * pitch}[level])
        p, q = rng.sample(range(TICKS) if start else range(1, TICKS), 2)
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

    def shown(self, facts: Facts) -> Shown:
        end = facts["start"] + (TICKS - 1) * facts["pitch"]
        return {"start": facts["start"], "end": end, "p": facts["p"], "q": facts["q"]}

    def canonical(self, facts: Facts) -> object:
        return [facts["start"], facts["pitch"], *sorted((facts["p"], facts["q"]))]

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        at = rng.choice("pq")
        kind = rng.choice(("apart", "apart", "sum", "sum", "up", "down"))
        if kind == "down" and facts[at] < 3:
            kind = "up"
        given: dict[str, Value] = {}
        if kind in ("up", "down"):
            most = 30 if kind == "up" else min(30, facts[at] - 1)
            given = {"by": rng.randint(2, most), "at": at.upper()}
        by, name = given.get("by"), at.upper()
        text = rng.choice(
            {
                "apart": (
                    "How far apart are P and Q?",
                    "What is the distance from P to Q?",
                    "How long is the way from P to Q?",
                ),
                "sum": (
                    "What is the sum of P and Q?",
                    "Add the numbers at P and Q.",
                    "How much are the numbers at P and Q together?",
                ),
                "up": (
                    f"Which number is {by} more than {name}?",
                    f"A frog at {name} jumps {by} towards larger numbers. Where does it land?",
                ),
                "down": (
                    f"Which number is {by} less than {name}?",
                    f"A frog at {name} jumps {by} towards smaller numbers. Where does it land?",
                ),
            }[kind]
        )
        return Question(kind, text, given)

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        p, q = number(shown["p"]), number(shown["q"])
        both, apart = [Read("both")], [Read("p"), Read("q")]
        if question.kind == "apart":
            return _after([both, apart], [[Calc(f"{max(p, q)}-{min(p, q)}")]])
        if question.kind == "sum":
            return _after([both, apart], [[Calc(f"{p}+{q}")], [Calc(f"{q}+{p}")]])
        by, at = number(question.given["by"]), str(question.given["at"]).lower()
        sign = "+" if question.kind == "up" else "-"
        return _after([[Read(at)], both], [[Calc(f"{number(shown[at])}{sign}{by}")]])
