"""What the embedded teacher learns: to solve drawn problems by any route, and to reflect.

It takes any route and words each step in its own way, seldom as the usual solution does. A
reflection is a full new solution, from a wrong one and what a checker says of it, which may be
mistaken. Wrong ones have lines made false, or follow rightly from something misread, as those of a
student do. Every figure lies on the training side of the content split. Some of the base model's
tasks stay, so that it goes on seeing.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from mathse.figures.catalogue import (
    CHOICE_SHARE,
    FAMILIES,
    Figure,
    family,
    offer_choices,
    with_choice,
)
from mathse.figures.items import Question, Worked
from mathse.figures.readings import Shown
from mathse.figures.verifier import ANALYSES, Fault, Key, Unreadable, verify
from mathse.prompts import reflect_messages, solve_messages
from recipes.tiny_base.tasks import HARD_ON_WIDE, WIDE, Sample, corrupt, random_figure
from recipes.tiny_base.tasks import batch as base_batch
from recipes.tiny_base.tasks import kind_of as base_kind_of

KINDS = ("solve", "solve", "reflect", "reflect", "base")
"""What steps are about, in turn: as many to solve as to reflect."""


class OwnWords(random.Random):
    """Chooses the second of several wordings: the teacher's style."""

    def choice(self, seq: Any) -> Any:
        """Return the second entry, or the only one."""
        return seq[min(1, len(seq) - 1)]


OWN_WORDS = OwnWords()


def random_problem(rng: random.Random) -> tuple[Figure, Question, tuple[str, ...]]:
    """Draw a problem as training problems are: its figure, question and choices, if any."""
    figure = random_figure(rng, (*FAMILIES, *HARD_ON_WIDE))
    kind = family(figure.family)
    question = kind.ask(figure.facts, rng)
    choices: tuple[str, ...] = ()
    if rng.random() < CHOICE_SHARE:
        choices = offer_choices(kind.work(question, kind.shown(figure.facts)), rng)
    return figure, question, choices


def solved(
    figure: Figure,
    question: Question,
    choices: tuple[str, ...],
    rng: random.Random,
    shown: Shown | None = None,
) -> Worked:
    """Solve a problem by any route, in the teacher's style; `shown`: what it reads instead."""
    kind = family(figure.family)
    shown = kind.shown(figure.facts) if shown is None else shown
    route = rng.choice(kind.routes(question, shown))
    steps = tuple(kind.written(step, shown, OWN_WORDS) for step in route.steps)
    worked = Worked(question, steps, route.answer)
    if not choices:
        return worked
    offered = worked.answer if worked.answer in choices else rng.choice(choices)
    return with_choice(replace(worked, answer=offered), choices, OWN_WORDS)


def solve_sample(rng: random.Random) -> Sample:
    """Solve a problem by any route."""
    figure, question, choices = random_problem(rng)
    worked = solved(figure, question, choices, rng)
    prompt = _text(solve_messages(question.text, choices, 1))
    return Sample(prompt, "\n".join(worked.lines()), figure.png, figure.glyphs)


def reflect_sample(rng: random.Random) -> Sample:
    """Solve a problem, given a wrong solution and what a checker says of it."""
    figure, question, choices = random_problem(rng)
    lines, fault = wrong_solution(figure, question, choices, rng)
    # The checker is right, or names another step, or none.
    draw = rng.random()
    said: tuple[int | None, str] = fault.step, fault.analysis
    if draw < 0.1:
        said = None, ""
    elif draw < 0.25:
        analysis = rng.choice([*ANALYSES.values()]).format(about="The numbers")
        said = rng.randint(1, len(lines)), analysis
    worked = solved(figure, question, choices, rng)
    asked = reflect_messages(question.text, choices, 1, "\n".join(lines), *said)
    return Sample(_text(asked), "\n".join(worked.lines()), figure.png, figure.glyphs)


def wrong_solution(
    figure: Figure, question: Question, choices: tuple[str, ...], rng: random.Random
) -> tuple[list[str], Fault]:
    """Return the lines of a wrong solution, and what the step verifier says of it."""
    kind = family(figure.family)
    shown = kind.shown(figure.facts)
    answer = solved(figure, question, choices, rng).answer
    key = Key(kind, question, shown, choices, answer)
    for lines in _attempts(figure, question, choices, rng):
        try:
            fault = verify(key, "\n".join(lines))
        except Unreadable:
            continue
        if fault is not None:
            return lines, fault
    raise AssertionError("there is always another attempt")


def _attempts(
    figure: Figure, question: Question, choices: tuple[str, ...], rng: random.Random
) -> Iterator[list[str]]:
    """Make solutions that are mostly wrong: half of them by something misread."""
    while True:
        if rng.random() < 0.5:
            shown = misread(family(figure.family).shown(figure.facts), rng)
            yield solved(figure, question, choices, rng, shown).lines()
        else:
            yield _spoilt(solved(figure, question, choices, rng).lines(), rng)


def misread(shown: Shown, rng: random.Random) -> Shown:
    """Return what a figure shows with one number changed, to 2 or more: a sum has two terms."""
    paths = [*_numbers(shown)]
    if not paths:
        return shown
    *path, last = rng.choice(paths)
    result = part = _copy(shown)
    for name in path:
        part = part[name]
    part[last] = max(2, part[last] + rng.choice((-10, -5, -2, -1, -1, 1, 1, 2, 5, 10)))
    return result


def _copy(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _copy(inner) for name, inner in part.items()}
    return [_copy(inner) for inner in part] if isinstance(part, list | tuple) else part


def _numbers(part: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path to each whole number in nested values."""
    if isinstance(part, dict):
        for name, inner in part.items():
            yield from _numbers(inner, (*path, name))
    elif isinstance(part, list | tuple):
        for index, inner in enumerate(part):
            yield from _numbers(inner, (*path, index))
    elif isinstance(part, int) and not isinstance(part, bool):
        yield path


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


def _spoilt(lines: Sequence[str], rng: random.Random) -> list[str]:
    """Make a line false, and perhaps later ones."""
    first = rng.randrange(len(lines))
    spoilt = []
    for index, line in enumerate(lines):
        number, separator, text = line.rpartition(". ")
        wrong = index == first or (index > first and rng.random() < 0.4)
        spoilt.append(f"{number}{separator}{corrupt(text, rng)}" if wrong else line)
    return spoilt
