from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import pytest

from mathse.figures.canvas import MARKS, PALETTE, Pen
from mathse.figures.catalogue import (
    CHOICE_SHARE,
    FAMILIES,
    HELD_OUT_BUCKETS,
    UNSEEN,
    family,
    side,
    with_choices,
)
from mathse.figures.items import Worked
from mathse.figures.source import build_tables
from schemas import ERROR_KINDS

SEEDS = 900
LEVELS = (1, 2, 3)
NAMES = [*FAMILIES, *UNSEEN]
COUNTS = {"train": 96, "orm": 48, "orm_test": 48, "eval": 64, "eval_hard": 48}
EQUATION = re.compile(r"(?<![\w*/+-])(-?[\w*/+-]+)=([\w*/+-]+)")
UNKNOWN = Fraction(7)


def drawn(
    name: str, levels: tuple[int, ...] = LEVELS
) -> Iterator[tuple[dict[str, Any], Worked, random.Random]]:
    """Yield facts with a worked question: thousands of seeds, no drawing."""
    for level in levels:
        for seed in range(SEEDS):
            rng = random.Random(f"{name}/{level}/{seed}")
            facts = family(name).facts(rng, level)
            yield facts, family(name).ask(facts, rng), rng


def value(text: str, unknown: Fraction) -> Fraction:
    """Work out `3x+4`, `12*5` or `6/8` exactly; every letter stands for the same number."""
    spelled = re.sub(r"(?<=\d)(?=[a-z])", "*", text)
    spelled = re.sub(r"\d+", r"F(\g<0>)", re.sub(r"[a-z]", "u", spelled))
    return Fraction(eval(spelled, {"__builtins__": {}}, {"F": Fraction, "u": unknown}))  # noqa: S307


def numbers_of(text: str) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", text)]


# What the right answer is, from the facts and the question alone. Written apart from the worked
# solutions.
Facts = Mapping[str, Any]
Oracle = Callable[[Facts, str], object]


def named(facts: Facts, question: str, values: str, names: str = "ABCDE") -> list[int]:
    known = dict(zip(names, facts[values], strict=False))
    return [known[letter] for letter in re.findall(r"\b[A-E]\b", question)]


def rectangle(facts: Facts, question: str) -> object:
    width, height = facts["width"], facts["height"]
    return width * height if "area" in question else width + height + width + height


def bars(facts: Facts, question: str) -> object:
    if "highest" in question:
        return max(facts["values"]) - min(facts["values"])
    one, two = named(facts, question, "values")
    return one + two if "together" in question or "sum" in question else one - two


def pictograph(facts: Facts, question: str) -> object:
    return sum(rows * facts["each"] for rows in named(facts, question, "rows"))


def prices(facts: Facts, question: str) -> object:
    cost = dict(zip(facts["goods"], facts["prices"], strict=True))
    bought = [
        cost[word.removesuffix("s")]
        for word in re.findall(r"\w+", question)
        if word.removesuffix("s") in cost
    ]
    if "back" in question:
        times, paid = numbers_of(question)
        return paid - times * bought[0]
    times = (numbers_of(question) or [1])[0]
    return times * bought[0] + bought[1]


def shapes(facts: Facts, question: str) -> object:
    counts = dict(zip(("circle", "square", "triangle"), facts["counts"], strict=True))
    asked = [counts[word] for word in re.findall(r"circle|square|triangle", question)]
    if not asked:
        return sum(counts.values())
    return (
        asked[0] - asked[1]
        if "more" in question or "outnumber" in question
        else asked[0] + asked[1]
    )


def coins(facts: Facts, question: str) -> object:
    return sum(facts["coins"]) - sum(numbers_of(question))


def clock(facts: Facts, question: str) -> object:
    [hours] = numbers_of(question)
    back = "ago" in question or "earlier" in question
    minutes = (facts["hour"] * 60 + facts["minute"] + (-hours if back else hours) * 60) % 720
    return f"{minutes // 60 or 12}:{minutes % 60:02d}"


def number_line(facts: Facts, question: str) -> object:
    far = "apart" in question or "distance" in question
    return abs(facts["p"] - facts["q"]) if far else facts["p"] + facts["q"]


def machine(facts: Facts, question: str) -> object:
    if isinstance(facts["start"], str):
        return f"{facts['times']}{facts['start']}+{facts['plus']}"
    return facts["start"] * facts["times"] + facts["plus"]


def sequence(facts: Facts, question: str) -> object:
    index = 4 if "fifth" in question or "follows" in question else 3
    return facts["start"] + index * facts["gap"]


def polygon(facts: Facts, question: str) -> object:
    many = "" if facts["letters"] == 1 else facts["letters"]
    return f"{many}{facts['letter']}+{sum(facts['numbers'])}"


def spinner(facts: Facts, question: str) -> object:
    [colour] = [name for name in set(facts["around"]) if name in question]
    return Fraction(facts["around"].count(colour), len(facts["around"]))


def marbles(facts: Facts, question: str) -> object:
    counts = dict(zip(facts["colours"], facts["counts"], strict=True))
    [colour] = [name for name in counts if name in question]
    return Fraction(counts[colour], sum(counts.values()))


ORACLES: dict[str, Oracle] = {
    "rectangle": rectangle,
    "triangle": lambda facts, _: 180 - sum(facts["angles"]),
    "split_angle": lambda facts, _: facts["whole"] - sum(facts["known"]),
    "polygon": polygon,
    "bars": bars,
    "pictograph": pictograph,
    "prices": prices,
    "shapes": shapes,
    "coins": coins,
    "clock": clock,
    "number_line": number_line,
    "balance": lambda facts, _: facts["weight"] - facts["added"],
    "machine": machine,
    "sequence": sequence,
    "spinner": spinner,
    "marbles": marbles,
    "double_balance": lambda facts, _: Fraction(facts["weight"] - facts["added"], 2),
    "cuboid": lambda facts, _: facts["edges"][0] * facts["edges"][1] * facts["edges"][2],
    "stacked_bar": lambda facts, _: sum(facts["parts"]),
}


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_is_right_and_positive(name: str) -> None:
    for facts, worked, _ in drawn(name):
        found = ORACLES[name](facts, worked.question)
        written = (
            f"{found.numerator}/{found.denominator}" if isinstance(found, Fraction) else str(found)
        )
        assert worked.answer == (
            written.removesuffix("/1") if worked.answer_type == "number" else written
        ), worked
        assert min(numbers_of(worked.answer)[:1]) > 0, worked


@pytest.mark.parametrize("name", NAMES)
def test_every_equation_of_a_worked_solution_holds(name: str) -> None:
    kinds, checked = set(), 0
    for _, worked, _ in drawn(name):
        unknown = Fraction(worked.answer) if "balance" in name else UNKNOWN
        for step in worked.steps:
            found = EQUATION.findall(step.text)
            assert len(found) == step.text.count("="), (
                f"an equation that this test cannot read: {step.text}"
            )
            for left, right in found:
                assert value(left, unknown) == value(right, unknown), (worked, step)
            checked += len(found)
            kinds.add(step.kind)
    assert checked >= len(LEVELS) * SEEDS
    assert "vision" in kinds and kinds <= {*ERROR_KINDS} and len(kinds) > 1


# The numbers that a figure shows beside a name, from the facts alone.
SHOWN: dict[str, Callable[[Facts], dict[str, int]]] = {
    "bars": lambda facts: dict(zip("ABCDE", facts["values"], strict=False)),
    "pictograph": lambda facts: {
        "each": facts["each"],
        **dict(zip("ABCD", facts["rows"], strict=False)),
    },
    "prices": lambda facts: dict(zip(facts["goods"], facts["prices"], strict=True)),
    "shapes": lambda facts: dict(
        zip(("circle", "square", "triangle"), facts["counts"], strict=True)
    ),
    "number_line": lambda facts: {"P": facts["p"], "Q": facts["q"]},
    "spinner": lambda facts: Counter(facts["around"]),
    "marbles": lambda facts: dict(zip(facts["colours"], facts["counts"], strict=True)),
}


@pytest.mark.parametrize("name", NAMES)
def test_what_a_solution_reads_off_the_figure_is_there(name: str) -> None:
    for facts, worked, _ in drawn(name):
        for step in worked.steps:
            if step.kind != "vision":
                continue
            if name not in SHOWN:
                assert not Counter(numbers_of(step.text)) - Counter(
                    numbers_of(family(name).describe(facts))
                ), step
                continue
            read = 0
            for thing, number in SHOWN[name](facts).items():
                pairs = rf"\b{thing}s?(?: ones)?(?: is| are| has| costs)? (\d+)|(\d+) {thing}s?\b"
                for found in re.finditer(pairs, step.text):
                    assert int(found.group(1) or found.group(2)) == number, (step, facts)
                    read += 1
            assert read == len(numbers_of(step.text)) > 0, (
                f"a reading that this test cannot read: {step.text}"
            )


def test_bars_are_put_in_order_from_the_highest() -> None:
    orders = [
        numbers_of(worked.steps[0].text)
        for _, worked, _ in drawn("bars")
        if "highest" in worked.question
    ]
    assert orders and all(order == sorted(order, reverse=True) for order in orders)


@pytest.mark.parametrize("level", LEVELS)
def test_a_spinner_shows_every_sector_and_paper_between_them(level: int) -> None:
    for seed in range(60):
        rng = random.Random(seed)
        facts = family("spinner").facts(rng, level)
        pen = Pen(rng)
        family("spinner").draw(facts, pen)
        centres = [(x, y) for _, x, y in pen.glyphs]
        assert [glyph for glyph, *_ in pen.glyphs] == [MARKS[colour] for colour in facts["around"]]
        for (x, y), colour in zip(centres, facts["around"], strict=True):
            shade = pen.image.getpixel((round(x), round(y)))
            assert min(PALETTE, key=lambda name: math.dist(PALETTE[name], shade)) == colour  # type: ignore[arg-type]
        for (x, y), (other_x, other_y) in zip(centres, centres[1:] + centres[:1], strict=True):
            between = (round((x + other_x) / 2), round((y + other_y) / 2))
            if level < 3:  # ten sectors leave a border of one pixel
                assert pen.image.getpixel(between) == pen.paper, (seed, facts)


@pytest.mark.parametrize("name", NAMES)
def test_worked_solutions_end_in_their_gold_answer(name: str) -> None:
    for facts, worked, _ in drawn(name):
        last = re.split(r"[= ]", worked.steps[-1].text.removesuffix("."))[-1]
        gold = (
            worked.answer.removesuffix(f":{facts['minute']:02d}")
            if worked.answer_type == "text"
            else worked.answer
        )
        assert last.split(":")[0] == gold, worked
        lines = worked.lines()
        assert lines[-1] == f"The answer to this problem is {worked.answer}."
        assert [line.split(". ")[0] for line in lines[:-1]] == [
            str(n + 1) for n in range(len(worked.steps))
        ]


@pytest.mark.parametrize("name", NAMES)
def test_the_description_distinguishes_facts(name: str) -> None:
    described: dict[str, str] = {}
    for facts, _, _ in drawn(name):
        shown = {key: facts[key] for key in facts if key != "level"}
        if "around" in shown:
            shown["around"] = sorted(shown["around"])
        key = json.dumps(shown, sort_keys=True)
        assert described.setdefault(family(name).describe(facts), key) == key
    assert len(described) > 20


@pytest.mark.parametrize("name", NAMES)
def test_the_letter_names_the_right_choice(name: str) -> None:
    letters = set()
    for _, plain, rng in drawn(name, (1, 3)):
        chosen, options = with_choices(plain, rng)
        assert len(set(options)) == 4 and chosen.answer_type == "choice" and chosen.unit is None
        assert options["ABCD".index(chosen.answer)] == plain.answer
        assert chosen.steps[:-1] == plain.steps
        assert chosen.steps[-1].text == f"{plain.answer} is choice {chosen.answer}."
        for option in options:
            assert re.sub(r"\d+", "0", option) == re.sub(r"\d+", "0", plain.answer)
            if ":" in option:
                hour, minute = numbers_of(option)
                assert 1 <= hour <= 12 and minute < 60
        letters.add(chosen.answer)
    assert letters == {*"ABCD"}


def test_splits_share_neither_problems_nor_facts_with_those_held_out() -> None:
    rows, images = build_tables(COUNTS, seed=3)
    assert rows["problem_id"].n_unique() == rows.height == sum(COUNTS.values())
    assert dict(rows.group_by("split").len().iter_rows()) == COUNTS
    assert images["image_id"].n_unique() == images.height
    assert {name for ids in rows["image_ids"] for name in ids} == set(images["image_id"])
    content: dict[str, set[str]] = {split: set() for split in COUNTS}
    for row in rows.iter_rows(named=True):
        facts = json.loads(row["meta"])["facts"]
        shown = {key: value for key, value in facts.items() if key != "level"}
        content[row["split"]].add(json.dumps([row["family"], shown], sort_keys=True))
        if row["family"] in UNSEEN:
            assert row["split"] == "eval_hard"
        else:
            held_out = {"eval_hard": "eval"}.get(row["split"], row["split"])
            assert side(row["family"], facts) == (
                held_out if held_out in HELD_OUT_BUCKETS else "train"
            )
        assert row["level"] == 3 if row["split"] == "eval_hard" else row["level"] < 3
        assert row["solution"].endswith(f"The answer to this problem is {row['answer']}.")
        if row["choices"]:
            assert (
                f"{row['choices']['ABCD'.index(row['answer'])]} is choice {row['answer']}."
                in row["solution"]
            )
    learned = content["train"] | content["orm"]
    for split in ("eval", "eval_hard", "orm_test"):
        assert not content[split] & learned, split
    assert not content["orm_test"] & (content["eval"] | content["eval_hard"])
    assert set(rows.filter(rows["split"] == "eval_hard")["family"]) >= {*UNSEEN}
    assert set(rows.filter(rows["split"] == "train")["family"]) == {*FAMILIES}
    assert abs((rows["answer_type"] == "choice").mean() - CHOICE_SHARE) < 0.1


def test_one_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    counts = {"train": 20, "eval_hard": 6}
    once, again, other = (build_tables(counts, seed=seed) for seed in (5, 5, 6))
    assert once[0].equals(again[0]) and once[1].equals(again[1])
    assert not set(once[1]["image_id"]) & set(other[1]["image_id"])


def test_what_is_drawn_does_not_depend_on_the_interpreters_hash_seed() -> None:
    """Two runs of a pipeline are two interpreters, and a set of words has another order in each."""
    code = (
        "from mathse.figures.source import build_tables; "
        "rows, images = build_tables({'train': 48, 'eval_hard': 38}, seed=5); "
        "print(rows.hash_rows(0).sort().to_list(), sorted(images['image_id']))"
    )
    drawn = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert len(drawn[0]) > 1000 and len(set(drawn)) == 1


def test_the_first_problems_of_a_split_do_not_depend_on_how_many_are_drawn() -> None:
    few, many = (build_tables({"train": count}, seed=5)[0] for count in (8, 16))
    assert few.equals(many.head(8))
