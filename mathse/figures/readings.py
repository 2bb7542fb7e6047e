"""Sentences that read values off a figure: written from what it shows, and read back.

A reading has a key, several wordings, and slots in braces. `shown` is what the figure shows, by
name: a number, a word, a list (`{"coins": [5, 2]}`) or a table (`{"bars": {"A": 3, "B": 7}}`).

| slot | written |
|---|---|
| `{width}` | the value of a name; `{minute:02}` with two digits |
| `{coins:list}` | a list in any order: `5, 2, 2` or `5, 2 and 2` |
| `{terms:row}` | a list in its order |
| `{bars:named}` | a table: `A 3, B 7` |
| `{counts:pairs}` | a table: `3 red and 7 blue` |
| `{counts:plurals}` | the same with nouns: `1 circle and 3 squares` |
| `{bars:key1}`, `{bars:value1}` | one chosen entry of a table, `2` for the second |
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

Value = int | str
Shown = Mapping[str, Value | Sequence[Value] | Mapping[str, Value]]
"""What a figure shows, by name."""

# `{width}`, `{bars:key1}`, `{minute:02}`
_SLOT = re.compile(r"\{(\w+)(?::(\w+))?\}")
_WORD = r"[A-Za-z0-9]+"  # red, 12
_ENTRY = r"[A-Za-z0-9?]+"  # red, 12, ?
_LIST = rf"{_ENTRY}(?:(?:, | and ){_ENTRY})*"  # "red, blue and ?"
_PAIR = rf"{_WORD} {_WORD}"  # "3 red"
_PAIRS = rf"{_PAIR}(?:(?:, | and ){_PAIR})*"  # "3 red, 4 blue and 1 green"
_JOINED = re.compile(r", | and ")  # between the entries of "red, blue and green"


@dataclass(frozen=True)
class Reading:
    """One thing to read off a figure, in several wordings.

    Attributes:
        key: its name within the family.
        about: what it reads, a short noun phrase with slots, for prompts and analyses.
        wordings: sentences with slots; the first is the usual one.
    """

    key: str
    about: str
    wordings: tuple[str, ...]


@dataclass(frozen=True)
class Claim:
    """What a sentence says of the figure about one slot.

    Attributes:
        slot: `width`, `bars.A`; for a list or a whole table its name.
        said: the value as the sentence has it.
        right: the value as the figure has it; None where it has no such entry.
    """

    slot: str
    said: object
    right: object


def write(
    wording: str, shown: Shown, keys: Sequence[str] = (), rng: random.Random | None = None
) -> str:
    """Fill a wording in.

    Args:
        wording: a sentence with slots.
        shown: what the figure shows.
        keys: the chosen entries of a table, in the order of `key1`, `key2`.
        rng: chooses how lists end, `, ` or ` and `; None: ` and ` for `pairs`, else `, `.
    """
    last = rng.choice((", ", " and ")) if rng else None

    def filled(found: re.Match[str]) -> str:
        name, form = found.groups()
        part = shown.get(name, "")
        if form is None:
            return str(part)
        if form == "02":
            return f"{part:02d}"
        if form.startswith(("key", "value")):
            assert isinstance(part, Mapping)
            key = keys[int(form[-1]) - 1]
            return key if form.startswith("key") else str(part[key])
        return _joined(_entries(part, form), last or (" and " if form == "pairs" else ", "))

    return _SLOT.sub(filled, wording)


def _entries(part: object, form: str) -> list[str]:
    if form in ("list", "row"):
        assert isinstance(part, Sequence)
        return [str(entry) for entry in part]
    assert isinstance(part, Mapping)
    if form == "named":
        return [f"{key} {number}" for key, number in part.items()]
    if form == "pairs":
        return [f"{number} {key}" for key, number in part.items()]
    return [f"{n} {key}" if n == 1 else f"{n} {key}s" for key, n in part.items()]


def _joined(parts: Sequence[str], last: str) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}{last}{parts[-1]}"


@functools.cache
def _pattern(wording: str) -> re.Pattern[str]:
    """Return the pattern of a wording, with one group for each slot, in order."""
    written, at = "", 0
    for slot in _SLOT.finditer(wording):
        form = slot.group(2) or ""
        inner = {"list": _LIST, "row": _LIST, "02": r"\d+"}.get(form, _WORD)
        if form in ("named", "pairs", "plurals"):
            inner = _PAIRS
        written += re.escape(wording[at : slot.start()]) + f"({inner})"
        at = slot.end()
    # "The bar is 12." for "The bar is {height}."
    return re.compile(written + re.escape(wording[at:]))


def parse(sentence: str, wording: str, shown: Shown) -> list[Claim] | None:
    """Return what a sentence of this wording claims, or None if it is another sentence."""
    found = _pattern(wording).fullmatch(sentence)
    if not found:
        return None
    slots = [*zip(_SLOT.findall(wording), found.groups(), strict=True)]
    keys = {
        (name, form[-1]): _known_key(text, shown[name])
        for (name, form), text in slots
        if form.startswith("key")
    }
    claims = []
    for (name, form), text in slots:
        part: object = shown[name]
        if form.startswith("value"):
            assert isinstance(part, Mapping)
            key = keys[name, form[-1]]
            claims.append(Claim(f"{name}.{key}", _typed(text), part.get(key)))
        elif form in ("list", "row"):
            assert isinstance(part, Sequence)
            order = list if form == "row" else functools.partial(sorted, key=str)
            said = order([_typed(entry) for entry in _JOINED.split(text)])
            claims.append(Claim(name, said, order(part)))
        elif form in ("named", "pairs", "plurals"):
            assert isinstance(part, Mapping)
            claims.append(Claim(name, _table(text, form, part), dict(part)))
        elif not form.startswith("key"):
            claims.append(Claim(name, _typed(text), part))
    return claims


def _table(text: str, form: str, table: Mapping[str, Value]) -> dict[str, Value] | None:
    """Return a written table; None where a key stands twice."""
    items = [entry.split(" ") for entry in _JOINED.split(text)]
    pairs = [(one, two) if form == "named" else (two, one) for one, two in items]
    said = {_known_key(key, table): _typed(number) for key, number in pairs}
    return said if len(said) == len(pairs) else None


def _known_key(key: str, table: object) -> str:
    """Return a table's key for a noun that may stand in the plural."""
    assert isinstance(table, Mapping)
    return key if key in table or key.removesuffix("s") not in table else key.removesuffix("s")


def _typed(text: str) -> Value:
    return int(text) if text.isdigit() else text


def values(slot: str, shown: Shown) -> Iterator[tuple[str, Value]]:
    """Yield the single values that a slot stands for, with their names: `coins.0`, `bars.A`."""
    name, _, key = slot.partition(".")
    part = shown[name]
    if key:
        assert isinstance(part, Mapping)
        if key in part:
            yield slot, part[key]
    elif isinstance(part, Mapping):
        for entry, number in part.items():
            yield f"{name}.{entry}", number
    elif isinstance(part, str | int):
        yield name, part
    else:
        for index, one in enumerate(part):
            yield f"{name}.{index}", one


def number(part: object) -> int:
    """Return a part of `shown`, or of what a question gives, that is a number."""
    assert isinstance(part, int)
    return part


def table(shown: Shown, name: str) -> dict[str, int]:
    """Return a table of numbers that a figure shows."""
    part = shown[name]
    assert isinstance(part, Mapping)
    return {key: int(entry) for key, entry in part.items()}
