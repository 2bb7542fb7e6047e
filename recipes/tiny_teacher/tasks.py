"""What the embedded teacher learns: to solve drawn problems by any route, and to reflect.

Solutions come in any route and any wording of it. A reflection is a full new solution, from a wrong
one and what a checker says of it, which may be mistaken. Every figure lies on the training side of
the content split. Some of the base model's tasks stay, so that it goes on seeing.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from mathse.figures.catalogue import CHOICE_SHARE, FAMILIES, Figure, family, offer_choices, solution
from mathse.figures.items import Question, Worked
from mathse.figures.verifier import ANALYSES
from mathse.prompts import reflect_messages, solve_messages
from recipes.tiny_base.tasks import HARD_ON_WIDE, WIDE, Sample, corrupt, random_figure
from recipes.tiny_base.tasks import batch as base_batch
from recipes.tiny_base.tasks import kind_of as base_kind_of

KINDS = ("solve", "solve", "solve", "reflect", "base")
"""What steps are about, in turn."""


def random_problem(rng: random.Random) -> tuple[Figure, Question, tuple[str, ...]]:
    """Draw a problem as training problems are: its figure, question and choices, if any."""
    figure = random_figure(rng, (*FAMILIES, *HARD_ON_WIDE))
    kind = family(figure.family)
    question = kind.ask(figure.facts, rng)
    choices: tuple[str, ...] = ()
    if rng.random() < CHOICE_SHARE:
        choices = offer_choices(kind.work(question, kind.shown(figure.facts)), rng)
    return figure, question, choices


def solve_sample(rng: random.Random) -> Sample:
    """Solve a problem by any route, in any wording."""
    figure, question, choices = random_problem(rng)
    worked = solution(family(figure.family), question, figure.facts, choices, rng)
    prompt = _text(solve_messages(question.text, choices, 1))
    return Sample(prompt, "\n".join(worked.lines()), figure.png, figure.glyphs)


def reflect_sample(rng: random.Random) -> Sample:
    """Solve a problem, given a wrong solution and what a checker says of it."""
    figure, question, choices = random_problem(rng)
    kind = family(figure.family)
    given = solution(kind, question, figure.facts, choices, rng)
    worked = solution(kind, question, figure.facts, choices, rng)
    lines, step = _spoil(given.lines(), rng)
    # The checker is right, or names another step, or none.
    named: int | None = rng.randint(1, len(lines)) if rng.random() < 0.15 else step
    analysis = _analysis(given, step, rng)
    if rng.random() < 0.1:
        named, analysis = None, ""
    asked = reflect_messages(question.text, choices, 1, "\n".join(lines), named, analysis)
    return Sample(_text(asked), "\n".join(worked.lines()), figure.png, figure.glyphs)


def batch(seed: int, step: int, size: int) -> list[Sample]:
    """Return the samples of one training step, all of the kind `kind_of(step)`."""
    rng = random.Random(f"{seed}/teacher/{step}")
    kind = KINDS[step % len(KINDS)]
    if kind == "base":
        return base_batch(seed, _base_step(step), size)
    draw = solve_sample if kind == "solve" else reflect_sample
    return [draw(rng) for _ in range(size)]


def kind_of(step: int) -> str:
    """Return what a training step is about: solve, reflect, or one of the base model's kinds."""
    kind = KINDS[step % len(KINDS)]
    return base_kind_of(_base_step(step)) if kind == "base" else kind


def _base_step(step: int) -> int:
    """Return the step of the base model's recipe whose kind of batch a step has."""
    return WIDE + 10**6 + step // len(KINDS)


def _text(messages: Sequence[dict[str, object]]) -> str:
    content = messages[-1]["content"]
    assert isinstance(content, list)
    return str(content[-1]["text"])


def _spoil(lines: Sequence[str], rng: random.Random) -> tuple[list[str], int]:
    """Make a line false, and perhaps later ones; return the lines and the step, from 1."""
    first = rng.randrange(len(lines))
    spoilt = []
    for index, line in enumerate(lines):
        number, separator, text = line.rpartition(". ")
        wrong = index == first or (index > first and rng.random() < 0.4)
        spoilt.append(f"{number}{separator}{corrupt(text, rng)}" if wrong else line)
    return spoilt, first + 1


def _analysis(worked: Worked, step: int, rng: random.Random) -> str:
    """Say what is wrong with a step: its kind of error, or what should stand there, or not that."""
    lines = worked.lines()
    if rng.random() < 0.6:
        right = lines[step - 1].rpartition(". ")[2]
        right = right if rng.random() < 0.85 else corrupt(right, rng)
        return f"It should be: {right}"
    kind = rng.choice([*ANALYSES])
    about = worked.steps[step - 1].about if step <= len(worked.steps) else "The numbers"
    analysis = ANALYSES[kind].format(about=about)
    return analysis[0].upper() + analysis[1:]
