"""Random problems of a family with their keys, and its solutions on random routes."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from typing import Any

from mathse.figures.items import Family, Question, Route
from mathse.figures.readings import Shown
from mathse.figures.verifier import Fault, Key, verify
from mathse.prompts import CLOSING

SEEDS = 40

Facts = Mapping[str, Any]
Problem = tuple[Facts, Question, Shown, Key, random.Random]


def problems(kind: Family, level: int) -> Iterator[Problem]:
    """Yield random problems with their keys."""
    for seed in range(SEEDS):
        rng = random.Random(f"{kind.name}/{level}/{seed}")
        facts = kind.facts(rng, level)
        question, shown = kind.ask(facts, rng), kind.shown(facts)
        answer = kind.routes(question, shown)[0].answer
        yield facts, question, shown, Key(kind, question, shown, (), answer), rng


def written(kind: Family, route: Route, shown: Shown, rng: random.Random) -> list[str]:
    """Return a route's steps in random wordings, without their numbers."""
    return [kind.written(step, shown, rng).text for step in route.steps]


def verdict(key: Key, texts: list[str], answer: str) -> Fault | None:
    lines = [f"{number}. {text}" for number, text in enumerate(texts, start=1)]
    return verify(key, "\n".join([*lines, f"{CLOSING} {answer}."]))


def numbers_of(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]
