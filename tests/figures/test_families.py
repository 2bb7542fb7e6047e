from __future__ import annotations

import json
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
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
    offer_choices,
    side,
    with_choice,
)
from mathse.figures.items import CHOICES, EQUATIONS, Calc, Worked
from mathse.figures.source import build_tables
from schemas import ERROR_KINDS
from tests.figures.drawn import numbers_of

SEEDS = 200
LEVELS = (1, 2, 3)
NAMES = [*FAMILIES, *UNSEEN]
COUNTS = {"train": 96, "orm": 48, "orm_test": 48, "eval": 64, "eval_hard": 48}
UNKNOWN = Fraction(7)


def drawn(
    name: str, levels: tuple[int, ...] = LEVELS
) -> Iterator[tuple[dict[str, Any], Worked, random.Random]]:
    """Yield facts with the usual solution of a question: many seeds, no drawing."""
    kind = family(name)
    for level in levels:
        for seed in range(SEEDS):
            rng = random.Random(f"{name}/{level}/{seed}")
            facts = dict(kind.facts(rng, level))
            yield facts, kind.work(kind.ask(facts, rng), kind.shown(facts)), rng


def value(text: str, unknown: Fraction) -> Fraction:
    """Work out `3x+4`, `12*5` or `6/8` exactly; every letter stands for the same number."""
    spelled = re.sub(r"(?<=\d)(?=[a-z])", "*", text)
    spelled = re.sub(r"\d+", r"F(\g<0>)", re.sub(r"[a-z]", "u", spelled))
    return Fraction(eval(spelled, {"__builtins__": {}}, {"F": Fraction, "u": unknown}))  # noqa: S307


@pytest.mark.parametrize("name", NAMES)
def test_every_calculation_of_every_route_holds(name: str) -> None:
    """By Python's own arithmetic, apart from `mathse.figures.terms`."""
    kinds, checked = set(), 0
    for facts, worked, _ in drawn(name):
        for route in family(name).routes(worked.question, family(name).shown(facts)):
            steps = [step for step in route.steps if isinstance(step, Calc)]
            for step in steps:
                assert value(step.left, UNKNOWN) == value(step.right, UNKNOWN), step
                kinds.add(step.kind)
            checked += len(steps)
    assert checked >= len(LEVELS) * SEEDS and kinds <= {*ERROR_KINDS}


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
            if len(centres) < 7:  # more leave a border of one pixel; see test_charts.py
                assert pen.image.getpixel(between) == pen.paper, (seed, facts)


@pytest.mark.parametrize("name", NAMES)
def test_worked_solutions_are_numbered_and_end_in_their_gold_answer(name: str) -> None:
    for _, worked, _ in drawn(name):
        lines = worked.lines()
        assert lines[-1] == f"The answer to this problem is {worked.answer}."
        assert [line.split(". ")[0] for line in lines[:-1]] == [
            str(n + 1) for n in range(len(worked.steps))
        ]
        assert "vision" in {step.kind for step in worked.steps}
        assert {step.kind for step in worked.steps} <= {*ERROR_KINDS}


@pytest.mark.parametrize("name", NAMES)
def test_readings_and_calculations_have_wordings_of_their_own(name: str) -> None:
    kind = family(name)
    wordings = [wording for reading in kind.readings for wording in reading.wordings]
    wordings += [*kind.statements, *EQUATIONS, *CHOICES]
    assert len(set(wordings)) == len(wordings)
    assert all(len(reading.wordings) > 1 for reading in kind.readings)


@pytest.mark.parametrize("name", NAMES)
def test_the_description_distinguishes_facts(name: str) -> None:
    described: dict[str, str] = {}
    for facts, _, _ in drawn(name):
        key = json.dumps(family(name).shown(facts), sort_keys=True)
        assert described.setdefault(family(name).describe(facts), key) == key
    assert len(described) > 20


@pytest.mark.parametrize("name", NAMES)
def test_the_letter_names_the_right_choice(name: str) -> None:
    letters = set()
    for _, plain, rng in drawn(name, (1, 3)):
        options = offer_choices(plain, rng)
        chosen = with_choice(plain, options)
        assert len(set(options)) == 4
        assert chosen.question.answer_type == "choice" and chosen.question.unit is None
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
        canonical = family(row["family"]).canonical(facts)
        content[row["split"]].add(json.dumps([row["family"], canonical], sort_keys=True))
        if row["family"] in UNSEEN:
            assert row["split"] == "eval_hard"
        else:
            held_out = {"eval_hard": "eval"}.get(row["split"], row["split"])
            assert side(row["family"], facts, seed=3) == (
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


def test_each_seed_holds_another_part_out() -> None:
    rng = random.Random(0)
    facts = [family("bars").facts(rng, 2) for _ in range(800)]
    out = [{n for n, f in enumerate(facts) if side("bars", f, seed) == "eval"} for seed in (0, 1)]
    assert all(40 < len(part) < 130 for part in out)
    assert len(out[0] & out[1]) < 30


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
