"""The pre-training tasks of the embedded base model: to see and calculate, not to solve problems.

Tasks on figures: describe all of it or a part; judge a description; check unrelated lines up to the
first false one. Tasks on text: short sums; checks of sums; lists; comparisons. No question of a
problem and no worked solution appears here, and every figure lies on the training side of the
content split (`mathse.figures.catalogue.side`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mathse.core.steps import render_step_diff
from mathse.figures.canary import DESCRIBE, SUMS, random_sum
from mathse.figures.canvas import PALETTE, Pen
from mathse.figures.catalogue import FAMILIES, Figure, draw_figure, family
from mathse.figures.items import Facts, Read, Step

READING_STEPS = 1500
"""Before this step scattered numbers to read are frequent: who cannot read digits learns little."""

COMPARING = 17_000
"""The first step with lines to compare: two thirds of the steps at first, with short lines."""

SINGLE_DIGITS, NUMBERS = COMPARING + 300, COMPARING + 600
LOOKING_UP = 18_900
"""The first step with entries of a list to find: half of the steps at first."""

SHORT_LISTS, LONG_LISTS = LOOKING_UP + 150, LOOKING_UP + 600
SEEING = 20_700
"""From here half of the steps are figures again; sums and lists come in their hardest forms."""

HARD_TO_SEE = (
    *("spinner",) * 5,
    *("clock", "clock", "triangle", "polygon", "number_line", "prices", "shapes", "coins"),
)
"""Families to draw more often, as many more times as they stand here."""

WIDE = 27_800
"""From here other families are drawn more often: those that were hard on the wider problems."""
HARD_ON_WIDE = (
    *("number_line", "coins", "polygon", "split_angle") * 2,
    *("number_line", "coins", "triangle", "marbles", "clock", "machine", "rectangle"),
)

LOOK = "Describe only {about}."
TRUE = "Is this true?\n{text}"
CHECK = "Is every line true?\n{lines}"
COMPARE = "Compare.\n{lines}\nwith\n{given}"
LOOK_UP = "Look up: {asked}.\n{entries}"
SORT = "{first} first.\n{entries}"
READ = "Read it."


NAMES = (
    "red blue green yellow circles squares triangles pen pens hat hats bag bags cup cups fan fans"
    " ball balls book books key keys"
)


@dataclass(frozen=True)
class Sample:
    """One training sample: prompt, answer, and the figure's PNG bytes (None: text alone)."""

    prompt: str
    answer: str
    png: bytes | None = None
    glyphs: tuple[tuple[str, float, float], ...] = ()


def corrupt(text: str, rng: random.Random, others: Sequence[str] = ()) -> str:
    """Make a true line false: change a number or a word, or drop or repeat an entry of a list.

    Args:
        text: the line.
        rng: chooses what to change.
        others: numbers that the figure shows; one of them often replaces the right one.
    """
    entries = list(re.finditer(r"(?<=[ ])(\d+|[a-z]), (?=\S)", text))
    if entries and rng.random() < 0.15:
        entry = rng.choice(entries)
        return text[: entry.start()] + rng.choice(("", entry.group() * 2)) + text[entry.end() :]
    spots = list(re.finditer(r"\d+|red|blue|green|yellow|straight|right", text))
    while spots:
        spot = rng.choice(spots)
        word = spot.group()
        if word in ("straight", "right"):
            new = "right" if word == "straight" else "straight"
        elif word.isdigit() and others and rng.random() < 0.35:
            new = rng.choice(others)
        elif word.isdigit():
            shift = rng.choice((-20, -10, -5, -2, -1, -1, 1, 1, 2, 5, 10, 20))
            new = str(max(0, int(word) + shift))
            if len(word) > 1 and rng.random() < 0.3:
                digits = list(word)
                digits[rng.randrange(len(digits))] = str(rng.randint(0, 9))
                new = "".join(digits)
        else:
            new = rng.choice([colour for colour in PALETTE if colour != word])
        changed = text[: spot.start()] + new + text[spot.end() :]
        if changed != text:
            return changed
    return text + "?"


def random_figure(rng: random.Random, names: Sequence[str]) -> Figure:
    """Draw a figure of one of the families, of a training level and the training side."""
    return draw_figure(rng, rng.choice(names), rng.choice((1, 2, 2)), wanted_side="train")


def random_reading(
    name: str, facts: Facts, rng: random.Random, *, any_wording: bool = False
) -> Step:
    """Return a line that reads something off a figure, in its usual or in any wording."""
    kind = family(name)
    shown = kind.shown(facts)
    routes = kind.routes(kind.ask(facts, rng), shown)
    read = rng.choice([step for step in rng.choice(routes).steps if isinstance(step, Read)])
    return kind.written(read, shown, rng if any_wording else None)


def figure_sample(
    rng: random.Random,
    names: Sequence[str] = tuple(FAMILIES),
    shares: tuple[float, float] = (0.45, 0.15),
) -> Sample:
    """Draw a figure with one of four tasks; `shares` of them describe all of it, or a part."""
    figure = random_figure(rng, names)
    reading = random_reading(figure.family, figure.facts, rng)
    draw = rng.random()
    if draw < shares[0]:
        return Sample(DESCRIBE, figure.description, figure.png, figure.glyphs)
    if draw < sum(shares):
        return Sample(LOOK.format(about=reading.about), reading.text, figure.png, figure.glyphs)
    if draw < 0.9:
        return check_sample(figure, rng)
    text = figure.description if rng.random() < 0.5 else reading.text
    if rng.random() < 0.4:
        return Sample(TRUE.format(text=text), "yes", figure.png, figure.glyphs)
    return Sample(TRUE.format(text=corrupt(text, rng)), f"no: {text}", figure.png, figure.glyphs)


def check_sample(figure: Figure, rng: random.Random) -> Sample:
    """Ask whether every line is true, of readings of a figure and sums, some of them false."""
    lines = [
        random_reading(figure.family, figure.facts, rng, any_wording=True).text
        for _ in range(rng.choice((1, 1, 2)))
    ]
    lines += [equation(rng) for _ in range(rng.randint(0, 2))]
    shown, found = falsified(lines, rng, re.findall(r"\d+", figure.description))
    return Sample(
        CHECK.format(lines=shown), f"{figure.description} {found}", figure.png, figure.glyphs
    )


def running_total(rng: random.Random) -> tuple[str, str]:
    """Return a sum that starts from a larger number, often across a hundred, and its result."""
    a = rng.choice((100, 105, 110, 150, 200, rng.randint(60, 250)))
    b = rng.choice((1, 2, 5, 10, 20, 50, rng.randint(1, 99)))
    return (f"{a}+{b}", str(a + b)) if rng.random() < 0.7 else (f"{a}-{b}", str(a - b))


def equation(rng: random.Random) -> str:
    """Return a true short sum as a sentence."""
    asked, result = random_sum(rng)
    return f"{asked}={result}."


def falsified(
    lines: Sequence[str], rng: random.Random, others: Sequence[str] = ()
) -> tuple[str, str]:
    """Number true lines, some of them made false, and check them up to the first false one.

    Returns:
        The lines, and the checks (see `mathse.core.steps.render_step_diff`).
    """
    shown, found = [], []
    for number, line in enumerate(lines, start=1):
        given = corrupt(line, rng, others) if rng.random() < 0.3 else line
        shown.append(f"{number}. {given}")
        if not found or found[-1].endswith("right"):
            found.append(render_step_diff(number, line, given))
    return "\n".join(shown), ", ".join(found)


def comparing_sample(rng: random.Random, step: int) -> Sample:
    """Compare numbered lines with others, half of which differ: digits, numbers, later words."""
    count = rng.randint(3, 8)
    lines = [_short_line(rng, step) for _ in range(count)]
    given = [line if rng.random() < 0.5 else _other_line(line, rng, step) for line in lines]
    shown = [
        "\n".join(f"{n}. {line}" for n, line in enumerate(part, start=1)) for part in (lines, given)
    ]
    checks = (
        render_step_diff(n, *pair) for n, pair in enumerate(zip(lines, given, strict=True), start=1)
    )
    return Sample(COMPARE.format(lines=shown[0], given=shown[1]), ", ".join(checks))


def _other_line(line: str, rng: random.Random, step: int) -> str:
    return corrupt(line, rng) if rng.random() < 0.7 else _short_line(rng, step)


def _short_line(rng: random.Random, step: int) -> str:
    if step < SINGLE_DIGITS:
        return str(rng.randint(0, 9))
    draw = rng.random()
    if step < NUMBERS or draw < 0.3:
        return " ".join(
            str(rng.randint(0, 10 ** rng.randint(1, 3) - 1)) for _ in range(rng.randint(1, 3))
        )
    if draw < 0.6:
        return equation(rng)
    kind = FAMILIES[rng.choice([*FAMILIES])]
    facts = kind.facts(rng, rng.choice((1, 2)))
    shown = kind.shown(facts)
    return rng.choice(kind.work(kind.ask(facts, rng), shown, rng).steps).text


def lookup_sample(rng: random.Random, step: int) -> Sample:
    """Find entries of a list (a number by name, a letter by number), or put them in order."""
    # The entries: numbers, more and longer ones later, with letters or names.
    count = rng.randint(2, 3 if step < SHORT_LISTS else 5)
    digits = (1,) if step < SHORT_LISTS else (1, 2, 2, 3)
    numbers: list[str] = []
    while len(numbers) < count:
        number = str(rng.randint(0, 10 ** rng.choice(digits) - 1))
        if number not in numbers:
            numbers.append(number)
    lettered = rng.random() < 0.4
    names = list("ABCDE"[:count]) if lettered else rng.sample(NAMES.split(), count)
    few = step >= SEEING and rng.random() < 0.5
    order = rng.sample(range(count), rng.choice((1, 2)) if few else count)
    # Letters by number, as in multiple choice.
    form = rng.random()
    if form < 0.4:
        entries = "\n".join(
            f"{letter}. {number}" for letter, number in zip("ABCDE", numbers, strict=False)
        )
        asked = ", ".join(numbers[index] for index in order)
        found = ", ".join(f"{numbers[index]} {'ABCDE'[index]}" for index in order)
        return Sample(LOOK_UP.format(asked=asked, entries=entries), found)
    # Numbers by name, or all in order.
    written = rng.choice(("{0} {1}", "{1} {0}")) if not lettered else "{0} {1}"
    listed = [written.format(name, number) for name, number in zip(names, numbers, strict=True)]
    entries = ", ".join(listed)
    if step >= SEEING and rng.random() < 0.5:
        entries = f"{', '.join(listed[:-1])} and {listed[-1]}"
    prompt = LOOK_UP.format(asked=", ".join(names[index] for index in order), entries=entries)
    if form >= 0.8:
        down = rng.random() < 0.5
        order = sorted(range(count), key=lambda index: int(numbers[index]), reverse=down)
        prompt = SORT.format(first="Highest" if down else "Lowest", entries=entries)
    return Sample(prompt, ", ".join(f"{names[index]} {numbers[index]}" for index in order))


def reading_sample(rng: random.Random) -> Sample:
    """Scatter one to three numbers, sums or letters, to be read from top to bottom."""
    pen = Pen(rng)
    count = rng.choice((1, 1, 1, 2, 3))
    rows = rng.sample(range(5), count)
    texts = []
    for row in sorted(rows):
        draw = rng.random()
        text = (
            str(rng.randint(0, 9))
            if draw < 0.4
            else str(rng.randint(10, 180 if draw > 0.9 else 99))
        )
        if draw > 0.95:
            text = rng.choice((f"x+{text}", f"*{text}", f"+{text}", "?", *"ABCDPQxyab"))
        at = (rng.uniform(12, 100), 12 + 22 * row + rng.uniform(-4, 4))
        if rng.random() < 0.4:
            pen.draw.rectangle((at[0] - 14, at[1] - 9, at[0] + 14, at[1] + 9), fill=pen.tint())
        pen.text(at, text)
        texts.append(text)
    return Sample(READ, ", ".join(texts), pen.png(), tuple(pen.glyphs))


def sums_sample(rng: random.Random, step: int) -> Sample:
    """Return some sums to work out or to check."""
    large = 0.3 if step >= SEEING else 0.0
    sums = [
        running_total(rng) if rng.random() < large else random_sum(rng)
        for _ in range(rng.randint(4, 8))
    ]
    if rng.random() < 0.6:
        return Sample(
            SUMS.format(text=" ".join(f"{s}=?" for s, _ in sums)),
            " ".join(f"{s}={r}" for s, r in sums),
        )
    shown, found = falsified([equation(rng) for _ in range(rng.randint(2, 5))], rng)
    return Sample(CHECK.format(lines=shown), found)


def batch(seed: int, step: int, size: int) -> list[Sample]:
    """Return the samples of one training step, all of the kind `kind_of(step)`.

    Sums and lists are short, so that there are twice as many; comparisons are long.
    """
    rng = random.Random(f"{seed}/pretrain/{step}")
    kind = kind_of(step)
    if kind == "text":
        return [sums_sample(rng, step) for _ in range(size * 2)]
    if kind == "comparing":
        return [comparing_sample(rng, step) for _ in range(max(1, size // 2))]
    if kind == "lookup":
        return [lookup_sample(rng, step) for _ in range(size * 2)]
    if kind == "reading":
        return [reading_sample(rng) for _ in range(size)]
    # The shares of whole descriptions and of parts.
    shares = (0.45, 0.15)
    for first, later in ((LOOKING_UP, (0.25, 0.4)), (SEEING, (0.4, 0.4))):
        shares = later if step >= first else shares
    hard = HARD_TO_SEE if step < WIDE else HARD_ON_WIDE
    return [figure_sample(rng, (*FAMILIES, *hard), shares) for _ in range(size)]


def kind_of(step: int) -> str:
    """Return what a training step is about: figure, reading, text, comparing or lookup."""
    if step >= LOOKING_UP:
        early = step < LONG_LISTS
        if step % 2 == 0 if early else step % 6 in ((2,) if step >= SEEING else (0, 2)):
            return "lookup"
        if step % 12 == 3:
            return "comparing"
    elif step >= COMPARING and (step % 6 == 3 or (step < NUMBERS and step % 3 != 0)):
        return "comparing"
    if step % 6 == 5:
        return "text"
    return "reading" if step % (3 if step < READING_STEPS else 12) == 1 else "figure"
