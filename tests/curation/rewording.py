"""Rewordings by rules: synonyms, a sentence before or after, the question first."""

from __future__ import annotations

import random
import re

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


def with_other_numbers(question: str, seed: int) -> str | None:
    """Change every number in digits; None where there is none."""
    chance = random.Random(seed)
    plain = re.sub(r"<image\d*>", "", question)
    changed = re.sub(r"\d+", lambda found: str(int(found[0]) + chance.randint(1, 9)), plain)
    return None if changed == plain else changed
