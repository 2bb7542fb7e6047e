from __future__ import annotations

import random
import re
from fractions import Fraction

import pytest

from mathse.figures.catalogue import FAMILIES, HELD_OUT_BUCKETS, UNSEEN, family, side, stream, with_choices
from mathse.figures.source import build_tables

SEEDS = 2000
SUM = re.compile(r"^(-?\d+)([-+*/])(-?\d+)=(-?\d+)(?:/(\d+))?\.$")
COUNTS = {"train": 96, "orm": 48, "orm_test": 48, "eval": 64, "eval_hard": 48}


def holds(text: str) -> bool | None:
    found = SUM.match(text)
    if found is None:
        return None
    one, sign, two, top, bottom = found.groups()
    a, b = Fraction(one), Fraction(two)
    result = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[sign]
    return result == Fraction(int(top), int(bottom or 1))


@pytest.mark.parametrize("name", [*FAMILIES, *UNSEEN])
def test_worked_solutions_end_in_their_gold_answer(name: str) -> None:
    rng = random.Random(name)
    calculated = 0
    for number in range(SEEDS):
        kind = family(name)
        worked = kind.ask(kind.facts(rng, 3 if name in UNSEEN else number % 3 + 1), rng)
        for step in worked.steps:
            true = holds(step.text)
            assert true is not False, (worked, step)
            calculated += true is True
        last = worked.steps[-1].text.removesuffix(".")
        value = re.split(r"[= ]", last)[-1]
        expected = worked.answer.split(":")[0] if worked.answer_type == "text" else worked.answer
        assert value.split(":")[0] == expected, worked
        assert worked.path()[-1] == f"The answer to this problem is {worked.answer}."
    assert calculated > SEEDS / 4


@pytest.mark.parametrize("name", [*FAMILIES])
def test_the_letter_names_the_right_choice(name: str) -> None:
    rng = random.Random(name)
    for _ in range(300):
        kind = family(name)
        plain = kind.ask(kind.facts(rng, 2), rng)
        chosen, options = with_choices(plain, rng)
        assert len(set(options)) == 4
        assert options["ABCD".index(chosen.answer)] == plain.answer
        assert chosen.steps[-1].text == f"{plain.answer} is choice {chosen.answer}."


def test_splits_share_neither_problems_nor_held_out_facts() -> None:
    rows, images = build_tables(COUNTS, seed=3)
    assert rows["problem_id"].n_unique() == rows.height == sum(COUNTS.values())
    assert dict(rows.group_by("split").len().iter_rows()) == COUNTS
    assert images["image_id"].n_unique() == images.height
    for split in ("train", "orm", "eval", "orm_test"):
        drawn = stream(split, 3)
        wanted = split if split in HELD_OUT_BUCKETS else "train"
        for _ in range(64):
            figure = next(drawn).figure
            assert side(figure.family, figure.facts) == wanted


def test_families_never_trained_on_are_asked_in_eval_hard_only() -> None:
    hard = stream("eval_hard", 0)
    assert {next(hard).figure.family for _ in range(96)} >= {*UNSEEN}
    for split in ("train", "orm", "eval"):
        drawn = stream(split, 0)
        assert not {next(drawn).figure.family for _ in range(96)} & {*UNSEEN}


def test_one_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    counts = {"train": 20}
    once, again, other = (build_tables(counts, seed=seed) for seed in (5, 5, 6))
    assert once[0].equals(again[0]) and once[1].equals(again[1])
    assert not set(once[1]["image_id"]) & set(other[1]["image_id"])
