from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from fractions import Fraction
from itertools import islice

import pytest

from mathse.figures.angles import SplitAngle, Triangle
from mathse.figures.canvas import SIZE, Pen
from mathse.figures.geometry import Polygon, Rectangle
from mathse.figures.items import Calc, Family, Read, result
from mathse.figures.unseen import Cuboid, DoubleBalance, JoinedBars
from tests.figures.drawn import SEEDS, Facts, numbers_of, problems, verdict, written

TRAINED: tuple[Family, ...] = (Rectangle(), Triangle(), SplitAngle(), Polygon())
HARD: tuple[Family, ...] = (DoubleBalance(), Cuboid(), JoinedBars())
CASES = [(kind, level) for kind in TRAINED for level in (1, 2, 3)] + [(kind, 3) for kind in HARD]
DISTINCT = 1500
KINDS = {
    "rectangle": {"perimeter", "area", "three", "longer"},
    "triangle": {"third", "known", "gap"},
    "split_angle": {"rest", "known", "gap"},
    "polygon": {"expression", "value", "numbers"},
    "double_balance": {"one", "both"},
    "cuboid": {"volume", "edges"},
    "stacked_bar": {"total", "less"},
}

SWAPPED = {"straight": "right", "right": "straight"}

over_cases = pytest.mark.parametrize(
    ("kind", "level"), CASES, ids=[f"{kind.name}-{level}" for kind, level in CASES]
)


def plain_numbers(expression: str) -> set[int]:
    """Return the numbers without a letter: `2x+12` has 12."""
    return {int(digits) for digits in re.findall(r"(?<!\d)\d+(?![\da-z])", expression)}


def bumped(text: str, rng: random.Random) -> str:
    """Return a text with its last number changed a little."""
    number = [*re.finditer(r"\d+", text)][-1]
    changed = int(number.group()) + rng.choice((1, 2, 10))
    return text[: number.start()] + str(changed) + text[number.end() :]


@over_cases
def test_every_route_in_any_wording_is_right(kind: Family, level: int) -> None:
    kinds = set()
    for _, question, shown, key, rng in problems(kind, level):
        kinds.add(question.kind)
        routes = kind.routes(question, shown)
        for route in routes:
            assert route.answer == key.answer, route
            assert isinstance(route.steps[0], Read)
        for route in rng.sample(routes, min(len(routes), 4)):
            texts = written(kind, route, shown, rng)
            assert verdict(key, texts, route.answer) is None, (question, texts)
    missing = {"area"} if level > 1 else set()
    assert KINDS[kind.name] - missing <= kinds | {"known", "gap"}, kinds


@over_cases
def test_every_wording_is_read_as_itself(kind: Family, level: int) -> None:
    for facts, question, shown, key, rng in islice(problems(kind, level), 30):
        for reading in kind.readings:
            for _ in reading.wordings:
                text = kind.written(Read(reading.key), shown, rng).text
                route = kind.routes(question, shown)[0]
                texts = [text, *written(kind, route, shown, rng)]
                if reading.key != "letters" or facts["letters"] > 1:
                    assert verdict(key, texts, key.answer) is None, texts


@over_cases
def test_a_wrong_reading_is_found(kind: Family, level: int) -> None:
    for _, question, shown, key, rng in problems(kind, level):
        route = rng.choice(kind.routes(question, shown))
        texts = written(kind, route, shown, rng)
        for index, step in enumerate(route.steps):
            if not isinstance(step, Read):
                continue
            wrong = re.sub("straight|right", lambda word: SWAPPED[word.group()], texts[index])
            if wrong == texts[index] or (numbers_of(wrong) and rng.random() < 0.5):
                wrong = bumped(texts[index], rng)
            found = verdict(key, [*texts[:index], wrong, *texts[index + 1 :]], key.answer)
            assert found and (found.kind, found.step) == ("vision", index + 1), (texts, wrong)


@over_cases
def test_a_wrong_result_is_found(kind: Family, level: int) -> None:
    planted = 0
    for _, question, shown, key, rng in problems(kind, level):
        route = rng.choice(kind.routes(question, shown))
        texts = written(kind, route, shown, rng)
        for index, step in enumerate(route.steps):
            if isinstance(step, Read) or "{left}" in step.wordings[0] == step.wordings[-1]:
                continue
            if texts[index].removesuffix(".").endswith(step.left):  # only says what is worked out
                continue
            wrong = bumped(texts[index], rng)
            found = verdict(key, [*texts[:index], wrong, *texts[index + 1 :]], key.answer)
            assert found and (found.kind, found.step) == ("calculation", index + 1), (texts, wrong)
            planted += 1
    assert planted >= SEEDS / 2


@over_cases
def test_a_step_that_is_left_out_is_found_where_its_value_is_used(kind: Family, level: int) -> None:
    planted = 0
    for _, question, shown, key, rng in problems(kind, level):
        route = rng.choice(kind.routes(question, shown))
        texts = written(kind, route, shown, rng)
        for index, step in enumerate(route.steps[:-1]):
            rest = [other for number, other in enumerate(route.steps) if number != index]
            given = {part for part in question.given.values() if isinstance(part, int)}
            known, lost = given | {*kind.constants}, {*numbers_of(texts[index])}
            if isinstance(step, Calc):
                lost = plain_numbers(step.right)
            # The first step that uses a number of the lost one; none if another has it as well.
            first = None
            left_texts = texts[:index] + texts[index + 1 :]
            for number, (other, text) in enumerate(zip(rest, left_texts, strict=True)):
                if lost & known:
                    break
                if isinstance(other, Calc) and number >= index and plain_numbers(other.left) & lost:
                    first = number + 1
                    break
                known |= {*numbers_of(text)} if isinstance(other, Read) else plain_numbers(text)
                known |= plain_numbers(other.right) if isinstance(other, Calc) else set()
            if first is None:
                continue
            found = verdict(key, left_texts, key.answer)
            assert found and found.step == first, (texts, index, found)
            assert found.kind in ("reasoning", "knowledge"), (texts, index, found)
            planted += 1
    assert planted >= SEEDS / 2


@over_cases
def test_a_wrong_answer_is_found(kind: Family, level: int) -> None:
    for _, question, shown, key, rng in problems(kind, level):
        route = rng.choice(kind.routes(question, shown))
        texts = written(kind, route, shown, rng)
        found = verdict(key, texts, bumped(route.answer, rng))
        assert found and (found.kind, found.step) == ("reasoning", len(texts) + 1), texts


@over_cases
def test_another_operation_is_found_though_it_is_true(kind: Family, level: int) -> None:
    others, planted = {"+": "-", "-": "+", "*": "+", "/": "*"}, 0
    for _, question, shown, key, rng in problems(kind, level):
        route = rng.choice(kind.routes(question, shown))
        texts = written(kind, route, shown, rng)
        index, first = next((i, s) for i, s in enumerate(route.steps) if isinstance(s, Calc))
        left = re.sub(r"[-+*/]", lambda sign: others[sign.group()], first.left, count=1)
        wrong, numbers = f"{left}={result(left)}.", {*numbers_of(json.dumps(shown))}
        # A number that is known already leads nowhere, but is no fault: `x-x+9=9`.
        known = plain_numbers(result(left)) & numbers or re.fullmatch("[a-z]", result(left))
        useless = known or re.match(r"([a-z])-\1\+", left)
        if useless or {*kind.constants, *question.given.values()} & numbers:
            continue
        found = verdict(key, [*texts[:index], wrong, *texts[index + 1 :]], key.answer)
        assert found is not None and found.step > index, (texts, wrong)
        assert verdict(key, [*texts[:index], wrong], result(left)), (texts, wrong)
        planted += 1
    assert planted >= SEEDS / 2


# What the right answer is, from the facts and the question's text alone.
def rectangle(facts: Facts, text: str) -> object:
    width, height = facts["width"], facts["height"]
    if "area" in text:
        return width * height
    if "longer" in text or "differ" in text:
        return abs(width - height)
    around = 2 * (width + height)
    return around - width if "both heights" in text or "other three" in text else around


def known_or_rest(whole: int, known: list[int], text: str) -> object:
    if "larger" in text or "differ" in text:
        return max(known) - min(known)
    return sum(known) if "two known" in text else whole - sum(known)


def polygon(facts: Facts, text: str) -> object:
    count, letter, numbers = facts["letters"], facts["letter"], sum(facts["numbers"])
    if "without" in text or "out." in text:
        return numbers
    for at in numbers_of(text):
        return count * at + numbers
    return f"{'' if count == 1 else count}{letter}+{numbers}"


def cuboid(facts: Facts, text: str) -> object:
    a, b, c = facts["edges"]
    return a * b * c if "volume" in text else 4 * a + 4 * b + 4 * c


def double_balance(facts: Facts, text: str) -> object:
    both = facts["weight"] - facts["added"]
    return both if "together" in text else Fraction(both, 2)


def stacked_bar(facts: Facts, text: str) -> object:
    return sum(facts["parts"]) - ("largest" in text) * max(facts["parts"])


ORACLES: dict[str, Callable[[Facts, str], object]] = {
    "rectangle": rectangle,
    "triangle": lambda facts, text: known_or_rest(180, facts["angles"], text),
    "split_angle": lambda facts, text: known_or_rest(facts["whole"], facts["known"], text),
    "polygon": polygon,
    "double_balance": double_balance,
    "cuboid": cuboid,
    "stacked_bar": stacked_bar,
}


@over_cases
def test_the_answer_is_right_and_positive(kind: Family, level: int) -> None:
    for facts, question, _, key, _ in problems(kind, level):
        assert key.answer == str(ORACLES[kind.name](facts, question.text)), (facts, question)
        assert min(numbers_of(key.answer)) > 0
        assert {str(part) for part in question.given.values()} <= {
            *re.findall(r"\w+", question.text)
        }
        assert numbers_of(question.text) == [
            part for part in question.given.values() if isinstance(part, int)
        ]


def content(kind: Family, level: int, draws: int) -> dict[str, str]:
    """Return the distinct facts of so many draws, by their canonical form, with the shown ones."""
    rng, found = random.Random(f"{kind.name}/{level}"), dict[str, str]()
    for _ in range(draws):
        facts = kind.facts(rng, level)
        name = json.dumps(kind.canonical(facts), sort_keys=True)
        if name not in found:
            found[name] = kind.describe(facts)
    return found


@pytest.mark.parametrize("kind", [*TRAINED, *HARD], ids=lambda kind: kind.name)
def test_levels_have_many_facts_and_share_none(kind: Family) -> None:
    levels = [content(kind, level, 60_000) for level in ((1, 2, 3) if kind in TRAINED else (3,))]
    for facts in levels:
        assert len(facts) >= DISTINCT
        assert len(set(facts.values())) == len(facts), "two facts look alike"
    assert len(set().union(*levels)) == sum(map(len, levels))


@over_cases
def test_what_is_written_is_inside_the_figure(kind: Family, level: int) -> None:
    for seed in range(60):
        rng = random.Random(seed)
        facts, pen = kind.facts(rng, level), Pen(rng)
        kind.draw(facts, pen)
        assert pen.glyphs and all(0 < x < SIZE and 0 < y < SIZE for _, x, y in pen.glyphs)
        drawn = "".join(glyph for glyph, *_ in pen.glyphs)
        assert all(str(number) in drawn for number in numbers_of(kind.describe(facts)))
