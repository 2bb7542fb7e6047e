"""The canary: skills that the embedded base model has before any round, to see what it forgets.

Half of it asks for descriptions of figures, half for sums, in the words of the pre-training
(`recipes/tiny_base/tasks.py`). No training row has such a question.
"""

from __future__ import annotations

import random

import polars as pl

from mathse.core.ids import content_id
from mathse.figures.catalogue import FAMILIES, draw_figure
from mathse.figures.chance import simplest
from mathse.figures.source import image_row
from schemas import CanaryAnswer, Image, Problem, column_types

DESCRIBE = "Describe the figure."
SUMS = "Calculate.\n{text}"
SUMS_AT_ONCE = 5
QUESTIONS = pl.Schema(
    {
        **column_types(CanaryAnswer, "problem_id", "skill"),
        **column_types(Problem, "question", "choices", "image_ids", "answer"),
    }
)


def build_canary(count: int, *, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw so many questions: problem_id, skill, question, choices, image_ids, answer; and images.

    Figures are of families in turn, from the side of the content split that nothing learns from.
    The draws have a seed of their own: they change no problem of any split.
    """
    rng = random.Random(f"{seed}/canary")
    families = [*FAMILIES]
    rows, images = [], []
    for index in range(count):
        skill, image_ids = "sums", []
        if index % 2 == 0:
            figure = draw_figure(
                rng, families[index // 2 % len(families)], rng.choice((1, 2)), wanted_side="eval"
            )
            images.append(image_row(figure.png))
            image_ids = [images[-1]["image_id"]]
            skill, question, answer = "descriptions", DESCRIBE, figure.description
        else:
            sums = [random_sum(rng) for _ in range(SUMS_AT_ONCE)]
            question = SUMS.format(text=" ".join(f"{asked}=?" for asked, _ in sums))
            answer = " ".join(f"{asked}={result}" for asked, result in sums)
        rows.append(
            {
                "problem_id": content_id("canary", index, question, answer, image_ids),
                "skill": skill,
                "question": question,
                "choices": [],
                "image_ids": image_ids,
                "answer": answer,
            }
        )
    return pl.DataFrame(rows, schema=QUESTIONS), pl.DataFrame(images, schema=column_types(Image))


def random_sum(rng: random.Random) -> tuple[str, str]:
    """Return a short sum and its result, as text."""
    form = rng.random()
    if form < 0.3:
        high = rng.choice((10, 30, 100))
        a, b = rng.randint(0, high), rng.randint(0, high)
        return f"{a}+{b}", str(a + b)
    # Differences: few are negative, and some start from a round number or an angle.
    if form < 0.62:
        high = rng.choice((12, 40, 120))
        a, b = rng.randint(1, high), rng.randint(1, high)
        if a < b and rng.random() < 0.85:
            a, b = b, a
        if rng.random() < 0.3:
            a, b = rng.choice((180, 90, 50, 200)), rng.randint(1, 90)
        return f"{a}-{b}", str(a - b)
    # Products: of the table up to 12, doubles, or a small number times a larger one.
    if form < 0.84:
        a, b = rng.randint(1, 12), rng.randint(1, 12)
        if rng.random() < 0.35:
            a, b = 2, rng.randint(2, 60)
        elif rng.random() < 0.3:
            b = rng.randint(10, 30)
            a = rng.randint(2, 5)
        return f"{a}*{b}", str(a * b)
    if form < 0.92:
        whole = rng.randint(2, 14)
        part = rng.randint(1, whole)
        return f"{part}/{whole}", simplest(part, whole)
    # Terms: a letter added several times, or times a number.
    letter = rng.choice("xyabnk")
    if rng.random() < 0.5:
        count = rng.randint(2, 4)
        return "+".join([letter] * count), f"{count}{letter}"
    count = rng.randint(2, 12)
    return f"{letter}*{count}", f"{count}{letter}"
