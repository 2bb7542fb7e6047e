"""Find the final answer of a free-form problem in a response."""

from __future__ import annotations

import re

from mathse.answers import markers
from mathse.answers.compare import compare
from mathse.answers.markers import Span
from mathse.answers.neighbours import is_altered_after, is_altered_before, is_glued, with_minus
from mathse.answers.number_words import NUMBER_WORD, PART_WORD
from mathse.answers.plain import plain_math
from mathse.answers.read import read_number, read_value
from mathse.answers.units import read_unit
from mathse.answers.values import Words

# `1,234.5`, `3,14`, `12`, `.5`
_DECIMAL = r"(?:[1-9]\d{0,2}(?:,\d{3})+(?![\d])(?:\.\d+)?|\d+,\d+(?![\d,])|\d+(?:\.\d+)?|\.\d+)"
# `{12}`, `{\sqrt{2}}`
_GROUP = r"\{(?:[^{}]|\{[^{}]*\})*\}"
# `\frac{1}{2}`, `\sqrt[3]{5}`, `\pi`, `(2+3)`
_SYMBOLS = (
    rf"(?:\\frac\s*(?:{_GROUP}|\d)\s*(?:{_GROUP}|\d)|\\sqrt\s*(?:\[\d\])?\s*(?:{_GROUP}|\d+)"
    r"|\\pi(?![a-zA-Z])|"
    r"\([-\d\s+*/^.]{1,30}\)|\{-?\d+\})"
)
# `2 1/3`, `3e-8`, `\pi`
_ATOM = rf"(?:\d+\s+\d+\s*/\s*\d+|{_DECIMAL}(?:e[-+]?\d+)?|{_SYMBOLS})"
# `-$1,234.5 million`, `2 1/3 cups`, `3\sqrt{2}`
_RUN = re.compile(
    rf"(?<![A-Za-z0-9_.\\])(?:[-+]\s*)?[$€£¥]?\s*{_ATOM}"
    rf"(?:\s*(?:[-+*/^]|:(?=\d)|(?<=\s):(?=\s\d))\s*{_ATOM}|\s*{_SYMBOLS})*"
    r"(?P<tail>\s*(?:%|°\s*[CF]?|percent|million|billion|thousand|hundred|万|亿)?"
    r"(?:\s*(?:square|sq\.?|cubic|cu\.?)?\s*[a-zA-Z\u4e00-\u9fff]+"
    r"(?:\^\{?[23]\}?)?(?:(?:/|\s+per\s+)[a-z\u4e00-\u9fff]+)?)?)"
)
# `one fifth`, `twenty-one`, `two thirds`
_WORD_RUN = re.compile(
    rf"\bone[\s-]+(?:{PART_WORD})\b"
    rf"|\b(?:{NUMBER_WORD})(?:[\s-]+(?:and\s+)?"
    rf"(?:{NUMBER_WORD}|half|third|quarter|(?:{PART_WORD})s))*\b",
    re.I,
)
# `is`, `there are`, `costs`, `等于`
_COPULA = re.compile(
    r"\b(?:value of|is|are|was|were|be|equals?|equal to|have|has|had|got|gives?|get|contains?|"
    r"there(?:'s| is| are)|costs?|needs?|covers?|shows?|makes?|becomes?|total(?:s|ing)?|"
    r"exactly|approximately|about|around)\b|为|是|等于|有",
    re.I,
)
# `cannot be determined`, `not enough information`
REFUSAL = re.compile(
    r"\b(?:cannot|can't|can not|could not|couldn't|unable to|not possible to|impossible to"
    r"|not able to|don't have|do not have|difficult to|does not|doesn't|would need to"
    r"|would require|need more)\b"
    r".{0,60}\b(?:determine|answer|provide|view|see|solve|process|interpret|display|open|calculate|"
    r"tell|say|identify|find|access|enough|information|analy|specify)"
    r"|\bnot (?:provided|enough information|specified|given|clear)\b"
    r"|\bno (?:information|figures?|image)\b|\bincomplete\b"
    r"|\b(?:mistake|error) in the (?:problem|question|setup)|\bno solution to\b"
    r"|insufficient|无法(?:确定|得出|判断|回答|计算)",
    re.I,
)
# `x =` or `\frac` at the end
_CUT_OFF = re.compile(r"(?:[=+*/^{(\\,-]|\\[a-zA-Z]+)\s*$")
# `- Monday: 5`
_LISTED = re.compile(
    r"^[ \t]*+(?:\d+[.)]|[-*•])?[ \t]*+[^\n:]{1,40}:[ \t]*+[$\d][\d.,%]*+[ \t]*$", re.M
)
# `**42**`
_BOLD = re.compile(r"\*\*([^*\n]{1,40})\*\*")
# `4, 5`, `4 balls and 3`
_COORDINATED = re.compile(
    r"(?<![\d.])\d+(?:\.\d+)?(?:,\s+\d[\d.]*|(?:\s+[a-zA-Z]+){0,3}\s+and\s+\d+\b(?!\s*/))"
)
# `. Therefore, the final `
_BESIDE = re.compile(r"(?:\W|(?:so|thus|hence|therefore|the|our|my|final|correct|and)\b)*", re.I)
"""May stand between a box and a statement of the answer that belong together."""
# `from 13 to 20`
_RANGE = re.compile(r"\s*(?:from\s+)?[-\d.,]+\s+to\s+[-\d.,]+", re.I)


def find_free_form(text: str, *, wants_number: bool) -> Span | None:
    """Return the final answer of a response in plain form, with the rule that found it, or None.

    With `wants_number`, the answer is known to be a number.
    """
    if not text:
        return None
    final = _LAST_LINE.search(text)
    if final is not None and "boxed" not in final[1]:
        return Span(final.start(), _from_snippet(final[1], wants_number) or "", "marker")
    short = _short(text, wants_number) if len(text) <= 60 and "\n" not in text else None
    found = short or _stated(text, wants_number) or _concluded(text, wants_number)
    # `The answer is 5. Wait, it is 6` states neither.
    if found is not None and (rest := markers.retraction(text, found.start)) is not None:
        again = find_free_form(rest, wants_number=wants_number)
        if again is None or not compare(found.text, again.text).equal:
            return Span(found.start, "", "several_answers")
    return found


def _short(text: str, wants_number: bool) -> Span | None:
    if "boxed" in text or any(marker.rule == "marker" for marker in markers.markers(text)):
        return None
    if _reads(text, wants_number):
        return Span(0, text.strip(" *").rstrip("."), "whole")
    if wants_number:
        return None
    value = _stated_value(_affirmed(text))
    # `The area i` of `The area is 12`
    sentence = re.search(r"[a-zA-Z]{3,}\s+[a-zA-Z]{2,}\s+[a-zA-Z]", text)
    value = value if _reads(value, wants_number) else "" if sentence else text.strip()
    return Span(0, value, "whole") if value else None


# `2x = 6, so x = 3`
_GOES_ON = re.compile(r",.*?\b(?:so|thus|hence|therefore|then)\b|所以|因此", re.I)


def _reads(text: str, wants_number: bool) -> bool:
    """Return True if a whole text is a value: no mere words, no bare letter for a number."""
    value = None if _GOES_ON.search(text) else read_value(text)
    if value is None or isinstance(value, Words):
        return False
    return not wants_number or read_number(text) is not None or re.search(r"\d", text) is not None


# `A: 18`, `#### 35`, `[answer]: 2` as the last line
_LAST_LINE = re.compile(r"(?:^|\n)[ \t]*(?:A:|Ans:|#{2,4}|答:|\[答案\]:?)\s*([^\n]+)\s*$")
# `is not 6`, `cannot be 5`, `won't equal 5`, `anything but 5`, `is wrong`, `不是`
_DENIED = re.compile(
    r"\b(?:is|are|be|was|equals?)\s+(?:\w+ly\s+)?not\s+(?:equal to\s+)?[-$\d\\]"
    r"|(?:\bisn't|(?:n't|\bnot|\bcannot) (?:be|equal(?: to)?)|\banything but)\s+[-$\d\\]"
    r"|^(?:\w+ly\s+)?not\s+[-$\d\\]"
    r"|不(?:是|等于|可能|会是)"
    r"|\b(?:is|was|are) (?:wrong|incorrect|impossible|not right)\b|\bneither\b|\bnot true\b"
    r"|\bnot the (?:answer|solution|result)\b|\bnever\s+[-$\d\\]",
    re.I,
)


def _affirmed(sentence: str) -> str:
    """Return what a sentence affirms: all of it, what follows "not 6 but", or nothing."""
    while (corrected := markers.CORRECTED.search(sentence)) is not None:
        sentence = corrected[1] or corrected[2]
    return "" if _DENIED.search(sentence) else sentence


# `3, 4`, `x + 1`: no single number
_TERMS = re.compile(r"[,;]|\\pm|[a-zA-Z]\s*[-+*/^]|[-+*/^]\s*[a-zA-Z]")


def _stated(text: str, wants_number: bool) -> Span | None:
    """Return the last box or the last "answer is", whichever comes later and has an answer."""
    spans = [span for span in markers.statements(text) if span.rule != "option"]
    box = next((span for span in spans if span.rule == "boxed"), None)
    for span in reversed(spans):
        answer = _from_snippet(span.text, wants_number)
        if span is box:
            several_terms = _TERMS.search(plain_math(span.text)) is not None
            return Span(span.start, span.text if several_terms else answer or span.text, "boxed")
        if answer is not None:
            if box is not None and _contradicts(text, box, span, answer):
                return Span(span.start, "", "several_answers")
            return Span(span.start, answer, "marker")
    return None


def _contradicts(text: str, box: Span, marker: Span, answer: str) -> bool:
    """Return True if one number is boxed and another stated right after it.

    With further steps in between, the box may be an intermediate result.
    """
    start = text.find(box.text, box.start)
    beside = start >= 0 and _BESIDE.fullmatch(text, start + len(box.text), marker.start)
    numbers = beside and read_number(box.text) and read_number(answer)
    return bool(numbers) and compare(box.text, answer).equal is False


def _from_snippet(snippet: str, wants_number: bool) -> str | None:
    snippet = _affirmed(snippet.strip().strip("*_").strip())
    if REFUSAL.search(snippet):
        return None
    if _reads(snippet, wants_number):
        return snippet.strip().rstrip(" .")
    if wants_number:
        return number_in(snippet, last=False)
    # The formula that it opens with, if nothing before or after makes it another.
    formula = _FORMULA.search(snippet)
    if formula is None or formula.start() > 60:
        return snippet.strip(" .*\"'") or None
    changed = is_altered_before(snippet[: formula.start()])
    changed = changed or is_altered_after(snippet, formula.end())
    # ` and $`, `, \` after the formula
    joined = re.match(r"\W{0,3}(?:and|or|[,和或且与])\s*[$\\]", snippet[formula.end() :])
    return snippet.strip(" .") if changed or joined else formula[0]


def _concluded(text: str, wants_number: bool) -> Span | None:
    """Find the answer of a response without a statement: in its conclusions or last sentences."""
    # A refusal has no answer.
    parts = [part for part in markers.sentences(text) if part.rule != "question"]
    conclusions = [part for part in parts if markers.concludes(part.text)]
    if not parts or any(REFUSAL.search(part.text) for part in [parts[-1], *conclusions[-1:]]):
        return None
    if not conclusions and REFUSAL.search(text):
        return None
    if not wants_number:
        # `5`, `x` or `\pi`, not `**`
        readable = [part for part in parts if re.search(r"[\w\\]", part.text)]
        last = (readable or parts)[-1]
        return Span(last.start, _stated_value(_affirmed(last.text)), "last")
    # A number: the only bold one, then none in a text that breaks off or only lists.
    bold = {match.group(1): match.start() for match in _BOLD.finditer(text)}
    if len(bold) == 1 and not conclusions:
        [(words, start)] = bold.items()
        number = number_in(words, last=True)
        if number is not None:
            return Span(start, number, "bold")
    lists_only = len(_LISTED.findall(text)) > max(3, len(parts) // 2)
    if not conclusions and (_CUT_OFF.search(text) or lists_only):
        return None
    # Then the conclusions, the sentences with a verb, and all others, the last first.
    stating = [part for part in parts if "=" in part.text or _COPULA.search(part.text)]
    for part in [*reversed(conclusions[-2:]), *reversed(stating), *reversed(parts)]:
        if REFUSAL.search(part.text):
            continue
        number = number_in(part.text, last=True)
        if number is not None:
            return Span(part.start, number, "conclusion" if part in conclusions else "sentence")
    return None


# `$x = 5$`, `$50$ percent`, `\(x\)`, `\[x\]`
_FORMULA = re.compile(r"\$\$?([^$]+)\$\$?(?:\s*(?:%|percent))?|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.S)


def _stated_value(sentence: str) -> str:
    """Return the last formulas of a sentence (joined by "and"), else what comes after "is"."""
    formulas = list(_FORMULA.finditer(sentence))
    if formulas:
        # ` and `, `, or `, `和`
        joint = re.compile(r"\s*(?:,|;|and|or|, and|, or|和|或|且|并且|及|与)\s*")
        first = len(formulas) - 1
        while first > 0 and joint.fullmatch(
            sentence, formulas[first - 1].end(), formulas[first].start()
        ):
            first -= 1
        start = formulas[first].start()
        if is_altered_before(sentence[:start]):
            return sentence
        return sentence[start : formulas[-1].end()]
    # the `=` of `x = 5`, but not of `x <= 5`; `is`, `为`
    value = re.split(r"(?<![<>!=])=(?!=)|\b(?:is|are|shows|equals)\b|为|是", sentence)[-1].strip(
        " .*$:"
    )
    return value or sentence


def number_in(sentence: str, *, last: bool) -> str | None:
    """Return the number that a sentence states, with its unit, or None.

    The right side of the last equals sign comes first; then the first number after the last "is",
    "has", …; then the last number, or the first if not `last`. A range ("from 13 to 20") and a
    list ("4 balls and 3 cubes") are returned unchanged.
    """
    sentence = _affirmed(sentence.replace("**", "").replace("__", ""))
    text = with_minus(plain_math(sentence))
    formulas = list(_FORMULA.finditer(sentence))
    if len(formulas) == 1 and re.search(r"\d", _FORMULA.sub("", sentence)) is None:
        formula = "".join(filter(None, formulas[0].groups()))
        start, end = formulas[0].span()
        altered = is_altered_before(sentence[:start]) or is_altered_after(sentence, end)
        if "=" not in formula and not altered and _reads(formula, True):
            return formula.strip()
    hedged = _HEDGED.search(text)
    if hedged is not None:
        return hedged[0]
    # The last right side with a number, or what its own clause states, as in `x=5, so y is 3`.
    for side in reversed(re.split(r"(?<![<>!])=", text)[1:]):
        found = _runs(side)
        if found:
            # `, so y is 3`
            verb = r",\s*(?:then\s+)?[a-zA-Z∠\\].*?\b(?:is|are|equals|must be)\b(.*)$"
            clause = re.search(verb, side, re.S)
            later = _runs(clause.group(1)) if clause is not None else []
            return (later or found)[0]
    # The first number after the last verb that has one, else any number, else number words.
    numbers = _runs(text)
    for start in reversed([match.end() for match in _COPULA.finditer(text)]):
        span = _RANGE.match(text, start)
        if span is not None:
            return span.group(0).strip()
        found = _runs(text[start:]) if numbers else []
        if found:
            several = _COORDINATED.search(text, start)
            return several.group(0).strip() if several is not None else found[0]
    numbers = numbers or _words(text)
    return numbers[-1 if last else 0] if numbers else None


# `five or six`, `12 or 13`, `9 (or 10)`, `x = 2 or x = 3`
_HEDGED = re.compile(
    rf"(?i:\b(?:{NUMBER_WORD}) or (?:{NUMBER_WORD})\b)|"
    r"(?<![\d.])-?\d[\d.]*%?,?\s*\(?(?:\b(?:or|alternatively)\b|或)"
    r"\s*(?:maybe|possibly|perhaps|even|else)?"
    r"\s*(?:[a-z]\s*=)?\s*\$?-?\d[\d.]*"
)


# `三分之二`, `共有十二个`
_CHINESE_NUMBER = re.compile(
    "([零一二两三四五六七八九十百千万]{1,9}分之[零一二两三四五六七八九十百千万]{1,9})"
    "|(?<=[是为有共])[零一二两三四五六七八九十百千万]{1,9}(?=[个只条元种人]?(?:[。,]|$))"
)


def _words(text: str) -> list[str]:
    """Return the number words that a sentence states: after a verb, or alone."""
    # `it is`, `exactly` or `:` at the end
    stated = re.compile(
        r"(?:\b(?:is|are|was|were|has|have|exactly|only|about|equals?|to)|:|,|^)$", re.I
    )
    chinese = [match[0] for match in _CHINESE_NUMBER.finditer(text)]
    return chinese or [
        match.group(0)
        for match in _WORD_RUN.finditer(text)
        if stated.search(text[: match.start()].rstrip(" *:"))
        and not is_altered_after(text, match.end())
    ]


MAX_COMPOUND_CHARS = 80
"""Of `3 hours 30 minutes` and its like."""


def _runs(text: str) -> list[str]:
    """Return all numbers of a text, each with its unit if it has one."""
    found: list[str] = []
    ends: list[int] = []
    for match in _RUN.finditer(text):
        run = match.group(0).strip()
        if is_altered_before(text[: match.start()]):
            continue
        # the `x ` before `- 3`, the `x` before `-3`
        spaced = r"[\w)}]\s*$" if run[1:2].isspace() else r"[\w)}]$"
        if run[0] in "+-" and re.search(spaced, text[: match.start()]):
            continue  # the sign joins two terms
        tail = match.group("tail").strip()
        if tail and not _is_unit(tail, text[match.end() :]):
            run = run[: len(run) - len(tail)].strip()
        end = text.index(run, match.start()) + len(run)
        if is_glued(text, match.start(), end) or is_altered_after(text, end):
            continue
        # `3 hours 30 minutes` is one number.
        between = text[ends[-1] : match.start()].strip() if found else "-"
        if found and (between in ("", "and") or read_unit(between) is not None):
            joined = text[ends[-1] - len(found[-1]) : end]
            if len(joined) <= MAX_COMPOUND_CHARS and read_number(joined) is not None:
                found[-1], ends[-1] = joined, end
                continue
        found.append(run.strip(" ,"))
        ends.append(end)
    return found


def _is_unit(tail: str, after: str) -> bool:
    """Return True if the words after a number are its unit; `in` and letters only end a clause."""
    word = tail.lstrip("%°").strip()
    if not word:
        return True
    # ` .`, `)` or the text's end
    if (len(word) == 1 or word.lower() == "in") and re.match(r"\s*(?:$|[.,;)])", after) is None:
        return False
    return read_number("1 " + tail) is not None and read_unit(word) is not None
