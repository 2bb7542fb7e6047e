"""Read lists, tuples, sets and intervals into their items."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from mathse.answers.quantities import ungroup

MAX_ITEMS = 64


@dataclass(frozen=True)
class Collection:
    """Items with the brackets around them, such as `()`; an empty string if there are none."""

    items: tuple[str, ...]
    brackets: str

    @property
    def ordered(self) -> bool:
        """Return True unless the brackets are braces or missing."""
        return self.brackets not in ("", "{}")


# `, and`, `、`, `;`
_WORDS = re.compile(r",?\s*(?:\band\b|\bor\b|、|和|或|及|;)\s*")
_PLUS_MINUS = re.compile(r"\\(pm|mp)(?![a-zA-Z])")


@lru_cache(maxsize=4096)
def read_collection(text: str) -> Collection | None:
    r"""Read `1, 2`, `{1, 2}`, `(1, 2)`, `[0, 1)`, `1 and 2`, `\pm 3`; None for a single item."""
    text = text.strip()
    if len(text) > 4000 or "\\begin" in text:
        return None
    if text[:1] in "([{" and text[-1:] in ")]}" and _closes_at_end(text):
        inner = _split(ungroup(text[1:-1]) if "," in text else text[1:-1])
        if len(inner) > 1:
            return _collection(inner, text[0] + text[-1])
        return _collection(inner, "") if text[0] == "{" else None
    return _collection(_split(ungroup(text)), "")


def _collection(items: list[str], brackets: str) -> Collection | None:
    if not brackets or brackets == "{}":
        items = [signed for item in items for signed in _both_signs(item)]
    items = [item for item in items if item]
    if len(items) < 2 or len(items) > MAX_ITEMS:
        return None
    names = [re.match(r"^([a-zA-Z](?:_\{?\w+\}?)?)\s*=\s*(.+)$", item) for item in items]
    if names[0] is not None and len({match.group(1) for match in names if match}) == 1:
        items = [
            match.group(2) if match else item for match, item in zip(names, items, strict=True)
        ]
    return Collection(tuple(items), brackets)


def _both_signs(item: str) -> list[str]:
    if len(_PLUS_MINUS.findall(item)) != 1:
        return [item]
    signs = ({"pm": "+", "mp": "-"}, {"pm": "-", "mp": "+"})
    return [
        _PLUS_MINUS.sub(lambda found: sign[found[1]], item).strip()  # noqa: B023
        for sign in signs
    ]


def _split(text: str) -> list[str]:
    """Split at commas, semicolons and joining words that stand outside brackets."""
    text = _WORDS.sub(lambda match: " ; " if ";" in match.group(0) else " , ", text)
    depths = _depths(text)
    for separator in ";,":
        cuts = [i for i, char in enumerate(text) if char == separator and depths[i] <= 0]
        if cuts:
            break
    bounds = [-1, *cuts, len(text)]
    return [text[a + 1 : b].strip() for a, b in zip(bounds, bounds[1:], strict=False)]


def _depths(text: str) -> list[int]:
    """Return how many brackets are open after each character."""
    return list(accumulate((char in "([{") - (char in ")]}") for char in text))


def _closes_at_end(text: str) -> bool:
    return 0 in (depths := _depths(text)) and depths.index(0) == len(text) - 1
