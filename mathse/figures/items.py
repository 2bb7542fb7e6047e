"""The parts of a family of figure problems: facts, drawing, questions, routes to the answer.

A question about a figure has one or more routes. A route is a list of steps that read something off
the figure or calculate; each step has several wordings. The first route in its first wordings is
the usual solution.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any

from mathse.figures.canvas import Pen
from mathse.figures.readings import Reading, Shown, Value, write
from mathse.figures.terms import NotAnExpression, work_out
from mathse.prompts import CLOSING

Facts = Mapping[str, Any]
"""What is drawn, as plain JSON values."""

EQUATIONS = (
    "{left}={right}.",
    "So {left}={right}.",
    "Then {left}={right}.",
    "{left} is {right}.",
    "{left} makes {right}.",
)
"""The wordings of a calculation."""

CHOICES = (
    "{right} is choice {letter}.",
    "{right} is option {letter}.",
    "{right} stands at {letter}.",
)
"""The wordings of the step that names a choice. The value comes first: it is known already."""


@dataclass(frozen=True)
class Step:
    """One line of a written solution."""

    text: str  # without its number
    kind: str  # what a mistake in it most likely is, one of `schemas.ERROR_KINDS`
    about: str  # what it is about, a short noun phrase


@dataclass(frozen=True)
class Read:
    """A step that reads something off the figure: a reading, and the entries of a table."""

    reading: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Calc:
    """A step that calculates.

    Attributes:
        left: what is worked out: `3+5`, `2*(3+5)`, `3x+7`.
        kind: what a mistake in it most likely is.
        about: what it finds, a short noun phrase.
        wordings: sentences with `{left}` and mostly `{right}`; the first is the usual one.
    """

    left: str
    kind: str = "calculation"
    about: str = "this calculation"
    wordings: tuple[str, ...] = EQUATIONS

    @property
    def right(self) -> str:
        """The result in its usual form; a sum of unlike terms is its own result."""
        return result(self.left)


@dataclass(frozen=True)
class Route:
    """Steps that lead to an answer; `answer` where it is not the last step's result."""

    steps: tuple[Read | Calc, ...]
    stated: str = ""

    @property
    def answer(self) -> str:
        """The answer as the closing sentence states it."""
        if self.stated:
            return self.stated
        last = self.steps[-1]
        assert isinstance(last, Calc)
        return last.right


@dataclass(frozen=True)
class Question:
    """A question about a figure.

    Attributes:
        kind: what is asked, a word of the family.
        text: the question in words.
        given: numbers and names in it, by name: `{"times": 3, "one": "pen"}`.
    """

    kind: str
    text: str
    given: Mapping[str, Value] = field(default_factory=dict)
    answer_type: str = "number"
    unit: str | None = None


@dataclass(frozen=True)
class Worked:
    """A question with a written solution."""

    question: Question
    steps: tuple[Step, ...]
    answer: str

    def lines(self) -> list[str]:
        """Return the numbered lines of the solution, the closing sentence last."""
        return worked_lines(self.steps, self.answer)


class Family(ABC):
    """A kind of figure problem, without state: all choices come from the random generator.

    Attributes:
        shows: the description, a wording of what `shown` returns.
        readings: what can be read off the figure.
        statements: wordings of calculations besides `EQUATIONS`.
        constants: numbers that one has to know, like the 180 degrees of a triangle.
        fixed: names of numbers that a twin of a problem keeps (`mathse.figures.twins`).
    """

    name: str
    subject: str
    shows: str
    readings: tuple[Reading, ...]
    statements: tuple[str, ...] = ()
    constants: tuple[int, ...] = ()
    fixed: frozenset[str] = frozenset()

    @abstractmethod
    def facts(self, rng: random.Random, level: int) -> Facts:
        """Choose what the figure shows, at level 1 or 2 (training) or 3 (harder)."""

    @abstractmethod
    def draw(self, facts: Facts, pen: Pen) -> None:
        """Draw the facts."""

    def shown(self, facts: Facts) -> Shown:
        """Return what can be read off the figure, by the names that `readings` use."""
        return {name: part for name, part in facts.items() if name != "level"}

    def describe(self, facts: Facts) -> str:
        """Return everything that the figure shows, as one canonical sentence."""
        return write(self.shows, self.shown(facts))

    @abstractmethod
    def ask(self, facts: Facts, rng: random.Random) -> Question:
        """Return a question about the figure."""

    @abstractmethod
    def routes(self, question: Question, shown: Shown) -> list[Route]:
        """Return the ways to the answer, the usual one first. They need no more than `shown`."""

    def canonical(self, facts: Facts) -> object:
        """Return the facts up to symmetries of the figure, as JSON values: what splits go by."""
        return {name: part for name, part in facts.items() if name != "level"}

    def reading(self, key: str) -> Reading:
        """Return a reading by its key."""
        return next(reading for reading in self.readings if reading.key == key)

    def work(self, question: Question, shown: Shown, rng: random.Random | None = None) -> Worked:
        """Return a written solution: the usual one, or with `rng` any route in any wording."""
        routes = self.routes(question, shown)
        route = rng.choice(routes) if rng else routes[0]
        steps = tuple(self.written(step, shown, rng) for step in route.steps)
        return Worked(question, steps, route.answer)

    def written(self, step: Read | Calc, shown: Shown, rng: random.Random | None = None) -> Step:
        """Return a step in its usual wording, or with `rng` in any."""
        if isinstance(step, Calc):
            wording = rng.choice(step.wordings) if rng else step.wordings[0]
            return Step(wording.format(left=step.left, right=step.right), step.kind, step.about)
        reading = self.reading(step.reading)
        wording = rng.choice(reading.wordings) if rng else reading.wordings[0]
        about = write(reading.about, shown, step.keys)
        return Step(write(wording, shown, step.keys, rng), "vision", about)


def worked_lines(steps: Iterable[Step], answer: str) -> list[str]:
    """Return the numbered lines of written steps, with the closing sentence."""
    lines = [f"{number}. {step.text}" for number, step in enumerate(steps, start=1)]
    return [*lines, f"{CLOSING} {answer}."]


def result(left: str) -> str:
    """Return the result of an expression; a sum of unlike terms is its own result."""
    try:
        return work_out(left)
    except NotAnExpression:
        return left


def total(*numbers: int) -> list[Calc]:
    """Return the steps that add numbers one after the other."""
    return [Calc(f"{a}+{b - a}") for a, b in pairwise(accumulate(numbers))]


def at_once(*parts: object) -> list[Calc]:
    """Return the step that adds all parts in one line; none where there is one part."""
    return [Calc("+".join(map(str, parts)))] if len(parts) > 1 else []


def ways(
    readings: Iterable[Sequence[Read]], calculations: Iterable[Sequence[Calc]], stated: str = ""
) -> list[Route]:
    """Return the routes that first read in one of the ways and then calculate in one of them."""
    seen = [*readings]
    return [Route((*read, *calc), stated) for calc in calculations for read in seen]


def one_by_one(reading: str, names: Iterable[str]) -> list[Read]:
    """Return the steps that read entries of a table, each on its own line."""
    return [Read(reading, (name,)) for name in names]


def names_in(question: Question) -> tuple[str, ...]:
    """Return the names in a question: `one`, `two`, `three`, those that it has."""
    return tuple(
        str(question.given[name]) for name in ("one", "two", "three") if name in question.given
    )


def rule(left: str, about: str) -> Calc:
    """Return a calculation that rests on a rule one has to know."""
    return Calc(left, "knowledge", about)


def plural(count: int, noun: str) -> str:
    """Return `1 circle` or `3 circles`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
