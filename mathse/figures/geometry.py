"""Geometry: rectangles, triangles, angles on a line, polygons with letters."""

from __future__ import annotations

import math
import random

from mathse.figures.canvas import Pen, Point, outside, polar, rotate
from mathse.figures.items import Facts, Family, Step, Worked, rule, see, solved, total, work


class Rectangle(Family):
    """Perimeter or area of a labelled rectangle. The drawn size says nothing about the labels."""

    name, subject = "rectangle", "geometry"
    shows = "A rectangle with width {width} and height {height}."

    def facts(self, rng: random.Random, level: int) -> Facts:
        low, high = {1: (2, 12), 2: (3, 25), 3: (26, 60)}[level]
        return {"width": rng.randint(low, high), "height": rng.randint(low, high)}

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

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        width, height = facts["width"], facts["height"]
        seen = see(f"The width is {width} and the height is {height}.", "the width and the height")
        if max(width, height) <= 12 and rng.random() < 0.5:
            asked = "What is the area of the rectangle?", "Find the area of this rectangle."
            area = rule(f"{width}*{height}={width * height}.", "the area")
            return solved(rng.choice(asked), seen, area)
        asked = (
            "What is the perimeter of the rectangle?",
            "How long is the way around the rectangle?",
        )
        half = width + height
        around = rule(f"2*{half}={2 * half}.", "the perimeter")
        return solved(rng.choice(asked), seen, *total(width, height), around)


class Triangle(Family):
    """The third angle of a triangle."""

    name, subject = "triangle", "geometry"
    shows = "A triangle with angles {angles[0]}, {angles[1]} and ?."

    def facts(self, rng: random.Random, level: int) -> Facts:
        step = 5 if level == 1 else 1
        while True:
            a, b = (rng.randrange(20, 110, step) for _ in range(2))
            if level == 3:
                a = rng.randrange(3, 20)
            if 180 - a - b >= 20:
                return {"angles": sorted((a, b))}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        turn = rng.uniform(0, 2 * math.pi)
        radius = rng.uniform(44, 52)
        centre = (56 + rng.uniform(-3, 3), 56 + rng.uniform(-3, 3))
        angles = [turn + corner * 2 * math.pi / 3 + rng.uniform(-0.25, 0.25) for corner in range(3)]
        corners = [polar(centre, radius, angle) for angle in angles]
        pen.polygon(corners)
        labels = [*map(str, facts["angles"]), "?"]
        rng.shuffle(labels)
        middle = (sum(x for x, _ in corners) / 3, sum(y for _, y in corners) / 3)
        for (x, y), label in zip(corners, labels, strict=True):
            pen.text((x + (middle[0] - x) * 0.5, y + (middle[1] - y) * 0.5), label, at_most=15)

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        a, b = facts["angles"]
        asked = (
            "How many degrees is the angle marked with ?",
            "Find the missing angle of the triangle.",
        )
        return solved(
            rng.choice(asked),
            see(f"The known angles are {a} and {b}.", "the known angles"),
            *total(a, b),
            rule(f"180-{a + b}={180 - a - b}.", "the sum of the angles"),
            unit="degrees",
        )


class SplitAngle(Family):
    """A straight or a right angle split in two, one part known."""

    name, subject = "split_angle", "geometry"

    def facts(self, rng: random.Random, level: int) -> Facts:
        whole = rng.choice((180, 90))
        step, count = 5 if level == 1 else 1, 2 if level == 3 else 1
        known = [rng.randrange(15, (whole - 10) // count, step) for _ in range(count)]
        return {"whole": whole, "known": known}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        half_turn = facts["whole"] == 180
        flip = rng.choice((-1, 1))
        x = 56 + rng.uniform(-4, 4) if half_turn else 56 - flip * 40
        y = (92 if half_turn else 96) + rng.uniform(-6, 4)
        length = 48 if half_turn else 78
        whole = math.pi if half_turn else math.pi / 2
        parts = len(facts["known"]) + 1
        cuts = [whole * (i + rng.uniform(-0.14, 0.14)) / parts for i in range(1, parts)]
        if half_turn:
            pen.line([(x - 50, y), (x + 50, y)])
        else:
            pen.line([(x, y - length), (x, y), (x + flip * length, y)])
            pen.line([(x, y - 7), (x + flip * 7, y - 7), (x + flip * 7, y)], width=1)

        def ray(angle: float, far: float) -> Point:
            return x + flip * far * math.cos(angle), y - far * math.sin(angle)

        for cut in cuts:
            pen.line([(x, y), ray(cut, length)])
        labels = [*map(str, facts["known"]), "?"]
        rng.shuffle(labels)
        edges = [0.0, *cuts, whole]
        for label, low, high in zip(labels, edges[:-1], edges[1:], strict=True):
            pen.text(ray((low + high) / 2, length * (0.5 if half_turn else 0.55)), label)

    def describe(self, facts: Facts) -> str:
        name = "straight" if facts["whole"] == 180 else "right"
        return f"A {name} angle split into {', '.join(map(str, facts['known']))} and ?."

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        whole, known = facts["whole"], facts["known"]
        name = "straight" if whole == 180 else "right"
        asked = (
            "How many degrees is the angle marked with ?",
            "Find the angle with the question mark.",
        )
        parts, rest = " and ".join(map(str, known)), whole - sum(known)
        seen = see(f"A {name} angle with a part of {parts}.", "the angles")
        last = rule(f"{whole}-{sum(known)}={rest}.", "the whole angle")
        return solved(rng.choice(asked), seen, *total(*known), last, unit="degrees")


class Polygon(Family):
    """The perimeter of a polygon with letters on some sides: the answer is an expression."""

    name, subject = "polygon", "algebra"

    def facts(self, rng: random.Random, level: int) -> Facts:
        forms = {1: ((1, 2), (2, 1)), 2: ((2, 2), (3, 1), (1, 3)), 3: ((3, 2), (2, 3))}
        letters, count = rng.choice(forms[level])
        letter, high = rng.choice("xyab"), 9 if level == 1 else 15
        numbers = sorted(rng.randint(2, high) for _ in range(count))
        return {"letter": letter, "letters": letters, "numbers": numbers}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        labels = self._sides(facts)
        rng.shuffle(labels)
        turn, radius = rng.uniform(0, 2 * math.pi), rng.uniform(34, 40)
        centre, sides = (56.0, 56.0), range(len(labels))
        turns = [(side + rng.uniform(-0.12, 0.12)) * 2 * math.pi / len(labels) for side in sides]
        corners = [polar(centre, radius, turn + angle) for angle in turns]
        pen.polygon(corners)
        for one, other, label in zip(corners, [*corners[1:], corners[0]], labels, strict=True):
            pen.text(outside(one, other, centre, 11), label)

    def describe(self, facts: Facts) -> str:
        return f"A polygon with sides {', '.join(self._sides(facts))}."

    @staticmethod
    def _sides(facts: Facts) -> list[str]:
        return [facts["letter"]] * facts["letters"] + [str(n) for n in facts["numbers"]]

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        letter, count, numbers = facts["letter"], facts["letters"], facts["numbers"]
        asked = (
            f"Write the perimeter of the figure with {letter}.",
            f"Which expression in {letter} gives the perimeter?",
        )
        front = letter if count == 1 else f"{count}{letter}"
        steps = [see(f"The sides are {', '.join(self._sides(facts))}.", "the sides")]
        if count > 1:
            steps.append(work(f"{'+'.join([letter] * count)}={front}."))
        last = Step(f"The perimeter is {front}+{sum(numbers)}.", "reasoning", "the perimeter")
        return solved(rng.choice(asked), *steps, *total(*numbers), last, kind="expression")
