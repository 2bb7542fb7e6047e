from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from mathse.figures.algebra import Balance, Machine, Sequence
from mathse.figures.items import Family, Question
from mathse.figures.verifier import Key
from tests.figures.test_arithmetic import (
    CHECKS,
    LEVELS,
    Facts,
    Oracle,
    check_answers,
    check_facts,
    numbers_of,
    verdict,
)


# What the right answer is, from the facts and the question alone. Written apart from the routes.
def balance(facts: Facts, question: str) -> object:
    x = facts["weight"] - facts["added"]
    for number in numbers_of(question):
        return number * x if re.search(r"\d (weights|things)", question) else number + x
    return x


def machine(facts: Facts, question: str) -> object:
    start, times, plus = facts["start"], facts["times"], facts["plus"]
    for number in numbers_of(question):
        return number * times + plus
    if isinstance(start, str):
        return f"{times}{start}" + ("" if "first" in question else f"+{plus}")
    return start * times + (0 if "first" in question else plus)


def sequence(facts: Facts, question: str) -> object:
    if "differ" in question or "step" in question:
        return abs(facts["gap"])
    index = 4 if "fifth" in question or "follows" in question else 3
    return facts["start"] + index * facts["gap"]


FAMILIES: dict[Family, tuple[Oracle, set[str]]] = {
    Balance(): (balance, {"x", "several", "with"}),
    Machine(): (machine, {"out", "first", "other"}),
    Sequence(): (sequence, {"fourth", "fifth", "gap"}),
}
FEWEST = {
    # Three numbers of at most two digits at equal distances, up or down: 3,985 in all.
    "sequence": {2: 1200, 3: 1100}
}
"""Families with fewer facts than the others, by level, each with its reason."""

over_families = pytest.mark.parametrize("kind", FAMILIES, ids=lambda kind: kind.name)
over_levels = pytest.mark.parametrize("level", LEVELS)


@over_levels
@over_families
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_solutions(check: Callable[[Family, int], None], kind: Family, level: int) -> None:
    check(kind, level)


@over_levels
@over_families
def test_the_answer_is_right_and_positive(kind: Family, level: int) -> None:
    check_answers(kind, level, *FAMILIES[kind])


@over_families
def test_levels_have_many_facts_and_share_none(kind: Family) -> None:
    check_facts(kind, FEWEST.get(kind.name, {}))


def test_an_expression_may_be_given_at_once() -> None:
    shown = {"start": "n", "times": 3, "plus": 7}
    key = Key(Machine(), Question("out", "?", {}, "expression"), shown, (), "3n+7")
    read = "The machine takes n, times 3, plus 7."
    assert verdict(key, [read, "n+n+n=3n.", "The result is 3n+7."], "3n+7") is None
    assert verdict(key, [read, "The result is 3n+7."], "3n+7") is None
    found = verdict(key, [read, "n*3=3n.", "The result is 7n+3."], "7n+3")
    assert found and found.step == 3


def test_the_difference_is_that_of_either_pair() -> None:
    key = Key(Sequence(), Question("fourth", "?"), {"terms": [20, 16, 12]}, (), "8")
    read = "The sequence is 20, 16, 12."
    assert verdict(key, [read, "16-12=4.", "12-4=8."], "8") is None
    assert verdict(key, [read, "20-16=4.", "20-3*4=8."], "8") is None
    found = verdict(key, [read, "20-16=4.", "12+4=16."], "16")
    assert found and found.step == 3
