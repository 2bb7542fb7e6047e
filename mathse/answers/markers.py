"""Find spans that state an answer: boxes, markers, conclusions; English and Chinese."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True)
class Span:
    """A part of a response that states an answer: start, text, and the rule that found it."""

    start: int
    text: str
    rule: str


MAX_BOXES = 24
"""More boxes than this are noise; the last ones are read."""

MAX_MARKERS = 40

_GROUP = r"[^{}]"
for _ in range(8):  # braces inside braces
    _GROUP = rf"(?:[^{{}}\\]|\\.|\{{{_GROUP}*+\}})"
# `\boxed{5}`, `\fbox{5}`, `\boxed 5`; a box that is never closed runs to its line's end
_BOXED = re.compile(
    rf"\\(?:f?boxed|fbox)\s*(?:\{{(?P<closed>{_GROUP}*+)\}}|\{{(?P<open>[^\n]*))"
    r"|\\f?boxed\s+(?P<bare>[^\s{}$\\]+)",
    re.S,
)
# `the answer to the question is`, `**Answer:**`, `#### ` before a number
_MARKER = re.compile(
    r"\b(?:answer|solution|result|choice|option|ans)s?\b(?!\s+(?:choices|options))"
    r"(?P<middle>[^\n:.=]{0,90}?)(?:\*\*|__)?[ \t]*"
    r"(?::|=|\b(?:is|are|was|(?:(?:would|will|must|should) )?be)\b(?!\s+given by\b))"
    r"(?:\*\*|__)?[ \t]*:?[ \t]*(?:\*\*|__)?"
    r"|^[ \t]*\#{3,4}\s*(?=[-$\\\d])",
    re.I | re.M,
)
CHOSEN = "(?<!不)(?<!不[能应可会该])选"
"""`选`, but not `不选`, `不能选`."""

# `[答案]:`, `答案是`, `选` before `B`
_MARKER_CHINESE = re.compile(
    r"\[答案\]\s*:?\s*|(?:答案|选项|答)(?P<middle>[^\n。:,]{0,16}?)(?:应该?是|应为|就?是|为|选择?|:)\s*:?"
    rf"|{CHOSEN}择?\s*:?\s*(?:答案|选项)?\s*:?\s*(?=[(]?[A-Ha-h①-⑧](?![a-zA-Z]))"
)
# `Therefore`, `so`, `we get`, `所以`
_CONCLUSION = re.compile(
    r"(?:\b(?:therefore|thus|hence|(?<!and )(?<![a-z] )so(?! on\b)|in conclusion|in summary"
    r"|finally|we (?:get|find|have|obtain)|it follows|this means|conclude)\b"
    r"|所以|因此|故|综上|∴|\\therefore)",
    re.I,
)
# the points of `It is 3.5. So` but the one inside the number; `!` after a word; a line's end
_SENTENCE_END = re.compile(
    r"(?<!\d)[.](?=\s|$|[*\"'<)$\\])"
    r"|(?<=\d)[.](?=\s+[A-Z*\\(]|\s*$|[*\"'<)$]|\\(?!overline|dot|bar))"
    r"|(?<=[a-z\s])!(?=\s|$)|[?。！？]|\n"
)
# `e.g`, `sq`, a letter, a number that opens the text
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|approx|sq|cu|ft|in|vs|Mr|Mrs|Dr|No|St|[A-Z])|^\s*\d)$"
)
# `** :`
_EMPTY = re.compile(r"^[\s*_$:.\\()\[\]\"']*$")


# ` and `, `, `, `\text{ or }` between two boxes
_LINK = re.compile(r"(?:[\s$.,;*、和或]|and|or|\\[()\[\]]|\\quad|\\text\{\s*(?:and|or)\s*\})*")


def last_boxed(text: str) -> Span | None:
    """Return the last box; boxes joined by nothing but `and`, `or`, a comma make one list."""
    joined: list[Span] = []
    for match in reversed(list(_BOXED.finditer(text))[-MAX_BOXES:]):
        content = match["closed"] or match["bare"] or (match["open"] or "").rstrip(" $.*")
        if _EMPTY.match(content) and not match["bare"]:
            continue
        if joined:
            between = text[match.end() : joined[0].start]
            # ` and `, `, `
            word = len(between) <= 40 and re.search(r"and|or|,|、|和|或", between)
            if not (word and _LINK.fullmatch(between)):
                break
        joined.insert(0, Span(match.start(), content, "boxed"))
    if len(joined) < 2:
        return joined[0] if joined else None
    return Span(joined[0].start, ", ".join(span.text for span in joined), "boxed")


@lru_cache(maxsize=64)
def markers(text: str) -> tuple[Span, ...]:
    """Return what follows each "the answer is", "Answer:", "答案是", … up to its sentence's end.

    The rule of a span is `option` after "the option is" and the like, which state an answer in
    multiple choice only, else `marker`. "Option (B) is wrong", "the answer for (A) is" state none.
    """
    spans = []
    matches = list(_MARKER.finditer(text))
    if not text.isascii():
        matches += _MARKER_CHINESE.finditer(text)
        matches.sort(key=re.Match.start)
    for match in matches[-MAX_MARKERS:]:
        # The sentence after the marker, perhaps on the next line.
        rest = text[match.end() : match.end() + 600]
        # the rest of the line `**Answer:**` and its end
        skipped = re.match(r"[\s*_:$]*\n\s*", rest)
        if skipped is not None:
            rest = rest[skipped.end() :]
        sentence = rest[: sentence_end(rest)].strip()
        asked = rest[len(sentence) :].lstrip("$*_ ").startswith("?")
        # Leave out what states no answer: questions, denials, other options, whole solutions.
        if asked and len(sentence) <= MAX_SET_OFF:
            continue
        middle = match["middle"] or ""
        if "不" in middle:
            sentence = sentence.partition("而是")[2]
        if _DENIED.match(sentence) and (corrected := CORRECTED.search(sentence)) is not None:
            sentence = corrected[1] or corrected[2]
        word = text[match.start() : max(match.start(), match.start("middle"))].lower()
        if (
            _EMPTY.match(sentence)
            or _DENIED.match(sentence)
            or _NO_STATEMENT.search(middle)
            or _UNTRUE.search(text[: match.start()][-40:])
            or (skipped is not None and len(sentence) > MAX_SET_OFF and "boxed" not in sentence)
            or _OTHERS.search(text[max(0, match.start() - 12) : match.end()])
            or (word.endswith(("solution", "result")) and len(sentence) > 2 * MAX_SET_OFF)
        ):
            continue
        rule = "option" if word.endswith(("option", "options", "choice", "choices")) else "marker"
        spans.append(Span(match.start(), sentence, rule))
    return tuple(spans)


def statements(text: str) -> list[Span]:
    """Return the markers and the last box (instead of markers that hold it), by their start."""
    spans = list(markers(text))
    box = last_boxed(text) if "box" in text else None
    if box is not None:
        spans = [*(span for span in spans if "boxed" not in span.text), box]
    return sorted(spans, key=lambda span: span.start)


# `the answer cannot be`; `is not $x` before an equals sign; `the answer for (A) is`
_NO_STATEMENT = re.compile(
    r"(?:\b(?:cannot|can not|not|never)|n't)\s*$|\b(?:is|are)\s+not\b"
    r"|\(\s*(?-i:[A-H])\s*\)|^\s+(?-i:[A-H])\s*$",
    re.I,
)
# `not true that the `, `false that ` before a marker
_UNTRUE = re.compile(
    r"\b(?:not (?:true|the case|right|correct)|false|wrong) that\s+(?:the\s+)?$", re.I
)
MAX_SET_OFF = 40
"""An answer on the line after "the answer is:" is no longer than this; a solution is."""

# `the other options`, `choices are`
_OTHERS = re.compile(
    r"\b(?:other|wrong|remaining|available|answer)\s+(?:answer\s+)?(?:choices|options|answers)\b"
    r"|\b(?:choices|options)\s+are\b",
    re.I,
)
# `not 6 but 8`, `definitely not 6, it is 8`, `不是6,而是8`
CORRECTED = re.compile(
    r"\b(?:not|n't|isn't)\b.*?\b(?:but|it is|it's|which is)\b\s*(.+)$|不是.*?而?是\s*(.+)$",
    re.S | re.I,
)
# `incorrect`, `clearly wrong`, `not` of `not 6`
_DENIED = re.compile(r"(?:also\s+|clearly\s+)?(?:incorrect|wrong|not\b|false because)", re.I)


MAX_SENTENCE_CHARS = 4000
# `. ` at the text's end
_NOTHING_MORE = re.compile(r".\s*\Z")


def sentence_end(text: str, start: int = 0) -> int:
    """Return where the sentence from `start` ends; not inside a number or at an abbreviation."""
    stop = min(len(text), start + MAX_SENTENCE_CHARS)
    for match in _SENTENCE_END.finditer(text, start, stop):
        end = match.start()
        short = text[end] == "." and _ABBREVIATION.search(text[max(start, end - 8) : end])
        if end != start and (not short or _NOTHING_MORE.match(text, end, stop)):
            return end
    return stop


def sentences(text: str) -> list[Span]:
    """Cut a text into sentences; the rule of a span is `question` or `sentence`."""
    spans: list[Span] = []
    start = 0
    while start < len(text) and len(spans) < 4000:
        end = max(start + 1, sentence_end(text, start))
        sentence = text[start:end]
        if not _EMPTY.match(sentence):
            asked = text[end : end + 1] == "?"
            spans.append(Span(start, sentence.strip(), "question" if asked else "sentence"))
        start = end
        while start < len(text) and text[start] in ".!?。！？\n \t":
            start += 1
    return spans


# `Wait, `, `Actually, it`, `I made a mistake`, `不对`
_RETRACTION = re.compile(
    r"\b(?:wait|oops|on second thought|actually,? (?:no|it|that|the answer)|correction"
    r"|i made an? (?:mistake|error))\b|不对",
    re.I,
)


def retraction(text: str, start: int) -> str | None:
    """Return what follows the last word after `start` that takes a statement back, or None."""
    ends = [match.end() for match in _RETRACTION.finditer(text, start)]
    return text[ends[-1] :].lstrip(" ,.:!") if ends else None


def concludes(sentence: str) -> bool:
    """Return True if a sentence has a word such as "therefore"."""
    return _CONCLUSION.search(sentence) is not None
