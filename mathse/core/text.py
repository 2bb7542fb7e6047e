"""Text from models and data, made safe to show: it can neither move the cursor nor hide a word."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    r"""Return text with each character that is not seen or steers a terminal as a visible escape.

    These are controls (ESC, bell, carriage return, C1), direction marks, zero-width and unassigned
    characters. Escapes have the form of JSON: "\x1b[2J" becomes "\\u001b[2J". Line feeds, tabs and
    all kinds of blank stay.
    """
    if text.isprintable():
        return text
    return "".join(char if _is_visible(char) else _escape(char) for char in text)


def one_line(text: str) -> str:
    """Return printable text on one line: line feeds become "⏎"."""
    return printable(text).replace("\n", "⏎")


def _is_visible(char: str) -> bool:
    return char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
