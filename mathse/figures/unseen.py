"""Families that no model is ever trained on: half of what `eval_hard` asks."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from itertools import permutations
from typing import Any

from mathse.figures.algebra import draw_balance
from mathse.figures.canvas import Pen
from mathse.figures.items import Calc, Facts, Family, Question, Read, Route, at_once, rule, total
from mathse.figures.readings import Reading, Shown


class DoubleBalance(Family):
    """A balance with the unknown weight twice."""

    name, subject = "double_balance", "algebra"
    shows = "A balance with {times}x+{added}={weight}."
    readings = (
        Reading(
            "weights",
            "the weights on the balance",
            (
                "The balance shows {times}x+{added}={weight}.",
                "One pan has {times}x+{added}, the other has {weight}.",
                "The pans are {times}x+{added} and {weight}.",
            ),
        ),
    )
    statements = ("2x={left}.", "x={left}.")
    fixed = frozenset({"times"})

    def facts(self, rng: random.Random, level: int) -> Facts:
        x = rng.randint(1, 48)
        added = rng.randint(1, 99 - 2 * x)
        return {"added": added, "weight": 2 * x + added}

    def draw(self, facts: Facts, pen: Pen) -> None:
        draw_balance(pen, f"2x+{facts['added']}", str(facts["weight"]))

    def shown(self, facts: Facts) -> Shown:
        return {"times": 2, "added": facts["added"], "weight": facts["weight"]}

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        texts = {
            "one": ("How heavy is x?", "The pans balance. Find x."),
            "both": ("How heavy are both x together?", "What do the two x weigh together?"),
        }
        kind = rng.choice(("one", "one", "both"))
        return Question(kind, rng.choice(texts[kind]))

    def routes(self, question: Question, shown: Mapping[str, Any]) -> list[Route]:
        times, added, weight = shown["times"], shown["added"], shown["weight"]
        seen, difference = Read("weights"), Calc(f"{weight}-{added}")
        moved = Calc(difference.left, "reasoning", "how both x are found", self.statements[:1])
        if question.kind == "both":
            return [Route((seen, difference)), Route((seen, moved, difference))]
        half = Calc(f"{weight - added}/{times}", "reasoning", "half of the weight")
        whole = Calc(f"({weight}-{added})/{times}", "reasoning", "half of the weight")
        found = Calc(whole.left, "reasoning", "how x is found", self.statements[1:])
        return [
            Route((seen, difference, half)),
            Route((seen, moved, difference, half)),
            Route((seen, whole)),
            Route((seen, found, difference, half)),
        ]


class Cuboid(Family):
    """The volume and the edges of a labelled box."""

    name, subject = "cuboid", "geometry"
    shows = "A box with edges {edges:list}."
    readings = (
        Reading(
            "edges",
            "the edges",
            (
                "The edges are {edges:list}.",
                "The box has the edges {edges:list}.",
                "At the edges stand {edges:list}.",
            ),
        ),
    )
    constants = (4,)

    def facts(self, rng: random.Random, level: int) -> Facts:
        edges = [rng.randint(2, 30) for _ in range(3)]
        if rng.random() < 0.6:  # a small volume
            a, b = rng.randint(2, 6), rng.randint(2, 6)
            edges = rng.sample((a, b, rng.randint(2, max(6, min(30, 200 // (a * b))))), 3)
        return {"edges": edges}

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

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        texts = {
            "volume": ("What is the volume of the box?", "Find the volume of this box."),
            "edges": (
                "How long are all edges of the box together?",
                "What is the total length of all edges of the box?",
            ),
        }
        small = math.prod(facts["edges"]) <= 216
        kind = rng.choice(("volume",) * 4 + ("edges",)) if small else "edges"
        return Question(kind, rng.choice(texts[kind]))

    def routes(self, question: Question, shown: Mapping[str, Any]) -> list[Route]:
        seen, edges = Read("edges"), shown["edges"]
        orders = [*permutations(edges)]
        if question.kind == "volume":
            steps = [
                Route((seen, Calc(f"{a}*{b}"), rule(f"{a * b}*{c}", "the volume")))
                for a, b, c in orders
            ]
            return [*steps, Route((seen, rule("*".join(map(str, edges)), "the volume")))]
        four = [rule(f"4*{edge}", "the equal edges") for edge in edges]
        one_by_one = total(*(4 * edge for edge in edges))
        last, written = rule(f"4*{sum(edges)}", "all edges"), "+".join(map(str, edges))
        return [
            *(Route((seen, *total(*order), last)) for order in orders),
            Route((seen, *at_once(*edges), last)),
            Route((seen, *four, *one_by_one)),
            Route((seen, *four, *at_once(*(4 * edge for edge in edges)))),
            Route((seen, rule(f"4*({written})", "all edges"))),
        ]

    def canonical(self, facts: Facts) -> object:
        return sorted(facts["edges"])


class JoinedBars(Family):
    """A stacked bar with three labelled parts, which belong to one total."""

    name, subject = "stacked_bar", "statistics"
    shows = "A stacked bar: {parts:list}."
    readings = (
        Reading(
            "parts",
            "the parts",
            (
                "The parts are {parts:list}.",
                "The bar has the parts {parts:list}.",
                "In the bar stand {parts:list}.",
            ),
        ),
    )

    def facts(self, rng: random.Random, level: int) -> Facts:
        return {"parts": [rng.randint(2, 60) for _ in range(3)]}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        left, right = rng.uniform(30, 40), rng.uniform(72, 84)
        y = 106.0
        for part in facts["parts"]:
            height = rng.uniform(26, 33)
            pen.box((left, y - height, right, y), width=1)
            pen.text(((left + right) / 2, y - height / 2), str(part))
            y -= height

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        texts = {
            "total": (
                "What is the total of the stacked bar?",
                "How much are all parts of the bar together?",
            ),
            "less": (
                "What is the total of the bar without its largest part?",
                "Leave the largest part out. How much are the others together?",
            ),
        }
        kind = rng.choice(("total", "less"))
        return Question(kind, rng.choice(texts[kind]))

    def routes(self, question: Question, shown: Mapping[str, Any]) -> list[Route]:
        seen, parts = Read("parts"), shown["parts"]
        orders = [total(*order) for order in permutations(parts)]
        if question.kind == "total":
            return [Route((seen, *way)) for way in (*orders, at_once(*parts))]
        low, middle, high = sorted(parts)
        last = Calc(f"{sum(parts)}-{high}")
        return [
            Route((seen, *total(middle, low))),
            Route((seen, *total(low, middle))),
            *(Route((seen, *way, last)) for way in (*orders, at_once(*parts))),
        ]

    def canonical(self, facts: Facts) -> object:
        return sorted(facts["parts"])
