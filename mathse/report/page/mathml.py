"""Formulas of texts as MathML, which browsers draw without any script or network."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from latex2mathml.converter import convert

MAX_CHARS = 400
MAX_FORMULAS = 20_000
# $x^2$, $$x^2$$, \(x^2\), \[x^2\], but no price as in "$5 and $6"
FORMULA = re.compile(
    r"\$\$(?P<block>[^$]+)\$\$|\$(?![\s\d.,]+\s)(?P<inline>[^$\n]*[^$\s])\$(?!\d)"
    r"|\\\((?P<round>.+?)\\\)|\\\[(?P<square>.+?)\\\]",
    re.DOTALL,
)


def to_mathml(texts: Iterable[str]) -> dict[str, str]:
    """Return the MathML of each formula that occurs, by the formula with its delimiters.

    What cannot be read is left out: the page shows it as it is written.
    """
    found: dict[str, str] = {}
    marked = {text for text in texts if "$" in text or "\\" in text}
    for match in (match for text in sorted(marked) for match in FORMULA.finditer(text)):
        source = next(part for part in match.groups() if part is not None)
        if match[0] not in found and len(source) <= MAX_CHARS and len(found) < MAX_FORMULAS:
            found[match[0]] = _convert(source, is_block=match[0].startswith(("$$", "\\[")))
    return {formula: mathml for formula, mathml in found.items() if mathml}


def _convert(source: str, *, is_block: bool) -> str:
    try:
        mathml = convert(source, display="block" if is_block else "inline")
        ElementTree.fromstring(mathml)
    except Exception:  # whatever a strange formula makes the library or the parser raise
        return ""
    return mathml
