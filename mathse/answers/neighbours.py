"""What beside a number makes it another: `5 minus 2`, `at least 5`, `2a`, `5!`, `log 5`."""

from __future__ import annotations

import re

from mathse.answers.number_words import NUMBER_WORD

# `6`, `(6`, `$6`, `\pi`, `six`
_OPERAND = rf"(?:[-(${{]*\d|\\[a-z(]|(?:{NUMBER_WORD})\b)"
# words after a number that make it another: `7 dozen`, `7 more than`, `7% of 8`, `7 or more`
_ALTERED_AFTER = re.compile(
    r"[\s\-$]*(?:\\[cl]?dots|\.\.\.|…|(?:percent|per cent|%) of\s+\$?\d|[‰‱]"
    r"|(?:dozen|squared|cubed|halves"
    r"|thirds|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|quarters|hundredths"
    r"|score|hundred|thousand|million|billion"
    r"|and a half|(?:st|nd|rd|th) root|°?\s*(?:more|less|fewer|greater) than"
    r"|minus|plus|below zero|(?:divided|multiplied) by|(?:raised )?to the (?:power|\w+ power)"
    r"|or (?:more|less|fewer|above|below|over|under|greater|higher|lower|larger|smaller))\b"
    r"|times\s+(?:\$|[b-z]\b|a number)"
    rf"|(?:times|over|choose|root|point|mod|modulo|to)\s+{_OPERAND}|[倍又多余]|以[上下]|分之)",
    re.I,
)
# words and signs before a number that make it another: `minus 7`, `at least 7`, `-(7`, `log 7`
_ALTERED_BEFORE = re.compile(
    r"(?:(?:\b(?:not|never|neither|nor|cannot)|n't)(?:\s+(?:be|equals?|to))*"
    r"|\b(?:minus|plus|negative|between|than|at least|at most"
    r"|almost|over|under|above|below|up to|exceeds?|exceeding"
    r"|(?:divided|divisible|multiplied) by|mod(?:ulo)?"
    r"|twice|double|half(?: of)?|triple|(?:root|square|cube|reciprocal|inverse|opposite|multiples?"
    r"|factors?|divisors?|powers?|logarithm) of"
    r"|log|ln|lg|sin|cos|tan|cot|sec|csc|sqrt|rule[ds]? out|different from"
    r"|other than|except|exclude|anything but|choose)"
    rf"|(?:\d|\b(?:{NUMBER_WORD}))\s+(?:times|root|to|point)"
    r"|负|至[少多]|[大小多少高低]于|超过|不[到足]|[<>]"
    r"|\\(?:ne|le|ge|in|sim|log|ln|lg|sin|cos|tan|cot|sec|csc)"
    r"|\bbetween\s+[\d.,$%]+\s+and)\s*(?:\${1,2}|\\[(\[])?\s*$"
    r"|-\s*\(?$",
    re.I,
)
# what after a number makes it a part of something else: `2a`, `5!`, `53_8`, `3,14`
_GLUED_AFTER = re.compile(
    r"(?!st\b|nd\b|rd\b|th\b)[a-zA-Z_^!]|[,'.]\d|\s*(?:\\(?:overline|dot|binom|pm|in)|[xX×]\s*10)"
    r"|\s*[-+*/]\s*(?:(?:[a-zA-Z]|[A-Z]{2})(?![a-zA-Z])|[α-ω]|\\[a-z])|\s*\\(?:bmod|mod|pmod)"
    r"|\)\s*\^|'(?=\s|\.?$)|(?<=°)\s*\d|(?<=illion)\s+\d"
)
# what before a number makes it such a part: `x + 2`, `x^{2}`, `\overline{3}`
_GLUED_BEFORE = re.compile(
    r"(?<![a-zA-Z])[a-z]\s*[+*/^]\s*$|[\^_]\s*\{?\s*$|\d[,.']$"
    r"|\\(?:overline|dot|pm|mp|binom)\s*\{?\s*$"
)
# `negative 5`, `it is minus 5`, `负5`, but not `3 minus 5`
_NEGATIVE = re.compile(
    r"(?:(?<!non)(?<!non-)\bnegative\s+|(?:^|(?<=\bis )|(?<=\bbe )|(?<=equals ))minus\s+|负\s*)"
    r"(?=\d)",
    re.I,
)


def with_minus(text: str) -> str:
    """Write `negative 5` as `-5`."""
    return _NEGATIVE.sub("-", text)


def is_altered_before(text: str) -> bool:
    """Return True if the end of a text makes the value after it another one."""
    before = text[-40:]
    last = before.rstrip(" \n$\\([")[-1:]  # most numbers follow no word
    return (last.isalpha() or last in ("<", ">", "-")) and bool(_ALTERED_BEFORE.search(before))


def is_altered_after(text: str, end: int) -> bool:
    """Return True if what follows a number or number words makes them another number."""
    return _ALTERED_AFTER.match(text, end) is not None


def is_glued(text: str, start: int, end: int) -> bool:
    """Return True if digits are a part of something else, as in `2a` and `x^{2}`."""
    before = text[max(0, start - 30) : start]
    after = before[-1:] != "'" and _GLUED_AFTER.match(text, end) is not None
    return after or _GLUED_BEFORE.search(before) is not None
