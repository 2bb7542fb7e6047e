"""Arithmetic: clocks and number lines."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from mathse.figures.canvas import SIZE, Pen, Point, polar
from mathse.figures.items import Calc, Facts, Family, Question, Read, Route, rule, ways
from mathse.figures.readings import Reading, Shown, Value, number

TICKS = 7
QUARTERS = (0, 15, 30, 45)
TURNS = {12: "the twelve hours", 60: "the sixty minutes"}


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
            orders, found = _moved(hour, count, 12, way, passed=bool(passed))
            stated = f"{found}:{minute:02d}"
            apart = [Route((Read("hour"), *steps, Read("minute")), stated) for steps in orders]
            return [*ways([[Read("time")]], orders, stated), *apart]
        orders, found = _moved(minute, count, 60, way, passed=bool(passed))
        hours: list[Calc] = []
        if passed:
            step = 1 if way == "later" else -1
            hours.append(Calc(f"{hour}{step:+d}", "reasoning", "the hour that changes"))
            hour += step
            if "noon" in passed:
                hours.append(rule(f"{hour}{-12 * step:+d}", TURNS[12]))
                hour -= 12 * step
        stated = f"{hour}:{found:02d}"
        routes = ways([[Read("time")]], [[*steps, *hours] for steps in orders], stated)
        for steps in orders:
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
        orders = [
            [first, rule(f"{plain}-{turn}", about)],
            [rule(f"{start}+{count}-{turn}", about)],
            [rule(f"{count}-({turn}-{start})", about)],
        ]
        return orders, plain - turn
    plain, first = start - count, Calc(f"{start}-{count}")
    if not passed:
        return [[first]], plain
    orders = [
        [first, rule(f"{plain}+{turn}", about)],
        [rule(f"{start}+{turn}", about), Calc(f"{start + turn}-{count}")],
        [rule(f"{start}+{turn}-{count}", about)],
        [Calc(f"{count}-{start}"), rule(f"{turn}-{count - start}", about)],
    ]
    return orders, plain + turn


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
        # A jump down ends above zero.
        if kind == "down" and facts[at] < 3:
            kind = "up"
        given: dict[str, Value] = {}
        if kind in ("up", "down"):
            most = 30 if kind == "up" else min(30, facts[at] - 1)
            given = {"by": rng.randint(2, most), "at": at.upper()}
        by, name = given.get("by"), at.upper()
        # Several wordings of each kind.
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
            return ways([both, apart], [[Calc(f"{max(p, q)}-{min(p, q)}")]])
        if question.kind == "sum":
            return ways([both, apart], [[Calc(f"{p}+{q}")], [Calc(f"{q}+{p}")]])
        by, at = number(question.given["by"]), str(question.given["at"]).lower()
        sign = "+" if question.kind == "up" else "-"
        return ways([[Read(at)], both], [[Calc(f"{number(shown[at])}{sign}{by}")]])
