"""Twins of a problem: the same question about figures with other numbers.

Of `2+2` and `2*2` only the twins say that they are different calculations: a number stands for its
values in all of them.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

from mathse.figures.items import Calc, Family, Question, Route
from mathse.figures.readings import Shown, values
from mathse.figures.terms import LETTERS, Expression, addends, atoms, read, value

TWINS = len(LETTERS) - 1
_TIES = ("first", "last", "equal")
"""What becomes of equal numbers in a twin: the first or the last is the smallest, or they stay."""
_TRIES = 30
Vector = tuple[Fraction, ...]
"""What a number stands for: its value in each twin."""


@dataclass(frozen=True)
class Meaning:
    """The numbers on the routes to the answer, each by its values in the twins.

    Attributes:
        steps: what calculations may give.
        said: what a sentence such as `x={left}.` may say, by its wording.
        used: what they are made of.
        answers: for each part of the answer (hour and minute of a time), what it may be.
    """

    steps: frozenset[Vector]
    said: Mapping[str, frozenset[Vector]]
    used: frozenset[Vector]
    answers: tuple[frozenset[Vector], ...]
    twins: tuple[tuple[Question, Shown], ...]


def meaning(family: Family, question: Question, shown: Shown) -> Meaning:
    """Return what the numbers on a question's routes stand for."""
    twins = tuple(_twins(family, question, shown))
    steps: set[Vector] = set()
    said: defaultdict[str, set[Vector]] = defaultdict(set)
    used: set[Vector] = set()
    answers: list[set[Vector]] = []
    for routes in zip(*(family.routes(*twin) for twin in twins), strict=True):
        calculations = [[s for s in route.steps if isinstance(s, Calc)] for route in routes]
        for same in zip(*calculations, strict=True):
            lefts = [read(step.left) for step in same]
            steps.update(_partial_sums(lefts))
            for wording in {*same[0].wordings} & {*family.statements}:
                said[wording].add(vector_of(lefts))
            for parts in zip(*map(atoms, lefts), strict=True):
                used.add(vector_of(parts))
        stated = [[read(part) for part in route.answer.split(":")] for route in routes]
        for index, trees in enumerate(zip(*stated, strict=True)):
            answers += [set()] if index == len(answers) else []
            answers[index].add(vector_of(trees))
    sentences = {wording: frozenset(found) for wording, found in said.items()}
    parts = tuple(map(frozenset, answers))
    return Meaning(frozenset(steps), sentences, frozenset(used), parts, twins)


def vector_of(trees: Sequence[Expression]) -> Vector:
    """Return what a number stands for, from how it is written in each twin."""
    return tuple(value(tree, world) for world, tree in enumerate(trees, start=1))


def _partial_sums(trees: Sequence[Expression]) -> Iterator[Vector]:
    """Yield what a calculation gives, and each sum of some of its parts: they come in any order."""
    parts = [[value(part, world) for part in addends(t)] for world, t in enumerate(trees, start=1)]
    columns = [*zip(*parts, strict=True)]
    for count in range(1, len(columns) + 1):
        for chosen in combinations(columns, count):
            yield tuple(sum(column, Fraction(0)) for column in zip(*chosen, strict=True))


def _twins(family: Family, question: Question, shown: Shown) -> list[tuple[Question, Shown]]:
    """Return the same question about figures with other numbers, whose routes have the same shape.

    Numbers keep their order, so that what is larger stays larger. Equal numbers become different
    ones, in one order for all twins. Where no such twin has the shape (3 hours before 3 o'clock)
    they stay equal; where there is none either, the problem is its own twin.
    """
    flat = {name: number for slot in shown for name, number in values(slot, shown)}
    flat |= {f"given {name}": part for name, part in question.given.items()}
    varied = {
        name: number
        for name, number in flat.items()
        if isinstance(number, int) and name.split(".")[0] not in family.fixed
    }
    rng = random.Random(f"{family.name}/{question.text}/{sorted(flat.items(), key=str)}")
    shape = _shape(family.routes(question, shown))
    highest = max(varied.values(), default=0)
    for ties in _TIES:
        twins = []
        for high in (997, 300, 4 * highest, 2 * highest, highest + 3) * _TRIES:
            new = _other_numbers(varied, max(high, len(varied) + 3), rng, ties)
            twin = _replaced(question, shown, new)
            if _shape(family.routes(*twin)) == shape:
                twins.append(twin)
            if len(twins) == TWINS:
                return twins
    return [(question, shown)] * TWINS


def _other_numbers(
    varied: Mapping[str, int], high: int, rng: random.Random, ties: str
) -> dict[str, int]:
    """Return other numbers in the same order, by name; see `_TIES` for equal ones."""
    if ties == "equal":
        distinct = sorted(set(varied.values()))
        new = sorted(rng.sample(range(1, high + 1), len(distinct)))
        of = dict(zip(distinct, new, strict=True))
        return {name: of[number] for name, number in varied.items()}
    names = [*varied] if ties == "first" else [*varied][::-1]
    order = sorted(names, key=lambda name: varied[name])
    return dict(zip(order, sorted(rng.sample(range(1, high + 1), len(order))), strict=True))


def _shape(routes: Sequence[Route]) -> list[list[str]]:
    """Return how routes look without their numbers: `#+#`."""
    return [
        [re.sub(r"\d+", "#", s.left) if isinstance(s, Calc) else s.reading for s in route.steps]
        for route in routes
    ]


def _replaced(question: Question, shown: Shown, new: Mapping[str, int]) -> tuple[Question, Shown]:
    def part_of(name: str, part: object) -> object:
        if isinstance(part, Mapping):
            return {key: new.get(f"{name}.{key}", number) for key, number in part.items()}
        if isinstance(part, str | int):
            return new.get(name, part)
        assert isinstance(part, Sequence)
        return [new.get(f"{name}.{index}", entry) for index, entry in enumerate(part)]

    given = {name: new.get(f"given {name}", part) for name, part in question.given.items()}
    twin = {name: part_of(name, part) for name, part in shown.items()}
    return replace(question, given=given), twin  # type: ignore[return-value]
