"""Find the option that a response chooses: by its label, yes or no, its words, its value."""

from __future__ import annotations

import re
from functools import lru_cache

from mathse.answers import markers
from mathse.answers.find_freeform import REFUSAL, number_in
from mathse.answers.markers import Span
from mathse.answers.neighbours import is_altered_before
from mathse.answers.options import Options, option_by_text
from mathse.answers.plain import plain_math, plain_text
from mathse.answers.read import read_number, read_value
from mathse.answers.values import Words

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
    short = len(text) <= 80 and "\n" not in text and "boxed" not in text and not stated_later
    whole = option_of(text, options) if short else None
    found = None if whole is None else Span(0, options.labels[whole], "whole")
    found = found or _stated(text, options) or _concluded(text, options)
    # `The answer is A. Wait, it is B` states neither.
    if found is not None and (rest := markers.retraction(text, found.start)) is not None:
        again = find_option(rest, options)
        if again is None or again.text != found.text:
            return Span(found.start, "", "several_answers")
    return found


# `AC`, `options A and C`, `(A), (C)`
_LISTED = re.compile(
    r"(?:options?|answers?|选项?)?\s*((?:\(?[A-Z]\)?[\s,、&;]*(?:and\b|和|及|与)?\s*){2,})(?![a-zA-Z])"
)
# `options are: `, `选`
_STATES_SEVERAL = re.compile(
    rf"(?:\b(?:options|answers|choices|ones)\s+are\b|{markers.CHOSEN})\s*:?\s*", re.I
)


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
    """Return the last box or "answer is" that names an option; none if it states another value."""
    for span in reversed(markers.statements(text)):
        if (index := _in_snippet(span.text, options)) is not None:
            return Span(span.start, options.labels[index], span.rule)
        if _is_value(span.text):  # it is equal to no option
            return Span(span.start, "", span.rule)
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
    # Sentences; a question states nothing, unless the options are questions.
    asked = any(option.endswith("?") for option in options.texts)
    parts = [part for part in markers.sentences(text) if asked or part.rule != "question"]
    if not parts:
        return None
    # `we get B` at the end; not `we do not choose B`.
    last = parts[-1]
    match = _label_patterns(options.labels)[2].search(last.text)
    before = last.text[: match.start() if match else 0].replace("'", " ")
    if match is not None and not _DENIED_BEFORE.search(before):
        return Span(last.start, match[1], "conclusion")
    # The only label that is named, unless a conclusion names an option by its words.
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
    bracketed, named, _ = _label_patterns(options.labels)
    found = {options.labels.index(label.upper()) for label in bracketed.findall(text)}
    letters = [option.strip("() .").upper() for option in options.texts]
    for label, pictured in named.findall(text):
        known = letters if pictured in letters and pictured else options.labels
        found.add(known.index(label or pictured))
    return found


@lru_cache(maxsize=256)
def _label_patterns(labels: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Patterns of labels in brackets, after words such as "option", and at a conclusion's end."""
    letters = "".join(labels)
    # `option: B`, `选项B`, `figure C`
    named = (
        rf"(?:\b(?i:option|choice|letter)(?:\s+|\s*:\s*)"
        rf"|{markers.CHOSEN}项?\s*:?\s*)([{letters}])(?![a-zA-Z])"
        rf"|\b(?i:figure|graph|picture|image|shape)\s+([{letters}])(?![a-zA-Z])"
    )
    # `we get B`, `so it is C`, `leaves only D`
    last = (
        rf"\b(?i:so|get|leaves?|leaving|choose|pick|select)\s+(?:only\s+|it is\s+|it's\s+)?"
        rf"([{letters}])\W*$"
    )
    # `(b)`, `[C]`
    bracketed = rf"[(\[]\s*([{letters}{letters.lower()}])\s*[)\]]"
    return re.compile(bracketed), re.compile(named), re.compile(last)


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


Mention = tuple[int, int, int]
"""Where an option is mentioned, from start to end, and the option's index."""


@lru_cache(maxsize=4096)
def _mention(words: str) -> re.Pattern[str]:
    """Return the pattern of words outside longer words; plurals count."""
    plural = "(?:e?s)?" if words[-1].isalpha() else ""
    # `tree` and `trees` for the word `tree`, nothing of `treetop`
    return re.compile(rf"(?<![\w.^/\\]){re.escape(words)}{plural}(?![\w^/%°]|\.\d)")


# `not the ` of `not the tree`, `isn t in ` of `isn't in town`, `will never `
_DENIED_BEFORE = re.compile(
    r"\b(?:not|cannot|never|neither|nor|(no)"
    r"|(?:is|are|was|were|do|does|did|wo|would|ca|could|should|must|has|have|had)n t)\s+"
    r"(?:(?:on|in|at|the|an?|be|any|to|going|really|likely)\s+)*$"
)
# ` is wrong` of `15 is wrong`, ` cannot be the answer`
_DENIED_AFTER = re.compile(
    r"\s(?:is|are|was|were|(?:can|must|would) be|cannot be|\w+n t(?: be)?)\s(?:\w+ly\s)?"
    r"(?:wrong|incorrect|false|impossible|(?:ruled|left) out|eliminated|excluded"
    r"|(?:not\s)?(?:the\s)?(?:\w+\s)?(?:answer|option|choice)"
    r"|not (?:right|correct|true|possible))\b"
)
# ` but ` of `not a tree but a house`, ` it ` of `It is not a tree. It is a house`
_CONTRAST = re.compile(r"\s(?:but|rather|instead|it|they|so|thus|hence|therefore)\s")
# ` not a ` of `a house, not a tree`
_AND_NOT = re.compile(r"\s+not\s+(?:(?:an?|the)\s+)?")


def _affirmed(plain: str, spans: list[Mention], *, no_alone: bool) -> list[Mention]:
    """Return the mentions that a text affirms; none if it denies one and contrasts no other."""
    denied = [
        number
        for number, (start, end, _) in enumerate(spans)
        if ((match := _DENIED_BEFORE.search(plain[:start])) and not (match[1] and no_alone))
        or _DENIED_AFTER.match(plain, end)
    ]
    if not denied:
        return spans
    first, last = denied[0], denied[-1]
    if last + 1 < len(spans) and _CONTRAST.search(plain[spans[last][1] : spans[last + 1][0] + 1]):
        return spans[last + 1 :]
    if first > 0 and _AND_NOT.fullmatch(plain[spans[first - 1][1] : spans[first][0]]):
        return spans[:first]
    return []


def mentioned(text: str, options: Options) -> int | None:
    """Return the one option whose words occur in a text.

    A mention inside a longer option's mention does not count, nor one that is denied. In a
    comparison ("the sun is larger than the moon") the option that opens the sentence is meant.
    An option that is a value counts only if it is the value that the text states.
    """
    index = _mentioned(text, options)
    if index is None or not _is_value(options.texts[index]):
        return index
    if read_number(options.texts[index]) is None:
        return index if _stands_alone(text, options.texts[index]) else None
    number = number_in(text, last=True)
    return index if number and option_by_text(number, options) == index else None


def _stands_alone(text: str, formula: str) -> bool:
    """Return True if a formula is in a text and no part of a longer one: `2x`, but not `2x+3`."""
    # the `+` of `x + 3`
    text, formula = (re.sub(r"\s*([-+*/^])\s*", r"\1", plain_math(it)) for it in (text, formula))
    before = r"(?<![\w.^/\\+*(-])" if formula[:1].isalnum() else ""
    # `2x` in `it is 2x.`
    match = re.search(rf"{before}{re.escape(formula)}(?![\w^/*+({{!-])", text)
    return match is not None and not is_altered_before(text[: match.start()])


def _is_value(text: str) -> bool:
    """Return True if a text is a number or a formula, not words such as `sun`, `half`."""
    # `5`, `\pi`, `=`
    formula = re.search(r"[\d\\+*/^=]", plain_math(text)) is not None
    return formula and not isinstance(read_value(text), Words | None)


def _mentioned(text: str, options: Options) -> int | None:
    # The text without conditions, hedges and punctuation.
    text = _CONDITION.sub("", plain_math(text).lower().replace("_", " "))
    no_alone = _NO_ALONE.search(text) is not None
    plain = " " + _JOINTS.sub(" ", text) + " "
    if any(word in plain for word in ("likely", "probably", "also", "then")):
        # `most likely `, `also `
        plain = re.sub(r"\b(?:most likely|likely|probably|also|then)\s", "", plain)
    plain = plain.replace(". ", "  ").replace(": ", "  ")
    # Where each option is mentioned.
    spans: list[Mention] = []
    for index, option in enumerate(options.texts):
        words = _words_of(option)
        if words and words in plain and (words != "no" or no_alone):
            spans += [(*match.span(), index) for match in _mention(words).finditer(plain)]
    # One option that is mentioned, or the one that opens a comparison.
    outer = sorted(
        (start, end, index)
        for start, end, index in spans
        if not any(s <= start and end <= e and (e - s) > (end - start) for s, e, _ in spans)
    )
    outer = _affirmed(plain, outer, no_alone=no_alone)
    if len({options.texts[index] for *_, index in outer}) == 1:
        return outer[0][2]
    # `than`, `compared to`
    compares = outer and re.search(r"\b(?:than|compared (?:to|with))\b", plain)
    return outer[0][2] if compares and _OPENS.fullmatch(plain[: outer[0][0]]) else None


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
