"""Algebra: balances, function machines, sequences."""

from __future__ import annotations

import random

from mathse.figures.canvas import Pen
from mathse.figures.items import Calc, Facts, Family, Question, Read, Route, at_once, total
from mathse.figures.readings import Reading, Shown, Value, number

TERMS = 3
"""How many numbers of a sequence are written."""


class Balance(Family):
    """A balance with an unknown weight x on one pan."""

    name, subject = "balance", "algebra"
    shows = "A balance with x+{added}={weight}."
    readings = (
        Reading(
            "balance",
            "the weights on the balance",
            (
                "The balance shows x+{added}={weight}.",
                "On the pans are x+{added} and {weight}.",
                "One pan carries x and {added}, the other {weight}.",
                "The weight {weight} balances x+{added}.",
            ),
        ),
    )
    statements = ("x={left}.", "So x={left}.", "Then x={left}.")
    fixed = frozenset({"given times"})

    def facts(self, rng: random.Random, level: int) -> Facts:
        weight = rng.randint(*{1: (2, 60), 2: (61, 82), 3: (83, 99)}[level])
        return {"added": rng.randint(1, weight - 1), "weight": weight}

    def draw(self, facts: Facts, pen: Pen) -> None:
        unknown = f"x+{facts['added']}" if pen.rng.random() < 0.5 else f"{facts['added']}+x"
        draw_balance(pen, unknown, str(facts["weight"]))

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        x = facts["weight"] - facts["added"]
        times = [count for count in (2, 3, 4) if count * x < 200]
        kind = rng.choice(("x", "x", "x", "several", "with"))
        given: dict[str, Value] = {}
        if kind == "several":
            given = {"times": rng.choice(times)}
        elif kind == "with":
            given = {"more": rng.randint(2, 30)}
        text = rng.choice(
            {
                "x": ("How heavy is x?", "The pans balance. Find x.", "What does x weigh?"),
                "several": (
                    f"How heavy are {given.get('times')} weights of x together?",
                    f"What do {given.get('times')} things as heavy as x weigh?",
                ),
                "with": (
                    f"How heavy is x together with {given.get('more')}?",
                    f"What do x and a weight of {given.get('more')} weigh together?",
                ),
            }[kind]
        )
        return Question(kind, text, given)

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        added, weight = number(shown["added"]), number(shown["weight"])
        read, x = Read("balance"), weight - added
        less = Calc(f"{weight}-{added}")
        meant = Calc(less.left, "reasoning", "how x is found", self.statements)
        found = Calc(str(x), "reasoning", "the weight of x", self.statements)
        ways: list[list[Calc]] = [[meant, less], [less], [less, found]]
        if question.kind == "x":
            return [Route((read, *way)) for way in ways]
        if question.kind == "with":
            more = number(question.given["more"])
            lasts, one = [[Calc(f"{x}+{more}")]], f"{weight}-{added}+{more}"
        else:
            times = number(question.given["times"])
            lasts, one = [[Calc(f"{times}*{x}")]], f"{times}*({weight}-{added})"
            if times <= 4:
                lasts.append(total(*[x] * times))
            if 2 < times <= 4:
                lasts.append(at_once(*[x] * times))
        ways = [[*way, *last] for last in lasts for way in ways]
        return [Route((read, *way)) for way in [*ways, [Calc(one)]]]


def draw_balance(pen: Pen, one: str, other: str) -> None:
    """Draw a level balance with two labelled pans, sides chosen at random."""
    rng = pen.rng
    y, x = rng.uniform(58, 72), 56 + rng.uniform(-4, 4)
    pen.line([(x - 44, y), (x + 44, y)], width=2)
    pen.polygon([(x, y), (x - 10, y + 26), (x + 10, y + 26)])
    sides = [one, other]
    if rng.random() < 0.5:
        sides.reverse()
    for label, centre in zip(sides, (x - 27, x + 27), strict=True):
        half, height = rng.uniform(21, 25), rng.uniform(20, 28)
        pen.box((centre - half, y - 2 - height, centre + half, y - 2), width=1)
        pen.text((centre, y - 2 - height / 2), label, at_most=15)


class Machine(Family):
    """A number machine with two operations; with a letter put in, the answer is an expression."""

    name, subject = "machine", "algebra"
    shows = "A machine: {start}, times {times}, plus {plus}."
    readings = (
        Reading(
            "machine",
            "the numbers on the machine",
            (
                "The machine takes {start}, times {times}, plus {plus}.",
                "The machine starts with {start}, multiplies by {times} and adds {plus}.",
                "In goes {start}, then times {times}, then plus {plus}.",
            ),
        ),
        Reading(
            "boxes",
            "the numbers in the boxes",
            (
                "The boxes are times {times} and plus {plus}.",
                "The machine multiplies by {times} and adds {plus}.",
                "The boxes show *{times} and +{plus}.",
            ),
        ),
        Reading(
            "start",
            "what goes into the machine",
            ("The machine takes {start}.", "The machine starts with {start}.", "In goes {start}."),
        ),
        Reading(
            "times",
            "the number in the first box",
            (
                "The first box is times {times}.",
                "The first box multiplies by {times}.",
                "The first box shows *{times}.",
            ),
        ),
        Reading(
            "plus",
            "the number in the second box",
            (
                "The second box is plus {plus}.",
                "The second box adds {plus}.",
                "The second box shows +{plus}.",
            ),
        ),
    )
    statements = ("The result is {left}.", "The machine gives {left}.", "So the result is {left}.")
    # Times 3 is a sum of three, and 3n.
    fixed = frozenset({"times"})

    def facts(self, rng: random.Random, level: int) -> Facts:
        times = rng.randint(2, 9)
        plus = rng.randint(*{1: (1, 20), 2: (21, 50), 3: (1, 50)}[level])
        if rng.random() < 0.35:
            if level == 3:
                times, plus = rng.randint(10, 19), rng.randint(21, 60)
            return {"start": rng.choice("nxk"), "times": times, "plus": plus}
        low, high = {1: (2, 12), 2: (2, 15), 3: (16, min(60, 149 // times))}[level]
        return {"start": rng.randint(low, high), "times": times, "plus": plus}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        labels = [str(facts["start"]), f"*{facts['times']}", f"+{facts['plus']}", "?"]
        upright = rng.random() < 0.4
        shift = rng.uniform(-5, 5)
        for index, label in enumerate(labels):
            along, across = 14 + index * 28, 56 + shift
            x, y = (across, along) if upright else (along, across)
            if index in (1, 2):
                pen.box((x - 12, y - 9, x + 12, y + 9))
            pen.text((x, y), label, size=14)
            if index < 3:
                near, far = along + (10 if upright else 12), along + (18 if upright else 15)
                ends = [(near, across), (far, across)]
                pen.line([(y, x) for x, y in ends] if upright else ends)

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        start, times, plus = facts["start"], facts["times"], facts["plus"]
        kind = rng.choice(("out", "out", "out", "first", "other"))
        given: dict[str, Value] = {}
        if kind == "other":
            high = min(15, (199 - plus) // times)
            given = {"other": rng.choice([n for n in range(2, high + 1) if n != start])}
        text = rng.choice(
            {
                "out": (
                    "What comes out of the machine?",
                    "Which result does the machine give?",
                    "What stands at the question mark?",
                ),
                "first": (
                    "What comes out of the first box?",
                    "Which result does the first box give?",
                ),
                "other": (
                    f"What comes out if {given.get('other')} goes in instead?",
                    f"Which result does the machine give for {given.get('other')}?",
                ),
            }[kind]
        )
        is_letter = isinstance(start, str) and kind != "other"
        return Question(kind, text, given, "expression" if is_letter else "number")

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        kind, times, plus = question.kind, number(shown["times"]), number(shown["plus"])
        start = question.given["other"] if kind == "other" else shown["start"]
        assert isinstance(start, int | str)
        # The steps up to the first box, and those behind it.
        ways = [[Calc(f"{start}*{times}")], [Calc(f"{times}*{start}")]]
        if times <= 4:
            ways.append(at_once(*[start] * times))
        if isinstance(start, int) and 2 < times <= 4:
            ways.append(total(*[start] * times))
        last: list[Calc] = []
        whole: list[Route] = []
        readings = [[Read("machine")], [Read("boxes")]]
        if kind != "other":
            readings[1:] = [[Read("start"), Read("times" if kind == "first" else "boxes")]]
        if kind != "first":
            if isinstance(start, int):
                last = [Calc(f"{start * times}+{plus}")]
                once = [Calc(f"{start}*{times}+{plus}"), Calc(f"{plus}+{start}*{times}")]
            else:
                text = f"{times}{start}+{plus}"
                last = [Calc(text, "reasoning", "the result", self.statements)]
                once = last
            whole = [Route((*read, calc)) for calc in once for read in readings]
        routes = [Route((*read, *way, *last)) for way in ways for read in readings]
        if last:
            front = [Read("times")] if kind == "other" else [Read("start"), Read("times")]
            routes += [Route((*front, *way, Read("plus"), *last)) for way in ways]
        return [*routes, *whole]


class Sequence(Family):
    """A sequence with a constant difference, to be continued."""

    name, subject = "sequence", "algebra"
    shows = "A sequence: {terms:row}, ?."
    readings = (
        Reading(
            "terms",
            "the numbers of the sequence",
            (
                "The sequence is {terms:row}.",
                "The numbers are {terms:row}.",
                "The sequence starts with {terms:row}.",
            ),
        ),
    )
    constants = (2, 3, 4)

    def facts(self, rng: random.Random, level: int) -> Facts:
        while True:
            gap = rng.randint(*{1: (1, 9), 2: (10, 19), 3: (20, 49)}[level])
            # All numbers written have at most two digits, and the fourth is above 0.
            low, high = 1, 99 - (TERMS - 1) * gap
            if rng.random() < 0.5:
                gap, low, high = -gap, 1 + TERMS * gap, 99
            if low <= high:
                return {"start": rng.randint(low, high), "gap": gap}

    def draw(self, facts: Facts, pen: Pen) -> None:
        rng = pen.rng
        labels = [*map(str, self._terms(facts)), "?"]
        y, slope = rng.uniform(40, 72), rng.uniform(-7, 7)
        boxed = rng.random() < 0.7
        for index, label in enumerate(labels):
            x, height = 15 + index * 27.5, y + slope * (index - 1.5)
            if boxed:
                pen.box((x - 12, height - 10, x + 12, height + 10))
            pen.text((x, height), label, at_most=15)

    @staticmethod
    def _terms(facts: Facts) -> list[int]:
        return [facts["start"] + index * facts["gap"] for index in range(TERMS)]

    def shown(self, facts: Facts) -> Shown:
        return {"terms": self._terms(facts)}

    def ask(self, facts: Facts, rng: random.Random) -> Question:
        kinds = ["fourth", "fourth", "fourth", "gap"]
        if facts["start"] + (TERMS + 1) * facts["gap"] > 0:
            kinds += ["fifth", "fifth"]
        kind = rng.choice(kinds)
        asked = {
            "fourth": (
                "Which number comes next?",
                "What is the number at the question mark?",
                "Continue the sequence by one number. Which one is it?",
            ),
            "fifth": (
                "What is the fifth number?",
                "Which number follows the one at the question mark?",
                "Continue the sequence up to the fifth number. Which one is it?",
            ),
            "gap": (
                "How large is the step from one number to the next?",
                "By how much do two neighbouring numbers differ?",
            ),
        }
        return Question(kind, rng.choice(asked[kind]))

    def routes(self, question: Question, shown: Shown) -> list[Route]:
        terms = shown["terms"]
        assert isinstance(terms, list)
        first, second, third = map(number, terms)
        pairs: list[list[list[Calc]]] = []
        for pair in ((first, second), (second, third)):
            low, high = sorted(pair)
            step = Calc(f"{high}-{low}", "reasoning", "the difference")
            onwards = [[]] if question.kind == "gap" else _onwards(question.kind, terms, high - low)
            pairs.append([[step, *way] for way in onwards])
        # The usual way with either difference comes before the other ways.
        ways = [way for both in zip(*pairs, strict=True) for way in both]
        return [Route((Read("terms"), *way)) for way in ways]


def _onwards(kind: str, terms: list[int], gap: int) -> list[list[Calc]]:
    """Return the ways from the last number on, or from the first, once the difference is known."""
    first, last, steps = terms[0], terms[-1], 1 if kind == "fourth" else 2
    sign, change = ("+", gap) if first < last else ("-", -gap)
    ways = [[Calc(f"{last + index * change}{sign}{gap}") for index in range(steps)]]
    if steps == 2:
        ways.append([Calc(f"{last}{sign}{gap}{sign}{gap}")])
    for start, count in ((last, steps), (first, steps + TERMS - 1)):
        if count > 1:
            several = Calc(f"{count}*{gap}", "reasoning", "several differences at once")
            ways.append([several, Calc(f"{start}{sign}{count * gap}")])
            ways.append([Calc(f"{start}{sign}{count}*{gap}")])
    return ways
