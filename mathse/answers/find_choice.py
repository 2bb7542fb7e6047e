"""Find the option that a response chooses: by its label, yes or no, its words, its value."""

from __future__ import annotations

import re
from functools import lru_cache

from mathse.answers import markers
from mathse.answers.find_freeform import REFUSAL, number_in
from mathse.answers.markers import Span
from mathse.answers.options import Options, option_by_text
from mathse.answers.plain import plain_math, plain_text
from mathse.answers.read import read_number

_CIRCLED = "①②③④⑤⑥⑦⑧"

# `A) red`, `(B). blue`
_LIST_LINE = re.compile(r"^\s*\(?[A-Z]{1,2}\s*[).:]\s*\S")


def option_of(text: str, options: Options) -> int | None:
    """Return the option that a short answer names, or None if it names none or several.

    A letter comes first, then the option's own words, then its value (`0.5` for an option `1/2`).
    The letter wins over other words beside it, except yes and no: `A) no` says no.
    """
    text = text.strip()
    if text in options.texts:
        return options.texts.index(text)
    bare = _bare(text)
    # A as the answer's heading, not as a label.
    if bare.startswith("A:") and (valued := by_value(bare[2:], options)) is not None:
        return valued
    # A label that opens the text.
    match = _letter_pattern(options.labels).match(bare)
    if match is not None:
        if _several_labels(bare, options):
            return None
        named = yes_or_no(bare[match.end() :].lstrip(" ).:,;-*_\"'}]"), options)
        return options.labels.index(_label(match)) if named is None else named
    # A circled number, unless the options have some of their own.
    index = _CIRCLED.find(bare) if len(bare) == 1 else -1
    if 0 <= index < len(options.labels) and set(_CIRCLED).isdisjoint("".join(options.texts)):
        return index
    return option_by_text(text, options)


def _several_labels(text: str, options: Options) -> bool:
    """Return True if a text answers with a list of labels, as in `(A), (C) and (E)`."""
    letter = f"[(]?[{''.join(options.labels)}][)]?"
    joint = r"(?:,|and|or|&|和|或)\s*(?:and|or)?\s*(?:perhaps|maybe|possibly)?"
    # `(A), (C)`, `B or perhaps D`
    several = rf"^{letter}\s*{joint}\s*{letter}(?![\w'])"
    return re.match(several, text) is not None


def _bare(text: str) -> str:
    return plain_math(text).strip("*_\"'` ")


@lru_cache(maxsize=256)
def _letter_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of a label that opens a text: `C`, `(C)`, `C) 12`, `option C`, `{C}`."""
    letter = f"[{''.join(labels)}{''.join(labels).lower()}]"
    noun = "option|choice|letter|answer|image|figure|选项|选"
    lead = rf"^(?:(?:the\s+)?(?:correct\s+)?(?:{noun})\s*:?\s*)?[\"'*_{{$\s]*"
    ends = r"(?=[).:,;、}\]*\"']|\s*$|\s+-\s|\s*\()"
    # `option C`, `(C)`, the `C` of `C) 12`
    return re.compile(rf"{lead}(?:[(\[]\s*({letter})\s*[)\]]|({letter})\s*{ends})")


def find_option(text: str, options: Options) -> Span | None:
    """Return a span whose text is the label of the option that a response in plain form chooses."""
    if not text or not options.labels or _only_lists_options(text):
        return None
    stated_later = any(span.start > 0 for span in markers.markers(text))
    if len(text) <= 80 and "\n" not in text and "boxed" not in text and not stated_later:
        whole = option_of(text, options)
        if whole is not None:
            return Span(0, options.labels[whole], "whole")
    return _stated(text, options) or _concluded(text, options)


# `AC`, `options A and C`, `(A), (C)`
_LISTED = re.compile(
    r"(?:options?|answers?|选项?)?\s*((?:\(?[A-Z]\)?[\s,、&;]*(?:and\b|和|及|与)?\s*){2,})(?![a-zA-Z])"
)
# `options are: `, `选`
_STATES_SEVERAL = re.compile(r"(?:\b(?:options|answers|choices|ones)\s+are\b|选)\s*:?\s*", re.I)


def listed_labels(text: str, options: Options) -> frozenset[str] | None:
    """Return the labels that a short text lists, as in `AC`, `A and C`; None if not two."""
    match = _LISTED.match(_bare(text))
    labels = [] if match is None else re.findall("[A-Z]", match[1])
    known = len(set(labels)) == len(labels) > 1 and set(labels) <= set(options.labels)
    return frozenset(labels) if known else None


def find_options(text: str, options: Options) -> Span | None:
    """Return a span whose text is the labels of several options that a response states, or None."""
    several = (
        Span(match.start(), text[match.end() : match.end() + 80], "marker")
        for match in _STATES_SEVERAL.finditer(text)
    )
    spans = sorted([*several, *markers.statements(text)], key=lambda span: span.start)
    spans.insert(0, Span(0, text, "whole"))
    for span in reversed(spans):
        if (labels := listed_labels(span.text, options)) is not None:
            return Span(span.start, "".join(sorted(labels)), span.rule)
    return None


def _only_lists_options(text: str) -> bool:
    """Return True if a response only lists labelled options, as weak models do."""
    lines = [line for line in text.split("\n") if line.strip()]
    listed = sum(_LIST_LINE.match(line) is not None for line in lines)
    return listed > 1 and listed >= len(lines) - 1 and not markers.markers(text)


def _stated(text: str, options: Options) -> Span | None:
    """Return the last box or "answer is" that names an option."""
    for span in reversed(markers.statements(text)):
        if (index := _in_snippet(span.text, options)) is not None:
            return Span(span.start, options.labels[index], span.rule)
    return None


def _in_snippet(snippet: str, options: Options) -> int | None:
    """Resolve what follows "the answer is": a label, the option's words, or a mention of it."""
    index = option_of(snippet, options)
    if index is not None:
        return index
    labels = labels_in(snippet, options)
    if len(labels) == 1:
        return labels.pop()
    yes = yes_or_no(snippet, options)
    return mentioned(snippet, options) if yes is None else yes


def _concluded(text: str, options: Options) -> Span | None:
    """Find the option of a response without a statement of the answer."""
    # A last line that is a label.
    last_line = text.rsplit("\n", 1)[-1]
    match = _letter_pattern(options.labels).match(_bare(last_line))
    if match is not None and len(last_line) <= 4:
        return Span(len(text) - len(last_line), _label(match), "last")
    # The only label that is named, unless a conclusion names an option by its words.
    parts = markers.sentences(text)
    if not parts:
        return None
    conclusions = [part for part in parts if markers.concludes(part.text)]
    named = labels_in(text, options)
    by_words = [part for part in conclusions if mentioned(part.text, options) is not None]
    if len(named) == 1 and not by_words and not _denied(text, options.labels[min(named)]):
        return Span(0, options.labels[named.pop()], "only")
    # What the conclusions, the first and the last sentence name.
    for part in [*reversed(conclusions[-2:]), parts[0], parts[-1]]:
        index = _named_in(part.text, options)
        if index is not None:
            return Span(part.start, options.labels[index], "conclusion")
    # A label that opens the text, a yes or no by its sense.
    opening = _letter_pattern(options.labels).match(_bare(parts[0].text))
    if opening is not None and len(named) <= 1:
        return Span(0, _label(opening), "first")
    index = by_polarity(text, parts, options)
    return None if index is None else Span(0, options.labels[index], "polarity")


def _denied(text: str, label: str) -> bool:
    """Return True if a text says of a label that it is wrong."""
    mark = rf"\(?{label}\)?"
    # `(B) is wrong`, `not B`, `不选B`
    denied = rf"{mark}\s+(?:is|was)\s+(?:wrong|incorrect|false|not)\b"
    denied += rf"|(?:\bnot|n't be|cannot be|不是|不选)\s*{mark}(?![a-zA-Z])"
    return re.search(denied, text) is not None


def _named_in(sentence: str, options: Options) -> int | None:
    labels = labels_in(sentence, options)
    if len(labels) == 1:
        label = labels.pop()
        return None if _denied(sentence, options.labels[label]) else label
    # `It is red, as the map shows` gives `It is red`
    main_clause = re.split(r",\s*(?:as|because|since|which|while)\b|\bbecause\b", sentence)[0]
    for find, text in ((mentioned, sentence), (mentioned, main_clause), (by_value, sentence)):
        if (index := find(text, options)) is not None:
            return index
    return None


def _label(match: re.Match[str]) -> str:
    return (match.group(1) or match.group(2)).upper()


# Ways to point to an option.

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
    found = {options.labels.index(label.upper()) for label in bracketed.findall(text)}
    letters = [option.strip("() .").upper() for option in options.texts]
    for label, pictured in named.findall(text):
        known = letters if pictured in letters and pictured else options.labels
        found.add(known.index(label or pictured))
    return found


@lru_cache(maxsize=256)
def _label_patterns(labels: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns of labels in brackets, and of labels after words such as "option"."""
    letters = "".join(labels)
    # `option: B`, `选项B`, `figure C`
    named = (
        rf"(?:\b(?i:option|choice|letter)(?:\s+|\s*:\s*)|选项?\s*:?\s*)([{letters}])(?![a-zA-Z])"
        rf"|\b(?i:figure|graph|picture|image|shape)\s+([{letters}])(?![a-zA-Z])"
    )
    # `(b)`, `[C]`
    return re.compile(rf"[(\[]\s*([{letters}{letters.lower()}])\s*[)\]]"), re.compile(named)


# `no.`, `no` at the end
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
    # `it ` of `it is red`
    words = re.sub(r"^(?:it|they|there)\s+", "", _JOINTS.sub(" ", plain_text(option)).strip(" ."))
    return "" if len(words) == 1 and words.isalpha() else words


@lru_cache(maxsize=4096)
def _mention(words: str) -> re.Pattern[str]:
    """Return the pattern of words outside longer words; plurals count."""
    plural = "(?:e?s)?" if words[-1].isalpha() else ""
    # `tree` and `trees` for the word `tree`, nothing of `treetop`
    return re.compile(rf"(?<![\w.^/\\]){re.escape(words)}{plural}(?![\w^/%°]|\.\d)")


# `not the ` of `not the tree`, `n't in ` of `isn't in town`
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
        # `most likely `, `also `
        plain = re.sub(r"\b(?:most likely|likely|probably|also|then)\s", "", plain)
    plain = plain.replace(". ", "  ").replace(": ", "  ")
    # Where each option is mentioned.
    spans: list[tuple[int, int, int]] = []
    for index, option in enumerate(options.texts):
        words = _words_of(option)
        no_answer = words == "no" and _NO_ALONE.search(text) is None
        if words and words in plain and not no_answer:
            spans += [(*match.span(), index) for match in _mention(words).finditer(plain)]
    # One option that is mentioned, or the one that opens a comparison.
    outer = sorted(
        (start, index)
        for start, end, index in spans
        if not any(s <= start and end <= e and (e - s) > (end - start) for s, e, _ in spans)
    )
    if outer and _NEGATED.search(plain[: outer[0][0]]):
        return None
    if len({options.texts[index] for _, index in outer}) == 1:
        return outer[0][1]
    # `than`, `compared to`
    compares = outer and re.search(r"\b(?:than|compared (?:to|with))\b", plain)
    return outer[0][1] if compares and _OPENS.fullmatch(plain[: outer[0][0]]) else None


def by_value(sentence: str, options: Options) -> int | None:
    """Return the option whose value a sentence states, if the options are numbers."""
    if sum(read_number(option) is not None for option in options.texts) < 2:
        return None
    number = number_in(sentence, last=True)
    return None if number is None else option_by_text(number, options)


# `is`, `have`, `intersects`
_ASSERTS = re.compile(r"\b(?:is|are|was|were|has|have|does|do|can|intersects?)\b", re.I)

# `not`, `false`, `n't` of `isn't`
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
    # `3`, `but`
    return None if re.search(r"\d|\b(?:while|whereas|but)\b", sentence) else plain.index("yes")
