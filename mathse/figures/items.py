"""The parts of a family of figure problems: facts, drawing, description, worked solution."""

from __future__ import annotations

import random
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from mathse.figures.canvas import Pen
from mathse.prompts import CLOSING

Facts = Mapping[str, Any]
"""What the figure shows, as plain JSON values."""


@dataclass(frozen=True)
class Step:
    """One line of a worked solution."""

    text: str  # without its number
    kind: str  # what a mistake in it most likely is, one of `schemas.ERROR_KINDS`
    about: str  # what it is about, a short noun phrase


def see(text: str, about: str) -> Step:
    """Return a step that reads something off the figure."""
    return Step(text, "vision", about)


def work(text: str, about: str = "this calculation") -> Step:
    """Return a step that calculates."""
    return Step(text, "calculation", about)


def rule(text: str, about: str) -> Step:
    """Return a calculation that rests on a rule one has to know."""
    return Step(text, "knowledge", about)


@dataclass(frozen=True)
class Worked:
    """A question about a figure with its worked solution."""

    question: str
    steps: tuple[Step, ...]
    answer: str
    answer_type: str = "number"
    unit: str | None = None

    def lines(self) -> list[str]:
        """Return the numbered lines of the solution, the closing sentence last."""
        return worked_lines(self.steps, self.answer)


def solved(question: str, *steps: Step, kind: str = "number", unit: str | None = None) -> Worked:
    """Return a problem whose answer is what the last step ends in: "2+3=5.", "The sum is x+5."."""
    return Worked(question, steps, re.split("[= ]", steps[-1].text[:-1])[-1], kind, unit)


def worked_lines(steps: Iterable[Step], answer: str) -> list[str]:
    """Return the numbered lines of worked steps, with the closing sentence."""
    lines = [f"{number}. {step.text}" for number, step in enumerate(steps, start=1)]
    return [*lines, f"{CLOSING} {answer}."]


class Family(ABC):
    """A kind of figure problem, without state: all choices come from the random generator.

    Attributes:
        shows: the description, with the names of facts in braces.
    """

    name: str
    subject: str
    shows: str

    @abstractmethod
    def facts(self, rng: random.Random, level: int) -> Facts:
        """Choose what the figure shows, at level 1 or 2 (training) or 3 (harder)."""

    @abstractmethod
    def draw(self, facts: Facts, pen: Pen) -> None:
        """Draw the facts."""

    def describe(self, facts: Facts) -> str:
        """Return everything that the figure shows, as one canonical sentence."""
        return self.shows.format(**facts)

    @abstractmethod
    def ask(self, facts: Facts, rng: random.Random) -> Worked:
        """Return a question about the figure with its worked solution."""


def difference(high: int, low: int) -> Step:
    """Return the step that subtracts."""
    return work(f"{high}-{low}={high - low}.")


def product(one: int, other: int) -> Step:
    """Return the step that multiplies."""
    return work(f"{one}*{other}={one * other}.")


def total(*numbers: int) -> list[Step]:
    """Return the steps that add numbers one after the other."""
    return [work(f"{a}+{b - a}={b}.") for a, b in pairwise(accumulate(numbers))]


def plural(count: int, noun: str) -> str:
    """Return `1 circle` or `3 circles`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
