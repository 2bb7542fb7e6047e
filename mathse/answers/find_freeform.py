"""Find the final answer of a free-form problem in a response."""

from __future__ import annotations

import re

from mathse.answers import markers
from mathse.answers.compare import compare
from mathse.answers.markers import Span
from mathse.answers.normalize import plain_math
from mathse.answers.quantities import NUMBER_WORD, read_quantity
from mathse.answers.units import read_unit

_DECIMAL = r"(?:[1-9]\d{0,2}(?:,\d{3})+(?![\d])(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)"
_GROUP = r"\{(?:[^{}]|\{[^{}]*\})*\}"
_SYMBOLS = (
    rf"(?:\\frac\s*(?:{_GROUP}|\d)\s*(?:{_GROUP}|\d)|\\sqrt\s*(?:\[\d\])?\s*(?:{_GROUP}|\d+)|\\pi(?![a-zA-Z])|"
    r"\([-\d\s+*/^.]{1,30}\)|\{\d+\})"
)
_ATOM = rf"(?:\d+\s+\d+\s*/\s*\d+|{_DECIMAL}(?:e[-+]?\d+)?|{_SYMBOLS})"
_RUN = re.compile(
    rf"(?<![\w.\\])(?:[-+]\s*)?[$€£¥]?\s*{_ATOM}(?:\s*(?:[-+*/^]|:(?=\d))\s*{_ATOM}|\s*{_SYMBOLS})*"
    r"(?P<tail>\s*(?:%|°\s*[CF]?|percent|million|billion|thousand|hundred|万|亿)?"
    r"(?:\s*(?:square|sq\.?|cubic|cu\.?)?\s*[a-zA-Z\u4e00-\u9fff]+(?:\^\{?[23]\}?)?(?:/[a-z]+)?)?)"
)
_WORD_RUN = re.compile(
    rf"\b(?:{NUMBER_WORD})(?:[\s-]+(?:and\s+)?(?:{NUMBER_WORD}|half|third|thirds|quarters?))*\b",
    re.I,
)
_COPULA = re.compile(
    r"\b(?:value of|is|are|was|were|be|equals?|equal to|have|has|had|got|gives?|get|contains?|"
    r"there(?:'s| is| are)|costs?|needs?|covers?|shows?|makes?|becomes?|total(?:s|ing)?|"
    r"exactly|approximately|about|around)\b|为|是|等于|有",
    re.I,
)
REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|could not|couldn't|unable to|not possible to|impossible to|not able to|don't have|"
    r"do not have|difficult to|does not|doesn't|would need to|would require|need more)\b"
    r".{0,60}\b(?:determine|answer|provide|view|see|solve|process|interpret|display|open|calculate|"
    r"tell|say|identify|find|access|enough|information|analy|specify)"
    r"|\bnot (?:provided|enough information|specified|given|clear)\b"
    r"|\bno (?:information|figures?|image)\b|\bincomplete\b"
    r"|\b(?:mistake|error) in the (?:problem|question|setup)|\bno solution to\b"
    r"|insufficient|无法(?:确定|得出|判断|回答|计算)",
    re.I,
)
_ORDINAL = re.compile(
    r"\d+(?:st|nd|rd|th)\b|\bstep\s*\d+|\b(?:figure|image|option|choice|question|problem|example|bar|row|column|"
    r"week|day)\s*\d+",
    re.I,
)
_CUT_OFF = re.compile(r"(?:[=+*/^{(\\,-]|\\[a-zA-Z]+)\s*$")
_LISTED = re.compile(r"^\s*(?:\d+[.)]|[-*•])?\s*[^\n:]{1,40}:\s*[$\d][\d.,%]*\s*$", re.M)
_BOLD = re.compile(r"\*\*([^*\n]{1,40})\*\*")
_PLEASANTRY = re.compile(
    r"(?:I hope|Let me know|Do you (?:want|have)|Please let|Feel free|Is there anything)", re.I
)
_BOUND = re.compile(
    r"\b(?:less|lower|fewer|smaller|more|greater|higher|larger|longer|shorter|older|younger)\s+than\s+\$?[\d.,]+%?"
    r"|\b(?:at\s+(?:least|most)|above|below|over|under|exceed(?:s|ing)?|between|out of|per)\s+"
    r"\$?[\d.,]+%?(?:\s+and\s+[\d.,]+%?)?",
    re.I,
)
_COORDINATED = re.compile(
    r"(?<![\d.])\d+(?:\.\d+)?(?:,\s+\d[\d.]*|(?:\s+[a-zA-Z]+){0,3}\s+and\s+\d+\b(?!\s*/))"
)
_BESIDE = re.compile(r"(?:\W|(?:so|thus|hence|therefore|the|our|my|final|correct|and)\b)*", re.I)
"""What may stand between a box and a statement of the answer that belong together."""
_SPAN = re.compile(r"^\s*(?:from\s+)?[-\d.,]+\s+to\s+[-\d.,]+", re.I)


def find_free_form(text: str, *, wants_number: bool) -> Span | None:
    """Find the final answer.

    Args:
        text: a response that went through `normal.clean_response`.
        wants_number: whether the answer is known to be a number.

    Returns:
        The answer's text, with the rule that found it, or None.
    """
    if not text:
        return None
    if len(text) <= 60 and "\n" not in text:
        short = _short(text, wants_number)
        if short is not None:
            return short
    stated = _stated(text, wants_number)
    if stated is not None:
        return stated
    return _concluded(text, wants_number)


def _short(text: str, wants_number: bool) -> Span | None:
    if "boxed" in text or any(marker.rule == "marker" for marker in markers.markers(text)):
        return None
    if read_quantity(text) is not None or re.fullmatch(r"[-+]?\d+,\d+\.?", text):
        return Span(0, text.strip(" *").rstrip("."), "whole")
    if (
        not wants_number
        and _MATH_SPAN.search(text)
        and re.search(r"[a-zA-Z]{2}", _MATH_SPAN.sub("", text))
    ):
        return Span(0, _value_said(text), "whole")
    if not wants_number and not re.search(r"[a-zA-Z]{3,}\s+[a-zA-Z]{2,}\s+[a-zA-Z]", text):
        return Span(0, text.strip(), "whole")
    return None


def _stated(text: str, wants_number: bool) -> Span | None:
    """The last box or the last "answer is", whichever comes later and holds an answer."""
    box = markers.last_boxed(text) if "box" in text else None
    for marker in reversed(markers.markers(text)):
        if marker.rule == "option":
            continue
        if box is not None and box.start > marker.start - 1:
            break
        if "boxed" in marker.text and box is not None:
            break
        answer = _from_snippet(marker.text, wants_number)
        if answer is not None:
            if box is not None and _contradicts(text, box, marker, answer):
                return Span(marker.start, "", "several_answers")
            return Span(marker.start, answer, "marker")
    if box is not None:
        content = box.text.strip()
        if wants_number and read_quantity(content) is None:
            number = number_in(content, last=True)
            simple = number is not None and not re.search(
                r"[,;]|\\pm|[a-zA-Z]\s*[-+*/^]|[-+*/^]\s*[a-zA-Z]", plain_math(content)
            )
            return Span(box.start, number if simple and number is not None else content, "boxed")
        return Span(box.start, content, "boxed")
    return None


def _contradicts(text: str, box: Span, marker: Span, answer: str) -> bool:
    """Return True if one number is boxed and right after it another is stated: there is no single answer.

    A box with further steps after it may hold a result on the way.
    """
    at = text.find(box.text, box.start)
    if at < 0 or not _BESIDE.fullmatch(text, at + len(box.text), marker.start):
        return False
    if read_quantity(box.text) is None or read_quantity(answer) is None:
        return False
    return compare(box.text, answer).equal is False


def _from_snippet(snippet: str, wants_number: bool) -> str | None:
    snippet = snippet.strip().strip("*_").strip()
    if REFUSAL.search(snippet):
        return None
    if wants_number:
        if read_quantity(snippet) is not None:
            return snippet
        return number_in(snippet, last=False)
    formula = re.match(
        r"^[^$\\]{0,60}?(?:\$\$?(?P<a>[^$]+)\$\$?|\\\((?P<b>.+?)\\\)|\\\[(?P<c>.+?)\\\])", snippet
    )
    if formula is not None:
        rest = snippet[formula.end() :].strip(" .")
        more = re.search(r"(?:and|or|,)\s*[$\\]", rest[:12])
        return (
            snippet.strip(" .")
            if more
            else (formula.group("a") or formula.group("b") or formula.group("c")).strip()
        )
    return snippet.strip(" .*\"'") or None


def _concluded(text: str, wants_number: bool) -> Span | None:
    """Without a statement: the last conclusion, then the sentence that holds the only number, then the last number."""
    parts = [part for part in markers.sentences(text) if not _PLEASANTRY.match(part.text)]
    conclusions = [part for part in parts if markers.concludes(part.text)]
    if not parts or any(REFUSAL.search(part.text) for part in [parts[-1], *conclusions[-1:]]):
        return None
    if not conclusions and REFUSAL.search(text):
        return None
    if not wants_number:
        last = next(
            (part for part in reversed(parts) if re.search(r"[\w\\]", part.text)), parts[-1]
        )
        return Span(last.start, _value_said(last.text), "last")
    bold = {match.group(1): match.start() for match in _BOLD.finditer(text)}
    if len(bold) == 1 and not conclusions:
        emphasised = number_in(next(iter(bold)), last=True)
        if emphasised is not None:
            return Span(next(iter(bold.values())), emphasised, "bold")
    if not conclusions and (
        _CUT_OFF.search(text) or len(_LISTED.findall(text)) > max(3, len(parts) // 2)
    ):
        return None
    stating = [part for part in parts if "=" in part.text or _COPULA.search(part.text)]
    for part in [*reversed(conclusions[-2:]), *reversed(stating), *reversed(parts)]:
        if REFUSAL.search(part.text):
            continue
        number = number_in(part.text, last=True)
        if number is not None:
            return Span(part.start, number, "conclusion" if part in conclusions else "sentence")
    return None


_MATH_SPAN = re.compile(r"\$\$?([^$]+)\$\$?(?:\s*(?:%|percent))?|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.S)


def _value_said(sentence: str) -> str:
    """The value of a sentence that is no number: its last formulas (joined by and), else what comes after "is"."""
    spans = list(_MATH_SPAN.finditer(sentence))
    if spans:
        first = len(spans) - 1
        while first > 0 and re.fullmatch(
            r"\s*(?:,|;|and|or|, and|, or|和|或)\s*",
            sentence[spans[first - 1].end() : spans[first].start()],
        ):
            first -= 1
        return (
            sentence[spans[first].start() : spans[-1].end()]
            if first < len(spans) - 1
            else spans[-1].group(0)
        )
    said = re.split(r"(?<![<>!=])=(?!=)|\bis\b|\bare\b|为|是", sentence)[-1].strip(" .*$:")
    return said or sentence


def number_in(sentence: str, *, last: bool) -> str | None:
    """Pick the number that a sentence states.

    The right side of the last equals sign comes first; then the first number after the last "is",
    "are", "has", …; then the last number (the first, where a marker already led here). Bounds
    ("more than 8", "at least 60") are not answers while there is another number; a span ("from 13
    to 20") and a list ("4 balls and 3 cubes") are no single number, and come back as they are.

    Args:
        sentence: the sentence.
        last: whether the last of several candidates is meant.

    Returns:
        The number with its unit, or None.
    """
    text = plain_math(sentence.replace("**", "").replace("__", ""))
    if "\\approx" in text:
        text = text.split("\\approx")[0] if "=" in text.split("\\approx")[0] else text
    equals = re.split(r"(?<![<>!])=", text)
    for side in reversed(equals[1:]):
        found = _runs(side)
        if found:
            clause = re.search(
                r",\s*(?:then\s+)?[a-zA-Z∠\\].*?\b(?:is|are|equals|must be)\b(.*)$", side, re.S
            )
            later = _runs(clause.group(1)) if clause is not None else []
            return later[0] if later else found[0]
    for aside in (_BOUND, _ORDINAL):
        kept = aside.sub(lambda match: " " * len(match.group(0)), text)
        if kept != text and (_runs(kept) or _words(kept)):
            text = kept
    runs = _runs(text)
    if len(runs) == 1:
        return runs[0]
    if not runs:
        words = _words(text)
        return None if not words else words[-1 if last else 0]
    for position in reversed([match.end() for match in _COPULA.finditer(text)]):
        span = _SPAN.match(text[position:])
        if span is not None:
            return span.group(0).strip()
        found = _runs(text[position:])
        if found:
            several = _COORDINATED.search(text, position)
            return several.group(0).strip() if several is not None else found[0]
    return runs[-1 if last else 0]


def _words(text: str) -> list[str]:
    """Number words that a sentence states: after a verb, or alone."""
    found = []
    for match in _WORD_RUN.finditer(text):
        before = text[: match.start()].rstrip(" *:").lower()
        if not before or re.search(
            r"(?:\b(?:is|are|was|were|has|have|exactly|only|about|equals?|to)|:|,)$", before
        ):
            found.append(match.group(0))
    return found


def _runs(text: str) -> list[str]:
    """All numbers of a text, each with its unit if it has one."""
    found = []
    for match in _RUN.finditer(text):
        run = match.group(0).strip()
        spaced = r"[\w)}]\s*$" if run[1:2].isspace() else r"[\w)}]$"
        if run[0] in "+-" and re.search(spaced, text[: match.start()]):
            continue  # the sign joins two terms: this is no number of its own
        tail = match.group("tail").strip()
        if tail and not _is_unit(tail, text[match.end() :]):
            run = run[: len(run) - len(tail)].strip()
        if "\\frac" in run and read_quantity(run) is None:
            continue
        found.append(run.strip(" ,"))
    return found


def _is_unit(tail: str, after: str) -> bool:
    """Return True if the words after a number are its unit; `in` and single letters only at the end of a clause."""
    word = tail.lstrip("%°").strip()
    if not word:
        return True
    if (len(word) == 1 or word.lower() == "in") and re.match(r"\s*(?:$|[.,;)])", after) is None:
        return False
    return read_quantity("1 " + tail) is not None and (
        read_unit(word) is not None or word.lower() in _SCALE_WORDS
    )


_SCALE_WORDS = {"percent", "million", "billion", "thousand", "hundred", "万", "亿"}
