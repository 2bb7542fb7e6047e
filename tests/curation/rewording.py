"""Rewordings by rules: synonyms, a sentence before or after, the question first."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from mathse.answers.number_words import NUMBER_WORD

SYNONYMS = {
    "how many": "what is the number of",
    "what is the value of": "find the value of",
    "find": "determine",
    "calculate": "work out",
    "shown": "displayed",
    "picture": "figure",
    "diagram": "figure",
    "biggest": "largest",
    "which of the following": "which one of these",
    "below": "underneath",
    "want to": "would like to",
    "the figure": "the drawing",
    "some": "several",
    "children": "kids",
    "total": "overall",
    "altogether": "in all",
    "has": "possesses",
    "there are": "one can find",
    "equal to": "the same as",
    "each": "every",
    "big": "large",
}
BEFORE = ("Look carefully. ", "Consider the following. ", "Here is a task. ", "")
AFTER = (" Explain how you found it.", " Give your answer.", "", "")


def reworded(question: str, seed: int) -> str:
    """Say the same in other words; numbers and names stay."""
    chance = random.Random(seed)
    text = re.sub(r"<image\d*>", "", question).strip()
    for word, other in SYNONYMS.items():
        if chance.random() < 0.7:
            text = re.sub(rf"\b{word}\b", other, text, flags=re.IGNORECASE)
    sentences = re.split(r"(?<=[.?!])\s+", text)
    if len(sentences) > 2 and chance.random() < 0.5:
        sentences = [sentences[-1], *sentences[:-1]]
    return chance.choice(BEFORE) + " ".join(sentences) + chance.choice(AFTER)


NAMES = NUMBER_WORD.split("|")  # zero to twenty, thirty to ninety, hundred …
SMALL, TENS = NAMES[:20], NAMES[20:28]


def in_words(number: int) -> str:
    """Write a number below 1,000 in words."""
    if number >= 100:
        rest = f" and {in_words(number % 100)}" if number % 100 else ""
        return f"{SMALL[number // 100]} hundred{rest}"
    if number < 20:
        return SMALL[number]
    return TENS[number // 10 - 2] + (f"-{SMALL[number % 10]}" if number % 10 else "")


def with_numbers_in_words(question: str) -> str:
    """Write whole numbers from 2 to 999 in words, where they stand alone."""
    alone = r"(?<![\w.,$^\\{])(?:[2-9]|[1-9]\d\d?)(?![\w,]|\.\d)"
    return re.sub(alone, lambda found: in_words(int(found[0])), question)


def with_choices_listed(question: str, choices: Sequence[str], seed: int) -> str:
    """Put the choices at the end of the question, in one of four usual forms."""
    head, form, between = (
        ("\nChoices:\n", "({}) {}", "\n"),
        ("\n", "{}. {}", "\n"),
        ("\n", "({}) {}", "\n"),
        (" ", "({}) {}", " "),
    )[seed % 4]
    lines = [form.format(chr(65 + index), choice) for index, choice in enumerate(choices)]
    return f"{question}{head}{between.join(lines)}"


def with_other_numbers(question: str, seed: int) -> str | None:
    """Change every number in digits; None where there is none."""
    chance = random.Random(seed)
    plain = re.sub(r"<image\d*>", "", question)
    changed = re.sub(r"\d+", lambda found: str(int(found[0]) + chance.randint(1, 9)), plain)
    return None if changed == plain else changed
