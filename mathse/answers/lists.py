"""Read lists, tuples, sets and intervals into their items."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from mathse.answers.quantities import ungroup

MAX_ITEMS = 64


@dataclass(frozen=True)
class Collection:
    """Items with the brackets around them: `(` `)` in order, none or braces in any order."""

    items: tuple[str, ...]
    brackets: str

    @property
    def ordered(self) -> bool:
        """Whether the brackets say that order counts."""
        return self.brackets not in ("", "{}")


_WORDS = re.compile(r",?\s*(?:\band\b|\bor\b|、|和|或|及|;)\s*")
_PLUS_MINUS = re.compile(r"\\(pm|mp)(?![a-zA-Z])")


@lru_cache(maxsize=4096)
def read_collection(text: str) -> Collection | None:
    r"""Read `1, 2`, `{1, 2}`, `(1, 2)`, `[0, 1)`, `1 and 2`, `\pm 3`; None for anything with a single item.

    Args:
        text: an answer as `normal.plain_math` returns it.

    Returns:
        The items with their brackets, or None.
    """
    text = text.strip()
    if len(text) > 4000 or "\\begin" in text:
        return None
    brackets = ""
    if text[:1] in "([{" and text[-1:] in ")]}" and _closes_at_end(text):
        inner = _split(ungroup(text[1:-1]) if "," in text else text[1:-1])
        if len(inner) > 1:
            brackets = text[0] + text[-1]
            return _collection(inner, brackets)
        return _collection(inner, "") if text[0] == "{" else None
    return _collection(_split(ungroup(text)), brackets)


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
    upper = _PLUS_MINUS.sub(lambda match: "+" if match.group(1) == "pm" else "-", item)
    lower = _PLUS_MINUS.sub(lambda match: "-" if match.group(1) == "pm" else "+", item)
    return [upper.strip(), lower.strip()]


def _split(text: str) -> list[str]:
    """Split at commas, semicolons and joining words that stand outside brackets."""
    text = _WORDS.sub(lambda match: " ; " if ";" in match.group(0) else " , ", text)
    separator = ";" if _outside(text, ";") else ","
    return [piece.strip() for piece in _outside(text, separator, cut=True)]


def _outside(text: str, separator: str, *, cut: bool = False) -> list[str]:
    pieces, depth, begin = [], 0, 0
    for position, char in enumerate(text):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == separator and depth <= 0:
            pieces.append(text[begin:position])
            begin = position + 1
    if not pieces and not cut:
        return []
    return [*pieces, text[begin:]]


def _closes_at_end(text: str) -> bool:
    depth = 0
    for position, char in enumerate(text):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0:
                return position == len(text) - 1
    return False
