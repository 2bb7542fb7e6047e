"""Ways to point to an option: its label, yes or no, its words, its value, an assertion."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from mathse.answers.find_freeform import REFUSAL, number_in
from mathse.answers.markers import Span
from mathse.answers.options import Options, option_by_text
from mathse.answers.plain import plain_math, plain_text
from mathse.answers.read import read_number

# `Yes, it is`, `- false`
_YES_NO = re.compile(r"^\W*(yes|no|true|false|是的?|不是|否|对|错)\b", re.I)

_SAME_AS = dict.fromkeys(("true", "是", "是的", "对"), "yes")
_SAME_AS |= dict.fromkeys(("false", "不是", "否", "错"), "no")


def yes_or_no(text: str, options: Options) -> int | None:
    """Return the option that an opening yes, no, true, 是 … names, or None."""
    match = _YES_NO.match(text)
    if match is None:
        return None
    word = match.group(1).lower()
    plain = [plain_text(option) for option in options.texts]
    for candidate in (word, _SAME_AS.get(word, ""), {"yes": "true", "no": "false"}.get(word, "")):
        if candidate and candidate in plain:
            return plain.index(candidate)
    return None


def labels_in(text: str, options: Options) -> set[int]:
    """Return the options whose labels stand in brackets or after words such as "option"."""
    bracketed, named = _label_patterns(options.labels)
    found = set()
    if "(" in text or "[" in text:
        found = {options.labels.index(label.upper()) for label in bracketed.findall(text)}
    low = text.lower()
    if not any(word in low for word in _LABEL_WORDS):
        return found
    for *labels, pictured in named.findall(text):
        letters = [option.strip("() .").upper() for option in options.texts]
        if pictured and pictured in letters:
            found.add(letters.index(pictured))
        else:
            found.add(options.labels.index("".join([*labels, pictured])))
    return found


_LABEL_WORDS = ("option", "choice", "letter", "选", "figure", "graph", "picture", "image", "shape")


@lru_cache(maxsize=256)
def _label_patterns(labels: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of labels in brackets, and of labels after one of `_LABEL_WORDS`."""
    letters = "".join(labels)
    named = (
        rf"\b(?i:option|choice|letter)(?:\s+|\s*:\s*)([{letters}])(?![a-zA-Z])"
        rf"|选项?\s*:?\s*([{letters}])(?![a-zA-Z])"
        rf"|\b(?i:figure|graph|picture|image|shape)\s+([{letters}])(?![a-zA-Z])"
    )
    return re.compile(rf"[(\[]\s*([{letters}{letters.lower()}])\s*[)\]]"), re.compile(named)


_NO_ALONE = re.compile(r"\bno\s*(?:[.,;:!)*\"']|$)")
"""The answer no, not the no of "no information"."""

# `, ` and ` - ` between words
_JOINTS = re.compile(r"[^\w%°./^\\{}+*=:]+")
# `If the sun shines, `
_CONDITION = re.compile(r"^\s*(?:if|when|since|because|as)\b[^,]*,\s")
# `Based on the map, the `
_OPENS = re.compile(r"\s*(?:(?:based on|according to|in) [\w ]{1,24}? )?(?:the|an?)?\s*")


@lru_cache(maxsize=16384)
def _words_of(option: str) -> str:
    """Return the words by which a sentence mentions an option; none for a single letter."""
    words = re.sub(r"^(?:it|they|there)\s+", "", _JOINTS.sub(" ", plain_text(option)).strip(" ."))
    return "" if len(words) == 1 and words.isalpha() else words


def _occurrences(words: str, text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of each mention of words outside longer words; plurals count.

    No pattern: it would have to be compiled for every option of every problem.
    """
    endings = ("es", "s", "") if words[-1].isalpha() else ("",)
    start = text.find(words)
    while start >= 0:
        next_start, before = start + 1, text[start - 1 : start] if start else ""
        if not _inside_word(before) and before not in _BEFORE:
            for ending in endings:
                end = start + len(words) + len(ending)
                if text.startswith(words + ending, start) and _ends_word(text, end):
                    next_start = end
                    yield start, end
                    break
        start = text.find(words, next_start)


_BEFORE = (".", "^", "/", "\\")
_AFTER = ("^", "/", "%", "°")


def _inside_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _ends_word(text: str, end: int) -> bool:
    after = text[end : end + 1]
    if after == ".":
        return not text[end + 1 : end + 2].isdecimal()
    return not _inside_word(after) and after not in _AFTER


_NEGATED = re.compile(r"(?:\bnot|n't)\s+(?:on |in |at |the |a |an )?\s*$")


def mentioned(text: str, options: Options) -> int | None:
    """Return the one option whose words occur in a text.

    A mention inside a longer option's mention does not count. In a comparison ("the sun is larger
    than the moon") the option that opens the sentence is meant.
    """
    # The text without conditions, hedges and punctuation.
    text = _CONDITION.sub("", plain_math(text).lower().replace("_", " "))
    plain = " " + _JOINTS.sub(" ", text) + " "
    if any(word in plain for word in ("likely", "probably", "also", "then")):
        plain = re.sub(r"\b(?:most likely|likely|probably|also|then)\s", "", plain)
    plain = plain.replace(". ", "  ").replace(": ", "  ")
    # Where each option is mentioned.
    spans: list[tuple[int, int, int]] = []
    for index, option in enumerate(options.texts):
        words = _words_of(option)
        no_answer = words == "no" and _NO_ALONE.search(text) is None
        if words and words in plain and not no_answer:
            spans += [(start, end, index) for start, end in _occurrences(words, plain)]
    # One option that is mentioned, or the one that opens a comparison.
    outer = sorted(
        (start, index)
        for start, end, index in spans
        if not any(s <= start and end <= e and (e - s) > (end - start) for s, e, _ in spans)
    )
    if outer and _NEGATED.search(plain[: outer[0][0]]) and not text.startswith("no"):
        return None
    if len({options.texts[index] for _, index in outer}) == 1:
        return outer[0][1]
    compares = outer and re.search(r"\b(?:than|compared (?:to|with))\b", plain)
    return outer[0][1] if compares and _OPENS.fullmatch(plain[: outer[0][0]]) else None


def by_value(sentence: str, options: Options) -> int | None:
    """Return the option whose value a sentence states, if the options are numbers."""
    if sum(read_number(option) is not None for option in options.texts) < 2:
        return None
    number = number_in(sentence, last=True)
    return None if number is None else option_by_text(number, options)


_ASSERTS = re.compile(r"\b(?:is|are|was|were|has|have|does|do|can|intersects?)\b", re.I)

_DENIES = re.compile(r"\b(?:not|no|never|none|neither|false|cannot|incorrect|untrue)\b|n't\b", re.I)


def by_polarity(text: str, parts: list[Span], options: Options) -> int | None:
    """Return yes or no by a first sentence that affirms or denies: `X is not the maximum`."""
    plain = [plain_text(option) for option in options.texts]
    if set(plain) != {"yes", "no"} or len(parts) > 5:
        return None
    sentence = parts[0].text
    if not _ASSERTS.search(sentence) or f"{sentence}?" in text or sentence[0] in "([":
        return None
    if REFUSAL.search(" ".join(part.text for part in parts)):
        return None
    if _DENIES.search(sentence):
        return plain.index("no")
    return None if re.search(r"\d|\b(?:while|whereas|but)\b", sentence) else plain.index("yes")
