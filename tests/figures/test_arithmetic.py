from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import pytest

from mathse.figures.arithmetic import Clock, NumberLine
from mathse.figures.canvas import SIZE, Pen
from mathse.figures.counting import Coins, Shapes
from mathse.figures.items import Calc, Family, Question, Read, Route, result
from mathse.figures.readings import Shown
from mathse.figures.verifier import Key
from tests.figures.drawn import SEEDS, Facts, Problem, numbers_of, problems, verdict, written

LEVELS = (1, 2, 3)
DRAWS = 8_000
DISTINCT = 1500
OPPOSITE = str.maketrans("+-*", "-++")

Oracle = Callable[[Facts, str], object]


def solved(kind: Family, level: int) -> Iterator[tuple[Problem, Route, list[str]]]:
    """Yield random problems with a random route and its steps in random wordings."""
    for problem in problems(kind, level):
        _, question, shown, _, rng = problem
        route = rng.choice(kind.routes(question, shown))
        yield problem, route, written(kind, route, shown, rng)


def bumped(text: str, rng: random.Random, *, which: int | None = None) -> str:
    """Return a text with one of its numbers changed a little."""
    found = [*re.finditer(r"\d+", text)]
    number = rng.choice(found) if which is None else found[which]
    changed = str(int(number.group()) + rng.choice((1, 2, 10))).zfill(len(number.group()))
    return text[: number.start()] + changed + text[number.end() :]


def uses(expression: str, letters: set[str]) -> set[str]:
    """Return the numbers without a letter, and the letters: `3x+12` has x and 12."""
    plain = re.findall(r"(?<!\d)\d+(?![\da-z])", expression)
    return {str(int(digits)) for digits in plain} | (letters & {*expression})


def check_that_every_route_is_right(kind: Family, level: int) -> None:
    for _, question, shown, key, rng in problems(kind, level):
        for route in kind.routes(question, shown):
            texts = written(kind, route, shown, rng)
            assert route.answer == key.answer, (question, route)
            assert verdict(key, texts, route.answer) is None, (question, texts)


def check_that_every_wording_is_read_as_itself(kind: Family, level: int) -> None:
    """No reading is taken for another one, nor for a calculation."""
    for _, question, shown, key, rng in islice(problems(kind, level), 30):
        texts = written(kind, kind.routes(question, shown)[0], shown, rng)
        for reading in kind.readings:
            slots = max(map(int, re.findall(r"key(\d)", reading.wordings[0])), default=0)
            table = next((p for p in shown.values() if isinstance(p, Mapping)), {})
            step = Read(reading.key, tuple(rng.sample([*table], slots)))
            for _ in reading.wordings:
                extra = kind.written(step, shown, rng).text
                assert verdict(key, [extra, *texts], key.answer) is None, extra
                wrong = bumped(extra, rng) if re.search(r"\d", extra) else ""
                found = verdict(key, [wrong, *texts], key.answer) if wrong else None
                assert not wrong or (found and (found.step, found.kind) == (1, "vision")), wrong


def check_that_a_wrong_reading_is_found(kind: Family, level: int) -> None:
    planted = 0
    for (*_, key, rng), route, texts in solved(kind, level):
        for index, step in enumerate(route.steps):
            if isinstance(step, Read) and re.search(r"\d", texts[index]):
                wrong = bumped(texts[index], rng)
                found = verdict(key, [*texts[:index], wrong, *texts[index + 1 :]], key.answer)
                assert found and (found.step, found.kind) == (index + 1, "vision"), (texts, wrong)
                planted += 1
    assert planted >= SEEDS


def check_that_a_wrong_result_is_found(kind: Family, level: int) -> None:
    planted = 0
    for (*_, key, rng), route, texts in solved(kind, level):
        for index, step in enumerate(route.steps):
            if isinstance(step, Read) or "{right}" not in step.wordings[0]:
                continue
            wrong = bumped(texts[index], rng, which=-1)
            found = verdict(key, [*texts[:index], wrong, *texts[index + 1 :]], key.answer)
            assert found and (found.step, found.kind) == (index + 1, "calculation"), (texts, wrong)
            planted += 1
    assert planted >= SEEDS / 2


def check_that_a_step_left_out_is_found(kind: Family, level: int) -> None:
    """It is found where its number is used first, if no other step has that number."""
    planted = 0
    for (_, question, shown, key, rng), route, texts in solved(kind, level):
        letters = {part for part in shown.values() if isinstance(part, str)}
        index = rng.randrange(len(route.steps))
        lost = route.steps[index]
        numbers = uses(texts[index] if isinstance(lost, Read) else lost.right, set())
        if isinstance(lost, Read):
            numbers |= letters & {*re.findall(r"\b[a-z]\b", texts[index])}
        known = {"0", *map(str, (*question.given.values(), *kind.constants))}
        rest, early, late = [*texts[:index], *texts[index + 1 :]], 0, 0
        steps = [*route.steps[:index], *route.steps[index + 1 :]]
        for number, (step, text) in enumerate(zip(steps, rest, strict=True), start=1):
            used = uses(step.left, letters) & numbers if isinstance(step, Calc) else set()
            early = early or (number if used else 0)
            if used - known:
                late = number
                break
            known |= uses(text if isinstance(step, Read) else step.right, set())
        if not late and "+" not in key.answer and uses(key.answer, set()) & (numbers - known):
            late = len(rest) + 1
        if not late:
            continue
        # Where another number of the same size is known, the fault may be found at either of two.
        found = verdict(key, rest, key.answer)
        assert found and (early or late) <= found.step <= late, (texts, index, found)
        assert found.kind in ("reasoning", "knowledge", "question"), (texts, index, found)
        planted += 1
    assert planted >= SEEDS / 3


def check_that_a_wrong_answer_is_found(kind: Family, level: int) -> None:
    for (*_, key, rng), route, texts in solved(kind, level):
        found = verdict(key, texts, bumped(route.answer, rng))
        assert found and (found.step, found.kind) == (len(texts) + 1, "reasoning"), texts


def check_that_another_operation_is_found(kind: Family, level: int) -> None:
    """It is found though what it says is true."""
    planted = 0
    for (facts, _, _, key, _), route, texts in solved(kind, level):
        index, first = next((i, s) for i, s in enumerate(route.steps) if isinstance(s, Calc))
        left = first.left.translate(OPPOSITE)
        # A number that is right or is shown: `48-2+2=48` leads nowhere, but is no fault.
        if result(left) in {result(first.left), *uses(kind.describe(facts), set())}:
            continue
        wrong = f"{left}={result(left)}."
        found = verdict(key, [*texts[:index], wrong, *texts[index + 1 :]], key.answer)
        assert found and found.step == index + 1, (texts, wrong, found)
        assert found.kind in ("reasoning", "knowledge", "question"), (texts, wrong, found)
        planted += 1
    assert planted >= SEEDS / 2


def check_that_the_drawn_is_inside(kind: Family, level: int) -> None:
    for seed in range(60):
        rng = random.Random(seed)
        facts, pen = kind.facts(rng, level), Pen(rng)
        kind.draw(facts, pen)
        assert pen.glyphs and all(0 < x < SIZE and 0 < y < SIZE for _, x, y in pen.glyphs)


CHECKS = (
    check_that_every_route_is_right,
    check_that_every_wording_is_read_as_itself,
    check_that_a_wrong_reading_is_found,
    check_that_a_wrong_result_is_found,
    check_that_a_step_left_out_is_found,
    check_that_a_wrong_answer_is_found,
    check_that_another_operation_is_found,
    check_that_the_drawn_is_inside,
)


def check_answers(kind: Family, level: int, oracle: Oracle, kinds: set[str]) -> None:
    """Compare the answers with an oracle, and a question's numbers and names with its text."""
    asked = set()
    for facts, question, _, key, _ in problems(kind, level):
        asked.add(re.sub(" (hour|noon)", "", question.kind))
        assert key.answer == str(oracle(facts, question.text)), (facts, question)
        assert numbers_of(key.answer)[0] > 0, (facts, question)
        given = question.given.values()
        assert all(str(part) in question.text for part in given), question
        assert numbers_of(question.text) == [part for part in given if isinstance(part, int)]
    assert asked == kinds


def check_facts(kind: Family, fewest: Mapping[int, int]) -> None:
    """Count the distinct facts of each level; no two look alike, no level shares any."""
    levels: list[dict[str, str]] = []
    for level in LEVELS:
        rng, found = random.Random(f"{kind.name}/{level}"), {}
        for _ in range(DRAWS):
            facts = kind.facts(rng, level)
            found[json.dumps(kind.canonical(facts), sort_keys=True)] = kind.describe(facts)
        assert len(found) >= fewest.get(level, DISTINCT), (level, len(found))
        assert len({*found.values()}) == len(found), "two facts look alike"
        levels.append(found)
    assert len(set().union(*levels)) == sum(map(len, levels)), "levels share facts"


# What the right answer is, from the facts and the question alone. Written apart from the routes.
def shapes(facts: Facts, question: str) -> object:
    counts = dict(zip(("circle", "square", "triangle"), facts["counts"], strict=True))
    asked = [counts[word] for word in re.findall(r"circle|square|triangle", question)]
    if " not " in question or "Leave out" in question:
        return sum(counts.values()) - asked[0]
    for goal in numbers_of(question):
        return goal - sum(counts.values())
    if not asked:
        return sum(counts.values())
    more = "more" in question or "outnumber" in question or "greater" in question
    return asked[0] - asked[1] if more else asked[0] + asked[1]


def coins(facts: Facts, question: str) -> object:
    values = sorted(facts["coins"])
    if "smallest" in question:
        return values[-1] - values[0]
    if "two largest" in question:
        return values[-1] + values[-2]
    number = sum(numbers_of(question))
    missing = "missing" in question or "added" in question
    return number - sum(values) if missing else sum(values) - number


def clock(facts: Facts, question: str) -> object:
    [number] = numbers_of(question)
    back = "ago" in question or "earlier" in question
    change = (-number if back else number) * (60 if "hours" in question else 1)
    minutes = (facts["hour"] * 60 + facts["minute"] + change) % 720
    return f"{minutes // 60 or 12}:{minutes % 60:02d}"


def number_line(facts: Facts, question: str) -> object:
    for number in numbers_of(question):
        down = "less" in question or "smaller" in question
        [name] = re.findall(r"\b[PQ]\b", question)
        return facts[name.lower()] + (-number if down else number)
    far = re.search("apart|distance|way", question)
    return abs(facts["p"] - facts["q"]) if far else facts["p"] + facts["q"]


FAMILIES: dict[Family, tuple[Oracle, set[str]]] = {
    Shapes(): (shapes, {"all", "together", "more", "other", "goal"}),
    Coins(): (coins, {"all", "spend", "need", "apart", "largest"}),
    Clock(): (clock, {"hours later", "hours earlier", "minutes later", "minutes earlier"}),
    NumberLine(): (number_line, {"apart", "sum", "up", "down"}),
}
FEWEST = {
    # Only numbers that can be counted at 112 pixels: three sorts, 24 shapes at most.
    "shapes": {1: 125, 2: 225, 3: 372},
    # Only steps of five minutes can be read off the hands: 144 times in all.
    "clock": {1: 48, 2: 48, 3: 48},
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


def test_each_hour_and_each_minute_of_the_hardest_clocks_is_on_a_training_clock() -> None:
    seen = {level: {"hour": set(), "minute": set()} for level in LEVELS}
    for level in LEVELS:
        for seed in range(2000):
            facts = Clock().facts(random.Random(seed), level)
            for name, numbers in seen[level].items():
                numbers.add(facts[name])
    assert seen[2] == seen[3]


def test_equal_coins_may_be_added_in_any_order() -> None:
    shown: Shown = {"coins": [5, 5, 4]}
    key = Key(Coins(), Question("all", "How much?"), shown, (), "14")
    assert verdict(key, ["The coins are 5, 4, 5.", "5+5=10.", "10+4=14."], "14") is None
    assert verdict(key, ["The coins are 5, 4, 5.", "4+5=9.", "9+5=14."], "14") is None


def test_an_hour_that_is_negative_can_be_used_on() -> None:
    shown: Shown = {"hour": 3, "minute": 5}
    question = Question("hours earlier noon", "What time was it 8 hours ago?", {"count": 8}, "text")
    key = Key(Clock(), question, shown, (), "7:05")
    read = "The clock shows 3:05."
    assert verdict(key, [read, "3-8=-5.", "-5+12=7."], "7:05") is None
    found = verdict(key, [read, "-5+12=7."], "7:05")
    assert found and found.step == 2
