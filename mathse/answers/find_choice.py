"""Find the option that a response chooses."""

from __future__ import annotations

import re
from functools import lru_cache

from mathse.answers import markers
from mathse.answers.markers import Span
from mathse.answers.mentions import by_polarity, by_value, labels_in, mentioned, yes_or_no
from mathse.answers.normalize import plain_math
from mathse.answers.options import Options, option_by_text

MAX_LOOSE_SENTENCES = 3
"""In a longer text, an option mentioned somewhere is no answer."""

_CIRCLED = {char: index for index, char in enumerate("①②③④⑤⑥⑦⑧")}


_LIST_LINE = re.compile(r"^\s*\(?[A-Z]{1,2}\s*[).:]\s*\S")


def option_of(text: str, options: Options) -> int | None:
    """Return the option that a short answer names, or None if it names none or several.

    A letter comes first, then the option's own words, then its value (`0.5` for an option `1/2`).
    The letter wins over other words beside it, except yes and no: `A) no` says no.
    """
    text = text.strip()
    exact = [index for index, option in enumerate(options.texts) if option == text]
    if exact:
        return exact[0]
    bare = _bare(text)
    if bare.startswith("A:"):
        answered = _after_a(bare[2:].strip(), options)
        if answered is not None:
            return answered
    match = _letter_pattern(options.labels).match(bare)
    if match is not None:
        if _several_labels(bare, options):
            return None
        named = yes_or_no(bare[match.end() :].lstrip(" ).:,;-*_\"'}]"), options)
        return (
            options.labels.index((match.group(1) or match.group(2)).upper())
            if named is None
            else named
        )
    if (
        len(text) == 1
        and text in _CIRCLED
        and not any(set(option) & set(_CIRCLED) for option in options.texts)
    ):
        return _CIRCLED[text] if _CIRCLED[text] < len(options.labels) else None
    return option_by_text(text, options)


def _after_a(text: str, options: Options) -> int | None:
    """The option that the words after "A:" give, where A stands for answer: `A: No`, `A: it is 0.8`."""
    for index in (
        yes_or_no(text, options),
        option_by_text(text, options),
        mentioned(text, options),
    ):
        if index is not None:
            return index
    return by_value(text, options) if len(text.split()) > 1 else None


def _several_labels(text: str, options: Options) -> bool:
    """Return True if a text answers with a list of labels, as in `(A), (C) and (E)`."""
    letter = f"[(]?[{''.join(options.labels)}][)]?"
    return (
        re.match(rf"^{letter}\s*(?:,|and|or|&|和|或)\s*(?:and|or)?\s*{letter}(?![\w'])", text)
        is not None
    )


def _bare(text: str) -> str:
    text = plain_math(text) if "\\" in text or "$" in text else text
    return text.strip().strip("*_\"'` ")


@lru_cache(maxsize=256)
def _letter_pattern(labels: tuple[str, ...]) -> re.Pattern[str]:
    """A label that opens a text: `C`, `(C)`, `C.`, `C) 12`, `option C`, `{C}`."""
    letter = f"[{''.join(labels)}{''.join(labels).lower()}]"
    lead = r"^(?:(?:the\s+)?(?:correct\s+)?(?:option|choice|letter|answer|image|figure|选项|选)\s*:?\s*)?[\"'*_{$\s]*"
    ends = r"(?=[).:,;、}\]*\"']|\s*$|\s+-\s|\s*\()"
    return re.compile(rf"{lead}(?:[(\[]\s*({letter})\s*[)\]]|({letter})\s*{ends})")


def find_option(text: str, options: Options) -> Span | None:
    """Find the option that a response chooses.

    Args:
        text: a response that went through `normal.clean_response`.
        options: the options of the problem.

    Returns:
        A span whose text is the option's label, or None.
    """
    if not text or not options.labels or _only_lists_options(text):
        return None
    if len(text) <= 80 and "\n" not in text and "boxed" not in text and not _stated_later(text):
        whole = option_of(text, options)
        if whole is not None:
            return Span(0, options.labels[whole], "whole")
    stated = _stated(text, options)
    if stated is not None:
        return stated
    return _concluded(text, options)


def _stated_later(text: str) -> bool:
    return any(span.start > 0 for span in markers.markers(text))


def _only_lists_options(text: str) -> bool:
    """Return True if a response does nothing but list labelled options, as weak models do."""
    lines = [line for line in text.split("\n") if line.strip()]
    listed = sum(_LIST_LINE.match(line) is not None for line in lines)
    return listed > 1 and listed >= len(lines) - 1 and not markers.markers(text)


def _stated(text: str, options: Options) -> Span | None:
    """The last box or "answer is" that names an option."""
    spans = list(markers.markers(text))
    box = markers.last_boxed(text) if "box" in text else None
    if box is not None:
        spans = [*(span for span in spans if "boxed" not in span.text), box]
    for span in sorted(spans, key=lambda span: span.start, reverse=True):
        index = _in_snippet(span.text, options)
        if index is not None:
            return Span(span.start, options.labels[index], span.rule)
    return None


def _in_snippet(snippet: str, options: Options) -> int | None:
    """Resolve what follows "the answer is": its opening label, its whole words, a label in brackets, a mention."""
    index = option_of(snippet, options)
    if index is not None:
        return index
    if _several_labels(_bare(snippet), options):
        return None
    labels = labels_in(snippet, options)
    if len(labels) == 1:
        return labels.pop()
    if len(labels) > 2:
        return None
    yes = yes_or_no(snippet, options)
    if yes is not None:
        return yes
    return mentioned(snippet, options)


def _concluded(text: str, options: Options) -> Span | None:
    """Without a statement: an opening yes or no, a last line that is a letter, then the sentences that conclude."""
    index = yes_or_no(text, options)
    if index is not None:
        return Span(0, options.labels[index], "first")
    last_line = text.rsplit("\n", 1)[-1]
    match = _letter_pattern(options.labels).match(_bare(last_line))
    if match is not None and len(last_line) <= 4:
        return Span(len(text) - len(last_line), (match.group(1) or match.group(2)).upper(), "last")
    parts = markers.sentences(text)
    if not parts:
        return None
    conclusions = [part for part in parts if markers.concludes(part.text)]
    named = labels_in(text, options)
    if len(named) == 1 and not any(
        mentioned(part.text, options) is not None for part in conclusions
    ):
        return Span(0, options.labels[named.pop()], "only")
    for part in [*reversed(conclusions[-2:]), parts[0], parts[-1]]:
        labels = labels_in(part.text, options)
        if len(labels) == 1:
            return Span(part.start, options.labels[labels.pop()], "conclusion")
        index = mentioned(part.text, options)
        if index is None:
            index = mentioned(
                re.split(r",\s*(?:as|because|since|which|while)\b|\bbecause\b", part.text)[0],
                options,
            )
        if index is None:
            index = by_value(part.text, options)
        if index is not None:
            return Span(part.start, options.labels[index], "conclusion")
    opening = _letter_pattern(options.labels).match(_bare(parts[0].text))
    if opening is not None and len(labels_in(text, options)) <= 1:
        return Span(0, (opening.group(1) or opening.group(2)).upper(), "first")
    index = mentioned(text, options) if len(parts) <= MAX_LOOSE_SENTENCES else None
    if index is not None:
        return Span(0, options.labels[index], "only")
    index = by_polarity(text, parts, options)
    return None if index is None else Span(0, options.labels[index], "polarity")
