"""Geometry: rectangles, polygons with letters."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from mathse.figures.canvas import Pen, outside, polar, rotate
from mathse.figures.items import (
    Calc,
    Facts,
    Family,
    Question,
    Read,
    Route,
    at_once,
    result,
    rule,
    total,
)
from mathse.figures.readings import Reading, Shown


class Rectangle(Family):
    """Lengths and area of a labelled rectangle. The drawn size says nothing about the labels."""

    name, subject = "rectangle", "geometry"
    shows = "A rectangle with width {width} and height {height}."
    readings = (
        Reading(
            "sides",
            "the width and the height",
            (
                "The width is {width} and the height is {height}.",
                "Width {width}, height {height}.",
                "The rectangle is {width} wide and {height} high.",
                "The height is {height} and the width is {width}.",
            ),
        ),
        Reading(
            "width",
            "the width",
            ("The width is {width}.", "The rectangle is {width} wide.", "Its width is {width}."),
        ),
        Reading(
            "height",
            "the height",
            (
                "The height is {height}.",
                "The rectangle is {height} high.",
                "Its height is {height}.",
            ),
        ),
    )
    constants = (2,)

    def facts(self, rng: random.Random, level: int) -> Facts:
        low, high = {1: (2, 60), 2: (61, 82), 3: (83, 99)}[level]
        longer = rng.randint(low, high)
        # The less of two, so that most perimeters stay short.
        shorter = min(rng.randint(2, longer), rng.randint(2, longer))
        width, height = rng.sample((longer, shorter), 2)
        return {"width": width, "height": height}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        half_w, half_h = rng.uniform(18, 34), rng.uniform(14, 32)
        centre = (56 + rng.uniform(-5, 5), 56 + rng.uniform(-5, 5))
        (left, top), (right, bottom) = [
            (centre[0] + sign * half_w, centre[1] + sign * half_h) for sign in (-1, 1)
        ]
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        corners = rotate(corners, math.radians(rng.choice((0, 0, 0, rng.uniform(-14, 14)))), centre)
        pen.polygon(corners)
        side = rng.choice((0, 2))
        pen.text(outside(corners[side], corners[side + 1], centre, 10), str(facts["width"]))
        side = rng.choice((1, 3))
        pen.text(outside(corners[side], corners[(side + 1) % 4], centre, 12), str(facts["height"]))

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        width, height = facts["width"], facts["height"]
        texts = {
            "perimeter": (
                "What is the perimeter of the rectangle?",
                "How long is the way around the rectangle?",
                "Find the perimeter of this rectangle.",
            ),
            "area": (
                "What is the area of the rectangle?",
                "Find the area of this rectangle.",
                "How large is the area of the rectangle?",
            ),
            "three": (
                "How long are one width and both heights together?",
                "One of the two widths is left out. How long are the other three sides together?",
            ),
            "longer": (
                "How much longer is the longer side than the shorter side?",
                "By how much do the width and the height differ?",
            ),
        }
        kinds = ["perimeter", "perimeter", "three", *["longer"] * (width != height)]
        kind = rng.choice(kinds)
        if width * height < 200 and rng.random() < 0.5:
            kind = "area"
        return Question(kind, rng.choice(texts[kind]))

    def routes(self, question: Question, shown: Mapping[str, Any]) -> list[Route]:
        w, h = shown["width"], shown["height"]
        both, wide, high = Read("sides"), Read("width"), Read("height")
        # One step, after the sides are read together or each on its own line.
        if question.kind == "area":
            areas = [rule(f"{w}*{h}", "the area"), rule(f"{h}*{w}", "the area")]
            return [Route((*seen, area)) for area in areas for seen in ((both,), (wide, high))]
        if question.kind == "longer":
            gap = Calc(f"{max(w, h)}-{min(w, h)}")
            return [Route((both, gap)), Route((wide, high, gap)), Route((high, wide, gap))]
        twice_w, twice_h = rule(f"2*{w}", "both widths"), rule(f"2*{h}", "both heights")
        # Three sides: added in several orders, or with both heights as a double.
        if question.kind == "three":
            return [
                Route((both, *total(w, h, h))),
                Route((both, twice_h, Calc(f"{w}+{2 * h}"))),
                Route((both, *total(h, h, w))),
                Route((both, *at_once(w, h, h))),
                Route((both, rule(f"{w}+2*{h}", "the three sides"))),
                Route((high, twice_h, wide, Calc(f"{2 * h}+{w}"))),
            ]
        # The perimeter: the sum doubled, the doubles added, or all four sides.
        twice = Calc(f"{2 * w}+{2 * h}")
        return [
            Route((both, *total(w, h), rule(f"2*{w + h}", "the perimeter"))),
            Route((both, twice_w, twice_h, twice)),
            Route((both, Calc(f"{w}+{w}"), Calc(f"{h}+{h}"), twice)),
            Route((both, *at_once(w, h, w, h))),
            Route((both, *at_once(w, w, h, h))),
            Route((both, rule(f"2*({w}+{h})", "the perimeter"))),
            Route((both, rule(f"2*{w}+2*{h}", "the perimeter"))),
            Route((both, *total(w, h), Calc(f"{w + h}+{w + h}"))),
            Route((both, *total(w, h, w, h))),
            Route((wide, twice_w, high, twice_h, twice)),
            Route((wide, high, *total(w, h), rule(f"2*{w + h}", "the perimeter"))),
        ]

    def canonical(self, facts: Facts) -> object:
        return sorted((facts["width"], facts["height"]))


class Polygon(Family):
    """The perimeter of a polygon with a letter on some sides: an expression, or its value."""

    name, subject = "polygon", "algebra"
    shows = "A polygon with sides {sides:list}."
    readings = (
        Reading(
            "sides",
            "the sides",
            (
                "The sides are {sides:list}.",
                "The polygon has the sides {sides:list}.",
                "Around the figure stand {sides:list}.",
            ),
        ),
        Reading(
            "letters",
            "the sides with {letter}",
            (
                "The letter {letter} stands on {count} sides.",
                "There are {count} sides with {letter}.",
                "{count} sides have the letter {letter}.",
            ),
        ),
    )
    statements = ("The perimeter is {left}.", "The way around is {left}.", "This makes {left}.")
    fixed = frozenset({"count"})

    def facts(self, rng: random.Random, level: int) -> Facts:
        forms = {1: ((1, 2), (1, 2), (2, 1)), 2: ((2, 2), (3, 1), (1, 3)), 3: ((3, 2), (2, 3))}
        letters, count = rng.choice(forms[level])
        numbers = sorted(rng.randint(2, {1: 35, 2: 45, 3: 60}[level]) for _ in range(count))
        return {"letter": rng.choice("xyab"), "letters": letters, "numbers": numbers}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        labels = [str(side) for side in self._sides(facts)]
        rng.shuffle(labels)
        turn, radius = rng.uniform(0, 2 * math.pi), rng.uniform(34, 40)
        centre, sides = (56.0, 56.0), range(len(labels))
        turns = [(side + rng.uniform(-0.12, 0.12)) * 2 * math.pi / len(labels) for side in sides]
        corners = [polar(centre, radius, turn + angle) for angle in turns]
        pen.polygon(corners)
        for one, other, label in zip(corners, [*corners[1:], corners[0]], labels, strict=True):
            pen.text(outside(one, other, centre, 11), label)

    def shown(self, facts: Facts) -> Shown:
        letter, count = facts["letter"], facts["letters"]
        return {"sides": self._sides(facts), "letter": letter, "count": count}

    @staticmethod
    def _sides(facts: Facts) -> list[str | int]:
        return [facts["letter"]] * facts["letters"] + [*facts["numbers"]]

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        letter, at = facts["letter"], rng.randint(2, 12)
        numbers = ["numbers"] * (len(facts["numbers"]) > 1)
        kind = rng.choice(["expression"] * 4 + ["value"] * 2 + numbers)
        texts = {
            "expression": (
                f"Write the perimeter of the figure with {letter}.",
                f"Which expression in {letter} gives the perimeter?",
                f"Give the way around the figure as an expression in {letter}.",
            ),
            "value": (
                f"How long is the perimeter for {letter}={at}?",
                f"Each side with {letter} is {at} long. How long is the way around the figure?",
            ),
            "numbers": (
                f"How long are the sides without {letter} together?",
                f"Leave the sides with {letter} out. How long are the others together?",
            ),
        }
        given = {"letter": letter, "at": at} if kind == "value" else {"letter": letter}
        answer_type = "expression" if kind == "expression" else "number"
        return Question(kind, rng.choice(texts[kind]), given, answer_type)

    def routes(self, question: Question, shown: Mapping[str, Any]) -> list[Route]:
        seen, numbers = Read("sides"), [n for n in shown["sides"] if isinstance(n, int)]
        sums = [total(*numbers)]
        sums += [total(*reversed(numbers))] if len(numbers) > 1 else []
        sums += [at_once(*numbers)] if len(numbers) > 2 else []
        if question.kind == "numbers":
            return [Route((seen, *way)) for way in sums]
        if question.kind == "value":
            return self._valued(int(question.given["at"]), shown["count"], numbers)
        letter, count = shown["letter"], shown["count"]
        # The letters: none to add where there is one; repeated sum, steps, product.
        front = result("+".join([letter] * count))
        letters: list[list[Read | Calc]] = [[*at_once(*[letter] * count)]]
        if count > 1:
            letters += [[Read("letters"), Calc(f"{count}*{letter}")]]
        if count > 2:
            letters += [[Calc(f"{letter}+{letter}"), Calc(f"2{letter}+{letter}")]]
        # Both in either order, or all at once.
        end = f"{front}+{sum(numbers)}"
        last = Calc(end, "reasoning", "the perimeter", self.statements)
        routes = [Route((seen, *some, *way, last)) for some in letters for way in sums]
        if count > 1 and len(numbers) > 1:
            routes += [Route((seen, *sums[0], *some, last)) for some in letters]
        equal = (f"{{left}}={end}.", f"So {{left}}={end}.", f"Then {{left}}={end}.")
        whole = "+".join(map(str, shown["sides"]))
        return [*routes, Route((seen, Calc(whole, "reasoning", "the perimeter", equal)), end)]

    @staticmethod
    def _valued(at: int, count: int, numbers: list[int]) -> list[Route]:
        """Return the ways to the perimeter where the letter stands for a number."""
        seen, letters, product = Read("sides"), Read("letters"), Calc(f"{count}*{at}")
        routes = [
            Route((seen, *total(*[at] * count, *numbers))),
            Route((seen, *at_once(*[at] * count, *numbers))),
            Route((seen, *total(*numbers, *[at] * count))),
        ]
        if count == 1:
            return routes
        plus = "".join(f"+{number}" for number in numbers)
        products = [
            Route((seen, letters, product, *total(count * at, *numbers))),
            Route((seen, letters, *total(*numbers), product, Calc(f"{sum(numbers)}+{count * at}"))),
            Route((letters, seen, Calc(f"{count}*{at}{plus}"))),
        ]
        return [*products, *routes]
