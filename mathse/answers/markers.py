"""Where in a response the answer stands: closing sentences, boxes, conclusions; English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Span:
    """A part of a response that states an answer.

    Attributes:
        start: where it begins in the response.
        text: the part itself.
        rule: how it was recognised: boxed, marker, conclusion, whole, first, last.
    """

    start: int
    text: str
    rule: str


MAX_BOXES = 24
"""More boxes than this are noise; the last ones are read."""

MAX_MARKERS = 40

_BOXED = re.compile(r"\\f?boxed\s*(?=\{)|\\f?boxed\s+(?P<bare>[^\s{}$\\]+)|\\fbox\s*(?=\{)")
_MARKER = re.compile(
    r"\b(?:answer|solution|result|choice|option|ans)s?\b(?!\s+(?:choices|options))"
    r"(?P<middle>[^\n:.=]{0,90}?)"
    r"(?:\*\*|__)?[ \t]*(?::|=|\b(?:is|are|was|would be|will be|must be|should be|be)\b(?!\s+(?:not|given by)\b))"
    r"(?:\*\*|__)?[ \t]*:?[ \t]*(?:\*\*|__)?"
    r"|^[ \t]*\#{3,4}\s*(?=[-$\\\d])",
    re.I | re.M,
)
_MARKER_CHINESE = re.compile(
    r"(?:答案|选项|答)(?P<middle>[^\n。:,]{0,16}?)(?:应该?是|应为|就?是|为|选择?|:)\s*:?"
    r"|选择?\s*:?\s*(?:答案|选项)?\s*:?\s*(?=[(]?[A-Ha-h①-⑧](?![a-zA-Z]))"
)
_CONCLUSION = re.compile(
    r"(?:\b(?:therefore|thus|hence|(?<!and )(?<![a-z] )so(?! on\b)|in conclusion|in summary|finally|"
    r"we (?:get|find|have|obtain)|it follows|this means|conclude)\b|所以|因此|故|综上|∴|\\therefore)",
    re.I,
)
_SENTENCE_END = re.compile(
    r"(?<!\d)[.](?=\s|$|[*\"'<)$\\])|(?<=\d)[.](?=\s+[A-Z*\\(]|\s*$|[*\"'<)$\\])|(?<=[a-z\s])!(?=\s|$)|[?。！？]|\n"
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|approx|sq|cu|ft|in|vs|Mr|Mrs|Dr|No|St|[A-Z])|^\s*\d)$"
)
_NOTHING = re.compile(r"^[\s*_$:.\\()\[\]\"']*$")


def boxed(text: str) -> list[Span]:
    r"""Return the contents of all `\boxed{…}`, with balanced braces; an unclosed last box runs to its line's end."""
    spans = []
    for match in list(_BOXED.finditer(text))[-MAX_BOXES:]:
        if match.group("bare"):
            spans.append(Span(match.start(), match.group("bare"), "boxed"))
            continue
        begin = match.end()
        end = _closing_brace(text, begin)
        content = (
            text[begin + 1 : end] if end > 0 else text[begin + 1 :].split("\n", 1)[0].rstrip(" $.*")
        )
        if not _NOTHING.match(content):
            spans.append(Span(match.start(), content, "boxed"))
    return spans


def _closing_brace(text: str, begin: int) -> int:
    depth = 0
    for position in range(begin, min(len(text), begin + 4000)):
        char = text[position]
        if char == "\\":
            continue
        if char in "{}" and text[position - 1] == "\\":
            continue
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                return position
    return -1


_LINK = re.compile(r"(?:[\s$.,;*、和或]|and|or|\\[()\[\]]|\\quad|\\text\{\s*(?:and|or)\s*\})*")


def last_boxed(text: str) -> Span | None:
    """Return the last box; boxes joined by nothing but `and`, `or`, a comma make one list."""
    spans = boxed(text)
    if not spans:
        return None
    first = len(spans) - 1
    ends = {span.start: text.find(span.text, span.start) + len(span.text) for span in spans}
    while first > 0:
        between = text[ends[spans[first - 1].start] + 1 : spans[first].start]
        if (
            len(between) > 40
            or not re.search(r"and|or|,|、|和|或", between)
            or not _LINK.fullmatch(between)
        ):
            break
        first -= 1
    if first == len(spans) - 1:
        return spans[-1]
    return Span(spans[first].start, ", ".join(span.text for span in spans[first:]), "boxed")


_MARKER_WORDS = ("ans", "solution", "result", "choice", "option", "###")
"""A marker holds one of these, and they are found far sooner than the pattern, which tries at every word."""


def _marker_matches(text: str) -> Iterator[re.Match[str]]:
    """Yield what `_MARKER.finditer` would."""
    low = text.lower()
    if len(low) != len(text):
        yield from _MARKER.finditer(text)
        return
    starts = set()
    for word in _MARKER_WORDS:
        at = low.find(word)
        while at >= 0:
            if word == "###":
                while at and text[at - 1] in " \t":
                    at -= 1
            starts.add(at)
            at = low.find(word, low.find(word, at) + 1)
    end = 0
    for start in sorted(starts):
        if start >= end and (match := _MARKER.match(text, start)) is not None:
            yield match
            end = match.end()


@lru_cache(maxsize=64)
def markers(text: str) -> tuple[Span, ...]:
    """Return what follows each "the answer is", "Answer:", "答案是", … up to the end of its sentence.

    The rule of a span is `marker`, or `option` where the words were "the option is" and the like,
    which state an answer in multiple choice only. "Option (B) is wrong" and "the answer for (A) is"
    state none.
    """
    spans = []
    matches = list(_marker_matches(text))
    if not text.isascii():
        matches += _MARKER_CHINESE.finditer(text)
        matches.sort(key=re.Match.start)
    for match in matches[-MAX_MARKERS:]:
        rest = text[match.end() : match.end() + 600]
        skipped = re.match(r"[\s*_:$]*\n\s*", rest)
        if skipped is not None:
            rest = rest[skipped.end() :]
        sentence = rest[: sentence_end(rest)].strip()
        if (
            _NOTHING.match(sentence)
            or _DENIED.match(sentence)
            or _LABEL_INSIDE.search(match.group("middle") or "")
        ):
            continue
        if skipped is not None and len(sentence) > MAX_SET_OFF and "boxed" not in sentence:
            continue
        if _OTHERS.search(text[max(0, match.start() - 12) : match.end()]):
            continue
        word = (
            match.group(0)[: match.start("middle") - match.start()].lower()
            if match.group("middle") is not None
            else ""
        )
        if word.endswith(("solution", "result")) and len(sentence) > 2 * MAX_SET_OFF:
            continue
        spans.append(
            Span(match.start(), sentence, "option" if word.endswith(_OPTION_WORDS) else "marker")
        )
    return tuple(spans)


MAX_SET_OFF = 40
"""An answer on a line of its own, after "the answer is:", is no longer than this; what is longer is a solution."""

_OPTION_WORDS = ("option", "options", "choice", "choices")
_OTHERS = re.compile(
    r"\b(?:other|wrong|remaining|available|answer)\s+(?:answer\s+)?(?:choices|options|answers)\b|\b(?:choices|options)\s+are\b",
    re.I,
)
_DENIED = re.compile(r"(?:also\s+|clearly\s+)?(?:incorrect|wrong|not\b|false because)", re.I)
_LABEL_INSIDE = re.compile(r"\(\s*[A-H]\s*\)|^\s+[A-H]\s*$")


MAX_SENTENCE_CHARS = 4000
_NOTHING_MORE = re.compile(r".\s*\Z")


def sentence_end(text: str, start: int = 0) -> int:
    """Return where the sentence that begins at `start` ends; a point inside a number or an abbreviation ends none."""
    stop = min(len(text), start + MAX_SENTENCE_CHARS)
    for match in _SENTENCE_END.finditer(text, start, stop):
        at = match.start()
        if at == start:
            continue
        if (
            text[at] == "."
            and _ABBREVIATION.search(text[max(start, at - 8) : at])
            and not _NOTHING_MORE.match(text, at, stop)
        ):
            continue
        return at
    return stop


def sentences(text: str) -> list[Span]:
    """Cut a text into sentences."""
    spans: list[Span] = []
    position = 0
    while position < len(text) and len(spans) < 4000:
        end = max(position + 1, sentence_end(text, position))
        piece = text[position:end]
        if not _NOTHING.match(piece):
            spans.append(Span(position, piece.strip(), "sentence"))
        position = end
        while position < len(text) and text[position] in ".!?。！？\n \t":
            position += 1
    return spans


_CONCLUSION_PARTS = (
    "so",
    "therefore",
    "thus",
    "hence",
    "conclu",
    "in summary",
    "finally",
    "we ",
    "it follows",
    "this means",
    "所以",
    "因此",
    "故",
    "综上",
    "∴",
)


def concludes(sentence: str) -> bool:
    """Return True if a sentence says that it draws a conclusion."""
    low = sentence.lower()
    return (
        any(part in low for part in _CONCLUSION_PARTS) and _CONCLUSION.search(sentence) is not None
    )
