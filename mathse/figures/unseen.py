"""Families that no model is ever trained on: half of what `eval_hard` asks."""

from __future__ import annotations

import random

from mathse.figures.algebra import draw_balance
from mathse.figures.canvas import Pen
from mathse.figures.items import (
    Facts,
    Family,
    Step,
    Worked,
    difference,
    product,
    rule,
    see,
    solved,
    total,
)


class DoubleBalance(Family):
    """A balance with the unknown weight twice."""

    name, subject = "double_balance", "algebra"
    shows = "A balance with 2x+{added}={weight}."

    def facts(self, rng: random.Random, level: int) -> Facts:
        x, added = rng.randint(1, 12), rng.randint(1, 15)
        return {"added": added, "weight": 2 * x + added}

    def draw(self, facts: Facts, pen: Pen) -> None:
        draw_balance(pen, f"2x+{facts['added']}", str(facts["weight"]))

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        added, weight = facts["added"], facts["weight"]
        double = weight - added
        return solved(
            "How heavy is x?",
            see(f"The balance shows 2x+{added}={weight}.", "the weights on the balance"),
            difference(weight, added),
            Step(f"{double}/2={double // 2}.", "reasoning", "half of the weight"),
        )


class Cuboid(Family):
    """The volume of a labelled box."""

    name, subject = "cuboid", "geometry"
    shows = "A box with edges {edges[0]}, {edges[1]} and {edges[2]}."

    def facts(self, rng: random.Random, level: int) -> Facts:
        return {"edges": [rng.randint(2, 6) for _ in range(3)]}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        left, top = rng.uniform(18, 24), rng.uniform(32, 40)
        width, height, depth = rng.uniform(38, 50), rng.uniform(36, 48), rng.uniform(16, 22)
        right, bottom = left + width, top + height
        front = [(left, top), (right, top), (right, bottom), (left, bottom)]
        back = [(x + depth, y - depth) for x, y in front]
        pen.polygon(front)
        pen.line([front[0], back[0], back[1], back[2], front[2]])
        pen.line([front[1], back[1]])
        a, b, c = facts["edges"]
        pen.text((left + width / 2, top + height + 9), str(a))
        pen.text((left - 9, top + height / 2), str(b))
        pen.text((left + width + depth / 2 + 8, top + height - depth / 2 + 6), str(c))

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        a, b, c = facts["edges"]
        return solved(
            "What is the volume of the box?",
            see(f"The edges are {a}, {b} and {c}.", "the edges"),
            product(a, b),
            rule(f"{a * b}*{c}={a * b * c}.", "the volume"),
        )


class JoinedBars(Family):
    """A stacked bar with two labelled parts; both parts belong to one total."""

    name, subject = "stacked_bar", "statistics"
    shows = "A stacked bar: {parts[0]}, {parts[1]}, {parts[2]}."

    def facts(self, rng: random.Random, level: int) -> Facts:
        return {"parts": [rng.randint(2, 20) for _ in range(3)]}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        left, right = rng.uniform(30, 40), rng.uniform(72, 84)
        y = 106.0
        for part in facts["parts"]:
            height = rng.uniform(26, 33)
            pen.box((left, y - height, right, y), width=1)
            pen.text(((left + right) / 2, y - height / 2), str(part))
            y -= height

    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        a, b, c = facts["parts"]
        seen = see(f"The parts are {a}, {b} and {c}.", "the parts")
        return solved("What is the total of the stacked bar?", seen, *total(a, b, c))
