"""Geometry: angles of triangles, parts of a straight or a right angle."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

from mathse.figures.canvas import Pen, Point, polar
from mathse.figures.items import Calc, Facts, Family, Question, Read, Route, rule, total
from mathse.figures.readings import Reading, Shown


class Triangle(Family):
    """A triangle with two known angles: the third, the sum of the known, their difference."""

    name, subject = "triangle", "geometry"
    shows = "A triangle with angles {angles:list} and ?."
    readings = (
        Reading(
            "angles",
            "the known angles",
            (
                "The known angles are {angles:list}.",
                "The triangle has the angles {angles:list}.",
                "Two angles are {angles:list}.",
                "The figure shows the angles {angles:list}.",
            ),
        ),
    )
    constants = (180,)

    def facts(self, rng: random.Random, level: int) -> Facts:
        if level == 1:  # often in fives
            step = rng.choice((5, 1))
            a, b = (rng.randrange(20, 76, step) for _ in range(2))
        elif level == 2:
            b = rng.randint(76, 140)
            a = rng.randint(20, 160 - b)
        else:  # an angle smaller than any at the other levels
            a = rng.randint(3, 19)
            b = rng.randint(20, 160 - a)
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

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        texts = {
            "third": (
                "How many degrees is the angle marked with ?",
                "Find the missing angle of the triangle.",
                "How large is the third angle of the triangle?",
            ),
            "known": (
                "How many degrees are the two known angles together?",
                "What is the sum of the two known angles?",
            ),
            "gap": (
                "How many degrees larger is the larger of the two known angles?",
                "By how many degrees do the two known angles differ?",
            ),
        }
        a, b = facts["angles"]
        kind = rng.choice(["third"] * 4 + ["known"] + ["gap"] * (a != b))
        return Question(kind, rng.choice(texts[kind]), unit="degrees")

    def routes(self, question: Question, shown: Mapping[str, Any]) -> list[Route]:
        ways = {"third": _rest(180, shown["angles"], "the sum of the angles")}
        ways |= _known(shown["angles"])
        return [Route((Read("angles"), *way)) for way in ways[question.kind]]


class SplitAngle(Family):
    """A straight or a right angle split in two or three, one part unknown."""

    name, subject = "split_angle", "geometry"
    shows = "A {name} angle split into {known:list} and ?."
    readings = (
        Reading(
            "angles",
            "the angles",
            (
                "A {name} angle with a part of {known:list}.",
                "The {name} angle is split: {known:list} beside ?.",
                "In the {name} angle there is {known:list} beside ?.",
            ),
        ),
        Reading(
            "name",
            "the kind of angle",
            (
                "The whole angle is a {name} angle.",
                "A {name} angle is split.",
                "All parts together make a {name} angle.",
            ),
        ),
        Reading(
            "known",
            "the known parts",
            (
                "Beside ? there is {known:list}.",
                "Known: {known:list}.",
                "Next to ? stands {known:list}.",
            ),
        ),
    )
    constants = (180, 90)

    def facts(self, rng: random.Random, level: int) -> Facts:
        whole = rng.choice((180, 90))
        if level == 1 and rng.random() < 0.4:
            known = [rng.randint(15, whole - 10)]
        elif level == 1:  # often in fives
            whole, step = 180, rng.choice((5, 1))
            known = [rng.randrange(15, 69, step) for _ in range(2)]
        elif level == 2:
            larger = rng.randint(69, 155) if whole == 180 else rng.randint(15, 65)
            known = [larger, rng.randint(15, whole - 10 - larger)]
        else:  # a part smaller than any at the other levels
            smaller = rng.randint(3, 14)
            known = [smaller, rng.randint(15, whole - 10 - smaller)]
        return {"whole": whole, "known": sorted(known)}

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
        near, far = (0.5, 0.68) if half_turn else (0.55, 0.76)  # narrow parts need more room
        distance = length * (near if parts == 2 else far)
        for label, low, high in zip(labels, edges[:-1], edges[1:], strict=True):
            pen.text(ray((low + high) / 2, distance), label)

    def shown(self, facts: Facts) -> Shown:
        return {"name": self._name(facts), "known": facts["known"]}

    @staticmethod
    def _name(facts: Facts) -> str:
        return "straight" if facts["whole"] == 180 else "right"

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        texts = {
            "rest": (
                "How many degrees is the angle marked with ?",
                "Find the angle with the question mark.",
                f"How many degrees are left of the {self._name(facts)} angle for ?",
            ),
            "known": (
                "How many degrees are the two known parts together?",
                "What is the sum of the two known angles?",
            ),
            "gap": (
                "How many degrees larger is the larger of the two known parts?",
                "By how many degrees do the two known angles differ?",
            ),
        }
        kinds = ["rest"] * 4
        if len(facts["known"]) == 2:
            kinds += ["known"] + ["gap"] * (facts["known"][0] != facts["known"][1])
        kind = rng.choice(kinds)
        return Question(kind, rng.choice(texts[kind]), unit="degrees")

    def routes(self, question: Question, shown: Mapping[str, Any]) -> list[Route]:
        whole = 180 if shown["name"] == "straight" else 90
        seen: list[tuple[Read, ...]] = [(Read("angles"),)]
        if question.kind == "rest":
            ways = _rest(whole, shown["known"], "the whole angle")
            seen += [(Read("name"), Read("known")), (Read("known"), Read("name"))]
        else:
            ways = _known(shown["known"])[question.kind]
            seen += [(Read("known"),)]
        return [Route((*reads, *way)) for reads in seen for way in ways]


def _rest(whole: int, parts: list[int], about: str) -> list[list[Calc]]:
    """Return the ways to take one or two parts off a whole."""
    ways = [[*total(*parts), rule(f"{whole}-{sum(parts)}", about)]]
    if len(parts) == 2:
        a, b = parts
        ways += [
            [*total(b, a), rule(f"{whole}-{sum(parts)}", about)],
            [rule(f"{whole}-{a}", about), Calc(f"{whole - a}-{b}")],
            [rule(f"{whole}-{b}", about), Calc(f"{whole - b}-{a}")],
            [rule(f"{whole}-{a}-{b}", about)],
            [rule(f"{whole}-({a}+{b})", about)],
        ]
    return ways


def _known(parts: list[int]) -> dict[str, list[list[Calc]]]:
    """Return the ways to the sum and to the difference of two known parts."""
    if len(parts) < 2:
        return {}
    a, b = parts
    return {"known": [total(a, b), total(b, a)], "gap": [[Calc(f"{max(a, b)}-{min(a, b)}")]]}
