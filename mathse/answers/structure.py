"""The structure of an answer's tokens: brackets, separators, names, conditions."""

from __future__ import annotations

import re

from mathse.answers.expressions import Token

Tokens = tuple[Token, ...]
JOINERS = {",": ",", ";": ";", "、": ","} | dict.fromkeys(["or", "或", "或者"], "or")
JOINERS |= dict.fromkeys(["and", "&", "且", "和", "及", "与", "并且"], "and")
OPENERS, CLOSERS = {"(", "[", "{", "\\langle"}, {")", "]", "}", "\\rangle"}


def split_at(tokens: Tokens, separators: set[str]) -> tuple[list[Tokens], list[str]]:
    """Split at separators outside brackets; an empty list of signs if there are none."""
    parts: list[Tokens] = []
    signs: list[str] = []
    depth, start = 0, 0
    for index, token in enumerate(tokens):
        text = token.text
        if depth == 0 and text in separators:
            parts.append(tokens[start:index])
            signs.append(text)
            start = index + 1
        elif text in OPENERS or text == "\\begin":
            depth += 1
        elif text in CLOSERS or text == "\\end":
            depth -= 1
    return [*parts, tokens[start:]], signs


def closes_at_end(tokens: Tokens) -> bool:
    """Return True if the bracket that opens the tokens is closed by the last one."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.text in OPENERS) - (token.text in CLOSERS)
        if depth == 0:
            return index == len(tokens) - 1
    return False


_INTEGERS = ("Z", "N", "N_+", "Z_+")
_OPENS_CONDITION = (",", "(", ";", "where", "with", "for")


def without_condition(tokens: Tokens) -> tuple[Tokens, str, str]:
    r"""Cut off `k \in Z`, `for some integer t`, `for all x`, and return the letter and its ring."""
    if not {"\\in", "for"} & {token.text for token in tokens}:
        return tokens, "", ""
    for index, token in enumerate(tokens):
        rest = [part.text for part in tokens[index:] if part.text not in "{}()"]
        before = tokens[:index]
        while before and before[-1].text in _OPENS_CONDITION:
            before = before[:-1]
        if token.kind == "letter" and rest[1:2] == ["\\in"] and 0 < len(before) < index:
            ring = "".join(rest[2:]).replace("\\mathbb", "").replace("^", "_").replace("*", "+")
            if ring in _INTEGERS:
                return before, token.text, ring
        if token.text == "for" and rest[1:2] and rest[1] in ("all", "any", "every", "each", "some"):
            if rest[2:3] and rest[2] in ("integer", "integers") and len(rest) == 4:
                return before, rest[3], "Z"
            return before, "", ""
    return tokens, "", ""


# `x_1`, `f(x)`, `\theta`, `AB`, `|AB|`, `\angleABC`, `\fracNOBO`, `\cos(x)`
_NAME = re.compile(
    r"\\?[a-zA-Z]+(?:_(?:\\?\w+|△\w+))?'*(?:\([^()=<>]{1,30}\))?|\|[a-zA-Z]{1,2}\|"
    r"|[A-Z]{1,3}:[A-Z]{1,3}|[SV]_\w+:[SV](?:_\w+)?"
    r"|\\(?:cos|sin|tan|angle|overline|vec|triangle|frac|cos\\angle)[\\a-zA-Z]{1,12}"
)
_NO_NAMES = {"frac", "sqrt", "pi", "e", "i", "infty"}
# `not x = 6`, `more than a = 1`
_NO_NAME_WORDS = {"sin", "cos", "tan", "not", "never", "cannot", "than", "least", "most", "except"}


def read_name(tokens: Tokens) -> str | None:
    """Return the name that the left side of a definition is, without spaces and braces."""
    if not tokens:
        return None
    texts = [token.text for token in tokens]
    first, alone = tokens[0], len(tokens) == 1
    words = [token.kind == "word" and len(token.text) > 2 for token in tokens]
    if words[0] and all(
        word or text in ("of", "a", "is") for word, text in zip(words, texts, strict=True)
    ):
        return "" if _NO_NAME_WORDS.isdisjoint(texts) else None
    spaced = any(token.spaced and token.kind in ("word", "letter") for token in tokens[1:])
    lower_word = alone and first.kind == "word" and not first.text.isupper() and not words[0]
    if (
        (alone and first.text.strip("\\") in _NO_NAMES)
        or (spaced and first.kind != "command" and not "".join(texts).isupper())
        or lower_word
    ):
        return None
    # `\mathrm{AB}` gives `AB`
    name = re.sub(r"[{}]|\\mathrm", "", "".join(texts))
    return name if _NAME.fullmatch(name) else None


def read_names(tokens: Tokens) -> list[str]:
    """Return the names of `(x, y)`, or none."""
    if tokens[0].text != "(" or not closes_at_end(tokens):
        return []
    names = [read_name(part) for part in split_at(tokens[1:-1], {","})[0]]
    return [name for name in names if name] if len(names) > 1 and all(names) else []
