"""One plain form for what models write: full-width letters, LaTeX spacing, control characters."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

MAX_RESPONSE_CHARS = 20_000
"""Longer responses keep their first tenth and their end: an answer stands at one of the two."""

_TABLE: dict[int, str | int | None] = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_TABLE.update(dict.fromkeys([*range(0x00, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F], None))
_TABLE.update(dict.fromkeys([0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0x202A, 0x202F)], None))
_TABLE.update(dict.fromkeys([0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " "))
_TABLE.update(dict.fromkeys([0x85, 0x2028, 0x2029], "\n"))
_TABLE.update(
    str.maketrans("−–‐‑﹣＝：，；（）【】．％∶⁄∕’‘“”′\rº٫٬", "-----=:,;()[].%://''\"\"'\n°.,")
)
_TABLE.update({ord("″"): "''", ord("℃"): "°C", ord("㎝"): "cm", ord("㎡"): "m^2"})
# decimal digits of Arabic, Persian, Devanagari
for _zero in (0x660, 0x6F0, 0x966):
    _TABLE.update({_zero + digit: str(digit) for digit in range(10)})
_FRACTIONS = "½1/2 ⅓1/3 ⅔2/3 ¼1/4 ¾3/4 ⅕1/5 ⅖2/5 ⅗3/5 ⅘4/5 ⅙1/6 ⅚5/6 ⅛1/8 ⅜3/8 ⅝5/8 ⅞7/8"
_TABLE.update({ord(item[0]): " " + item[1:] for item in _FRACTIONS.split()})

# `²`, `；`, `π`
_NEEDS_TABLE = re.compile(r"[^\t\n\x20-\x7e]")
# `⁻¹`
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
# `₁₂`
_LOWERED = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
# `<think>3 + 4 is 7.</think>`
_THINKING = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>", re.S)
# `</s>`, `<|im_end|>`, `<eoa>`
_END_TOKEN = re.compile(
    r"</s>|<\|im_(?:start|end)\|>|<\|end(?:oftext|_of_text)?\|>|<\|eot_id\|>|<eoa>"
)
# `<<3*4=12>>` of GSM8K, `<eoe>`
_CALCULATION = re.compile(r"<<[^<>\n]*>>|<eoe>")
# `\n### Next question:`
_NEXT_PROBLEM = re.compile(
    r"\n[\s#*]*(?:next )?(?:question|problem|hint|human|user|solution to problem)\b[^\n]{0,12}:",
    re.I,
)
# the two blanks of `x  = 3`
_SPACES = re.compile(r"[ \t]+")
# nine blanks or more
_WIDE = re.compile(r"[ \t]{9,}")
# two empty lines or more
_EMPTY_LINES = re.compile(r"\n[ \t]*\n\s*\n")


def split_response(text: str) -> tuple[str, str]:
    """Bring a response to plain form, and split off a next problem that the model invented.

    Control characters, hidden thinking and end tokens are dropped. A response longer than
    `MAX_RESPONSE_CHARS` keeps its start and its end.

    Returns:
        The text to search for an answer, and what follows a heading such as "Question:", if any.
    """
    if len(text) > MAX_RESPONSE_CHARS:
        head = MAX_RESPONSE_CHARS // 10
        text = text[:head] + "\n" + text[head - MAX_RESPONSE_CHARS :]
    text = _EMPTY_LINES.sub("\n\n", _WIDE.sub(" " * 8, plain_characters(text)))
    if "<" in text:
        text = text.replace("<answer>", "\nThe answer is: ").replace("</answer>", "\n")
        text = _CALCULATION.sub("", _THINKING.sub(" ", text))
        end = _END_TOKEN.search(text)
        if end is not None and text[: end.start()].strip():
            text = text[: end.start()]
    text = text.strip()
    if "\n" in text:
        invented = _NEXT_PROBLEM.search(text)
        if invented is not None and invented.start() > 0:
            return text[: invented.start()].rstrip(), text[invented.end() :].strip()
    return text, ""


def plain_characters(text: str) -> str:
    """Map full-width, typographic and control characters to their ASCII counterparts."""
    if _NEEDS_TABLE.search(text) is None:
        return text
    for pattern, sign in ((_RAISED, "^"), (_LOWERED, "_")):
        text = pattern.sub(lambda match: sign + "{" + _ordinary(match[0]) + "}", text)  # noqa: B023
    return text.translate(_TABLE)


def _ordinary(script: str) -> str:
    return unicodedata.normalize("NFKC", script).replace("−", "-")


# `\text{cm}`, `\mathrm {kg}`
_WRAPPED = re.compile(
    r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mathsf|mbox|operatorname"
    r"|rm|bf|bm|boldsymbol|emph)\s*\*?\s*\{([^{}]*)\}"
)
# `\(`, `$$`, `\displaystyle`
_DELIMITERS = re.compile(
    r"\\[()\[\]]|\$\$?"
    r"|\\(?:displaystyle|textstyle|limits|nolimits|tiny|small|large|rm|bf)(?![a-zA-Z])"
)
# `\left`, `\Big.`
_SIZES = re.compile(r"\\(?:left|right|big|Big|bigg|Bigg|bigl|bigr|Bigl|Bigr)(?![a-zA-Z])\s*\.?")
# `\,`, `\quad`, `\hspace{2em}`
_THIN = re.compile(
    r"\\[,;:! ]|~|\\q?quad(?![a-zA-Z])|\\(?:hspace|vspace|phantom|hfill)\*?(?:\{[^{}]*\})?"
)
# `^\circ`, `^{\circ}`, `\degree`
_DEGREE = re.compile(
    r"\^\s*\{?\s*\\circ\s*\}?|\\degrees?(?![a-zA-Z])|\{\s*\\circ\s*\}|\^\{?°\}?|\\textdegree"
)
# `\\frac` with its backslash escaped twice
_DOUBLED = re.compile(r"\\\\(?=[a-zA-Z(\[])")
# the end of a row, `\\`, inside an environment
_ROW = re.compile(r"\\\\(?:\[[^\]]*\])?")
ROW = "\x1e"
"""Stands for the end of a matrix's row."""
_SPELLINGS_TABLE = r"""
* × · ∗ ⋅ \times \cdot \ast
/ ÷ \div
: \colon \mathbin{:}
' \prime
< \lt
> \gt
\frac \dfrac \tfrac \cfrac
\sqrt √ \surd 根号
\pi π
\infty ∞ 无穷大
\le ≤ ⩽ ≦ \leqslant \leq <=
\ge ≥ ⩾ ≧ \geqslant \geq >=
\ne ≠ \neq !=
\approx ≈ \simeq ≒
\cup ∪ \cupdot \bigcup
\in ∈
\pm ±
\angle ∠
\triangle △
\parallel ∥
\perp ⊥
\emptyset ∅ \varnothing
\mathbb{R} ℝ
\mathbb{Z} ℤ
"""
_SPELLINGS = {
    spelling: plain + " " * (plain[1:].isalpha() and plain not in ("\\frac", "\\sqrt"))
    for plain, *others in map(str.split, _SPELLINGS_TABLE.strip().split("\n"))
    for spelling in others
}
# `\times`, `\leqslant`, `≥`
_SPELLING = re.compile(
    "|".join(
        re.escape(spelling) + "(?![a-zA-Z])" * (spelling[0] == "\\" and spelling[-1].isalpha())
        for spelling in _SPELLINGS
    )
)
_SIMPLE = [
    # `\not =`
    (re.compile(r"\\not\s*="), r"\\ne "),
    # the blank of `x ^2`
    (re.compile(r"(?<!\s)\s++(?=\^)"), ""),
    # `'30"` of `45°15'30"`
    (re.compile(r"('\s*\d+(?:\.\d+)?)\""), r"\1''"),
    # `* °` of `30* °`
    (re.compile(r"\*\s*°"), "°"),
    # `^{'}` of `f^{'}`, `^''`
    (re.compile(r"\^\s*\{\s*('+)\s*\}|\^\s*('+)"), r"\1\2"),
]
# the separator in `1{,}234` and `1,\!234`
_THOUSANDS_GROUP = re.compile(r"(?<=\d)(?:\{,\}|,\\!\s*)(?=\d{3})")


# `\`, `$`, `²`, `**`
_SPECIAL = re.compile(r"[^A-Za-z0-9 .,;:'\"()+*/?%=_|-]|\*\*")
"""Text without any of these is plain already."""


@lru_cache(maxsize=8192)
def plain_math(text: str) -> str:
    r"""Bring a short piece of LaTeX or plain mathematics to one spelling.

    `$\dfrac { 20 } { 3 }\,\text{cm}$` becomes `\frac { 20 } { 3 }cm`; spacing commands, delimiters
    and text wrappers go, `\times` becomes `*`, degrees become `°`, the end of a row becomes `ROW`.
    """
    text = plain_characters(text).strip()
    if _SPECIAL.search(text) is None:
        return _SPACES.sub(" ", text)
    if "\\" in text:
        text = _THOUSANDS_GROUP.sub("", text)
        if "\\\\begin" in text:
            text = text.replace("\\\\", "\\")
        rows = "\\begin" in text
        text = _ROW.sub(ROW, text) if rows else _DOUBLED.sub(r"\\", text)
        for char in "%${}_":
            text = text.replace("\\" + char, "" if char == "$" else char)
        text = _DELIMITERS.sub(" ", text)
        text = _SIZES.sub("", text)
        text = _DEGREE.sub("°", text)
        text = _THIN.sub(" ", text)
        for _ in range(3):
            text, changed = _WRAPPED.subn(r" \1 ", text)
            if not changed:
                break
        text = text.rstrip("\\")
    elif "{,}" in text:
        text = _THOUSANDS_GROUP.sub("", text)
    power = "^" if re.search(r"\w\*\*\d", text) else ""  # `x**2`, but not `**bold**`
    text = text.replace("$", " ").replace("**", power).replace("`", "")
    text = _DEGREE.sub("°", text) if "°" in text else text
    text = _SPELLING.sub(lambda match: _SPELLINGS[match[0]], text)
    for pattern, replacement in _SIMPLE:
        text = pattern.sub(replacement, text)
    return _SPACES.sub(" ", text.replace("\n", " ")).strip()


@lru_cache(maxsize=16384)
def plain_text(text: str) -> str:
    """Reduce words for a comparison: lower case, no articles, no punctuation at the edges."""
    text = plain_math(text).lower().replace("_", " ")
    # The `!` of `5!` is no exclamation.
    edges = " .;:,?" + "!" * (re.search(r"[\d)]\s*!", text) is None)
    # `the ` of `the red car`
    text = re.sub(r"^(?:the|an|a)\s+", "", text.strip(edges + "\"'*()"))
    # `red "car" park` gives `red car park`
    return re.sub(r"[\s\"'`*]+", " ", text).strip(edges)
