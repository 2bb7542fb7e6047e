"""Multiple choice: which option a text names, by letter, by its words, or by its value."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import lru_cache

from mathse.answers import algebra, locate
from mathse.answers.freeform import REFUSAL, number_in
from mathse.answers.grammar import read_expression
from mathse.answers.locate import Place
from mathse.answers.normal import plain_characters, plain_math
from mathse.answers.quantities import read_quantity

_CIRCLED = {char: index for index, char in enumerate("①②③④⑤⑥⑦⑧")}


@dataclass(frozen=True)
class Options:
    """The options of one problem: their labels and texts, in order."""

    labels: tuple[str, ...]
    texts: tuple[str, ...]


_LABELLED = re.compile(r"^\s*[(]?([A-Ha-h])\s*[).:、]\s*(?=\S)")


@lru_cache(maxsize=4096)
def read_options(choices: tuple[str, ...]) -> Options:
    """Label the options: A, B, C … by position, unless the options are letters of their own."""
    texts = tuple(plain_characters(choice).strip() for choice in choices)
    letters = [text.strip("() .").upper() for text in texts]
    if texts and all(re.fullmatch(r"[A-Z]", letter) for letter in letters) and len(set(letters)) == len(letters):
        return Options(tuple(letters), texts)
    labelled = [_LABELLED.match(text) for text in texts]
    if texts and all(labelled) and len({match.group(1).upper() for match in labelled if match}) == len(texts):
        return Options(
            tuple(match.group(1).upper() for match in labelled if match),
            tuple(_LABELLED.sub("", text) for text in texts),
        )
    return Options(tuple(string.ascii_uppercase[: len(texts)]), texts)


@lru_cache(maxsize=16384)
def plain_text(text: str) -> str:
    """Reduce words to what counts in a comparison: lower case, no articles, no punctuation at the edges."""
    text = plain_math(text).lower().replace("_", " ")
    text = re.sub(r"^(?:the|an|a)\s+", "", text.strip(" .;:,!?\"'*()"))
    return re.sub(r"[\s\"'`*]+", " ", text).strip(" .;:,!?")


def option_of(text: str, options: Options) -> int | None:
    """Return the option that a short answer names, or None if it names none or several.

    A letter comes first, then the option's own words, then its value (`0.5` for an option `1/2`). The letter wins
    over other words beside it, except yes and no: `A) no` says no.
    """
    text = text.strip()
    bare = _bare(text)
    match = _letter_pattern(options.labels).match(bare)
    if match is not None:
        if _several_labels(bare, options):
            return None
        named = _yes_or_no(bare[match.end() :].lstrip(" ).:,;-*_\"'}]"), options)
        return options.labels.index((match.group(1) or match.group(2)).upper()) if named is None else named
    if len(text) == 1 and text in _CIRCLED and not any(set(option) & set(_CIRCLED) for option in options.texts):
        return _CIRCLED[text] if _CIRCLED[text] < len(options.labels) else None
    return option_by_text(text, options)


def _several_labels(text: str, options: Options) -> bool:
    """Tell whether a text answers with a list of labels, as in `(A), (C) and (E)`."""
    letter = f"[(]?[{''.join(options.labels)}][)]?"
    return re.match(rf"^{letter}\s*(?:,|and|or|&|和|或)\s*(?:and|or)?\s*{letter}(?![\w'])", text) is not None


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


def option_by_text(text: str, options: Options) -> int | None:
    """Return the option whose words or value a short answer gives, or None."""
    plain = plain_text(text)
    if not plain:
        return None
    same = [index for index, option in enumerate(options.texts) if plain_text(option) == plain]
    if not same:
        squeezed = plain.replace(" ", "")
        same = [index for index, option in enumerate(options.texts) if plain_text(option).replace(" ", "") == squeezed]
    if not same:
        same = [index for index, option in enumerate(options.texts) if _same_value(text, option)]
    return same[0] if same and len({options.texts[index] for index in same}) == 1 else None


@lru_cache(maxsize=16384)
def _same_value(text: str, option: str) -> bool:
    left, right = read_quantity(text), read_quantity(option)
    if left is not None and right is not None:
        if left.unit is not None and right.unit is not None and left.unit.dimension != right.unit.dimension:
            return False
        if left.exact is not None and right.exact is not None:
            return left.exact == right.exact
        return abs(left.value - right.value) <= 1e-9 * max(1.0, abs(right.value))
    if left is not None or right is not None:
        return False
    first, second = read_expression(plain_math(text)), read_expression(plain_math(option))
    return first is not None and second is not None and algebra.equal(first, second) is True


_YES_NO = re.compile(r"^\W*(yes|no|true|false|是的?|不是|否|对|错)\b", re.I)
_SAME_AS = {"true": "yes", "false": "no", "是": "yes", "是的": "yes", "对": "yes", "不是": "no", "否": "no", "错": "no"}


def find_option(text: str, options: Options) -> Place | None:
    """Find the option that a response chooses.

    Args:
        text: a response that went through `normal.clean_response`.
        options: the options of the problem.

    Returns:
        A place whose text is the option's label, or None.
    """
    if not text or not options.labels or _only_lists_options(text):
        return None
    if len(text) <= 80 and "\n" not in text and "boxed" not in text:
        whole = option_of(text, options)
        if whole is not None:
            return Place(0, options.labels[whole], "whole")
    stated = _stated(text, options)
    if stated is not None:
        return stated
    return _concluded(text, options)


def _only_lists_options(text: str) -> bool:
    """Tell whether a response does nothing but list labelled options, as weak models do."""
    lines = [line for line in text.split("\n") if line.strip()]
    listed = sum(_LIST_LINE.match(line) is not None for line in lines)
    return listed > 1 and listed >= len(lines) - 1 and not locate.markers(text)


_LIST_LINE = re.compile(r"^\s*\(?[A-Z]{1,2}\s*[).:]\s*\S")


def _stated(text: str, options: Options) -> Place | None:
    """The last box or "answer is" that names an option."""
    places = locate.markers(text)
    box = locate.last_boxed(text) if "box" in text else None
    if box is not None:
        places = [*(place for place in places if "boxed" not in place.text), box]
    for place in sorted(places, key=lambda place: place.start, reverse=True):
        index = _in_snippet(place.text, options)
        if index is not None:
            return Place(place.start, options.labels[index], place.rule)
    return None


def _in_snippet(snippet: str, options: Options) -> int | None:
    """Resolve what follows "the answer is": its opening label, its whole words, a label in brackets, a mention."""
    index = option_of(snippet, options)
    if index is not None:
        return index
    if _several_labels(_bare(snippet), options):
        return None
    labels = _bracketed(snippet, options)
    if len(labels) == 1:
        return labels.pop()
    yes = _yes_or_no(snippet, options)
    if yes is not None:
        return yes
    return mentioned(snippet, options)


def _bracketed(text: str, options: Options) -> set[int]:
    """Labels that stand in brackets or after the word option."""
    letters = "".join(options.labels)
    pattern = (
        rf"[(\[]\s*([{letters}{letters.lower()}])\s*[)\]]"
        rf"|\b(?i:option|choice|letter|figure|graph|picture|image|shape)(?:\s+|\s*:\s*)([{letters}])(?![a-zA-Z])"
        rf"|选项?\s*:?\s*([{letters}])(?![a-zA-Z])"
    )
    return {options.labels.index("".join(found).upper()) for found in re.findall(pattern, text)}


def _yes_or_no(text: str, options: Options) -> int | None:
    match = _YES_NO.match(text)
    if match is None:
        return None
    word = match.group(1).lower()
    plain = [plain_text(option) for option in options.texts]
    for candidate in (word, _SAME_AS.get(word, ""), {"yes": "true", "no": "false"}.get(word, "")):
        if candidate and candidate in plain:
            return plain.index(candidate)
    return None


_JOINTS = re.compile(r"[^\w%°./^\\{}+*=:]+")


def mentioned(text: str, options: Options) -> int | None:
    """Return the one option whose words occur in a text.

    A mention inside a longer option's mention does not count. In a comparison ("the sun is larger than the moon") the
    option that opens the sentence is meant.
    """
    plain = " " + _JOINTS.sub(" ", plain_math(text).lower().replace("_", " ")) + " "
    plain = re.sub(r"\b(?:most likely|likely|probably|also|then)\s", "", plain)
    plain = re.sub(r"[.:](?=\s)", " ", plain)
    spans: list[tuple[int, int, int]] = []
    for index, option in enumerate(options.texts):
        words = re.sub(r"^(?:it|they|there)\s+", "", _JOINTS.sub(" ", plain_text(option)).strip(" ."))
        if not words or (len(words) == 1 and words.isalpha()):
            continue
        plural = "(?:e?s)?" if words[-1].isalpha() else ""
        for match in re.finditer(rf"(?<![\w.^/\\]){re.escape(words)}{plural}(?![\w^/%°]|\.\d)", plain):
            spans.append((match.start(), match.end(), index))
    outer = sorted(
        (start, index)
        for start, end, index in spans
        if not any(s <= start and end <= e and (e - s) > (end - start) for s, e, _ in spans)
    )
    if len({options.texts[index] for _, index in outer}) == 1:
        return outer[0][1]
    if outer and re.search(r"\b(?:than|compared (?:to|with))\b", plain) and _OPENS.fullmatch(plain[: outer[0][0]]):
        return outer[0][1]
    return None


_OPENS = re.compile(r"\s*(?:(?:based on|according to|in) [\w ]{1,24}? )?(?:the|an?)?\s*")


def _concluded(text: str, options: Options) -> Place | None:
    """Without a statement: an opening yes or no, a last line that is a letter, then the sentences that conclude."""
    index = _yes_or_no(text, options)
    if index is not None:
        return Place(0, options.labels[index], "first")
    last_line = text.rsplit("\n", 1)[-1]
    match = _letter_pattern(options.labels).match(_bare(last_line))
    if match is not None and len(last_line) <= 4:
        return Place(len(text) - len(last_line), (match.group(1) or match.group(2)).upper(), "last")
    parts = locate.sentences(text)
    if not parts:
        return None
    conclusions = [part for part in parts if locate.concludes(part.text)]
    for part in [*reversed(conclusions[-2:]), parts[-1], parts[0]]:
        labels = _bracketed(part.text, options)
        if len(labels) == 1:
            return Place(part.start, options.labels[labels.pop()], "conclusion")
        index = mentioned(part.text, options)
        if index is None:
            index = mentioned(re.split(r",\s*(?:as|because|since|which|while)\b|\bbecause\b", part.text)[0], options)
        if index is None:
            index = _by_value(part.text, options)
        if index is not None:
            return Place(part.start, options.labels[index], "conclusion")
    opening = _letter_pattern(options.labels).match(_bare(parts[0].text))
    if opening is not None and len(_bracketed(text, options)) <= 1:
        return Place(0, (opening.group(1) or opening.group(2)).upper(), "first")
    index = mentioned(text, options)
    if index is not None:
        return Place(0, options.labels[index], "only")
    index = _by_polarity(text, parts, options)
    return None if index is None else Place(0, options.labels[index], "polarity")


def _by_value(sentence: str, options: Options) -> int | None:
    """The option with the value of the number that a sentence states, where the options are numbers."""
    if sum(read_quantity(option) is not None for option in options.texts) < 2:
        return None
    number = number_in(sentence, last=True)
    return None if number is None else option_by_text(number, options)


def _by_polarity(text: str, parts: list[Place], options: Options) -> int | None:
    """Yes or no from a first sentence that affirms or denies what was asked: `X is not the maximum`."""
    plain = [plain_text(option) for option in options.texts]
    if set(plain) != {"yes", "no"} or len(parts) > 5:
        return None
    sentence = parts[0].text
    if REFUSAL.search(" ".join(part.text for part in parts)) or not _ASSERTS.search(sentence) or f"{sentence}?" in text:
        return None
    if _DENIES.search(sentence):
        return plain.index("no")
    return None if re.search(r"\d|\b(?:while|whereas|but)\b", sentence) else plain.index("yes")


_ASSERTS = re.compile(r"\b(?:is|are|was|were|has|have|does|do|can|intersects?)\b", re.I)
_DENIES = re.compile(r"\b(?:not|no|never|none|neither|false|cannot|incorrect|untrue)\b|n't\b", re.I)
