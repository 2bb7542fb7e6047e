"""Read fields of rows with errors that name them, and guess what a data set leaves out."""

from __future__ import annotations

import ast
import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mathse.datasets.protocol import BadRow, Picture, Row, require
from schemas import LETTERS, UNNUMBERED_IMAGE
from schemas.image import SIGNATURES

MIN_BASE64_CHARS = 64
"""A shorter text is a path."""

# "12", "-1,204.50", "$3/4", "2e-3", "45°"
_NUMBER = re.compile(
    r"[$€£¥]?\s*[-+−]?\s*(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:\s*/\s*\d+|e[-+]?\d+)?\s*[%°]?",
    re.IGNORECASE,
)
# "[1, 2]", "{3}"
_MEMBERS = re.compile(r"[\[{]\s*[^\[\]{}]*\s*[\]}]")
# "blue", "Mary's dog." (some word has two letters)
_WORDS = re.compile(r"(?=.*[^\W\d_]{2})[^\W\d_]+(?:[\s'’.,-]+[^\W\d_]+)*[.!]?")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")  # "题"
_ARABIC = re.compile(r"[\u0600-\u06ff]")  # "س"
_NOT_NAME = re.compile(r"[^a-z0-9]+")  # the blank of "multiple choice"
# "B", "(b)", "B."
_LETTER = re.compile(r"[(（]?\s*([A-Za-z])\s*[)）.．]?")
# "(A) 12", "A. 12", "A：12"
_OPTION = re.compile(r"^\s*[(（]?([A-Z])(?:[)）.．、:：])\s*(.*)$")
# the blank between "(A) 1" and "(B) 2" on one line
_NEXT_OPTION = re.compile(r"(?<![\s,;，；])[\s,;，；]+(?=[(（]?[B-Z][)）.．、:：])")
# the "(A)" of "How long? (A) 5 (B) 6 (C) 7", the "A．" of "多长？A．5 B．6 C．7", the "A:" of
# "How long? Choices: A: 5 B: 6 C: 7"
_INLINE_OPTION = re.compile(r"(?<=[\s?？。:：])[(（]?A[)）.．、]|(?<=[:：])\s?A[:：]")
# what no option on the question's line has: another sentence, a question mark, no word at all
_NO_OPTION = re.compile(r"[.!]\s+[A-Z]|[?？。]|\A(?:\W*|and|or)\Z")
# "Choices: " at the start of a line
_CHOICES = re.compile(r"^\s*(?:choices|options|选项)\s*[:：]\s*", re.IGNORECASE | re.MULTILINE)
# the "Choices:" before them on the question's line
_CHOICES_AT_END = re.compile(r"(?:\b(?:choices|options)|选项)\s*[:：]?\Z", re.IGNORECASE)
# "Hint: Look at the figure."
_HINT = re.compile(r"^\s*hint\s*:.*$", re.IGNORECASE | re.MULTILINE)
# "Question: " at the start of a line
_QUESTION = re.compile(r"^\s*(?:question|问题)\s*[:：]\s*", re.IGNORECASE | re.MULTILINE)
# texts that Python would join: "['10' '12']", as numpy prints them
_NO_COMMA = re.compile(r"""(["'])\s+["']""")
_IMAGE = re.compile(UNNUMBERED_IMAGE)  # "<image>"
_LAST_IMAGE = re.compile(f"{UNNUMBERED_IMAGE}$")  # "<image>" at the end


def text(row: Mapping[str, Any], name: str, *, default: str | None = None) -> str:
    """Return a field as text, a number as it stands; BadRow for anything else.

    NaN and infinity count as missing.
    """
    value = row.get(name)
    if is_missing(value):
        require(default is not None, f"{name} is given", name, value, "the row lacks this field")
        return str(default)
    is_text = isinstance(value, str | int | float) and not isinstance(value, bool)
    require(is_text, f"{name} is text", name, value, "text or a number is expected here")
    return plain_text(value)


def is_missing(value: object) -> bool:
    """Return True for None, NaN and infinity: what tables hold where they have no value."""
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def plain_text(value: object) -> str:
    """Write a text or number, without the digits that binary fractions leave: 0.1 + 0.2 is 0.3."""
    is_fraction = isinstance(value, float) and not value.is_integer()
    return str(float(f"{value:.15g}") if is_fraction else value)


def optional(row: Mapping[str, Any], name: str) -> str | None:
    """Return a field as text, or None where it is missing or blank."""
    return text(row, name, default="").strip() or None


def texts(row: Mapping[str, Any], name: str) -> list[str]:
    """Return a field that holds a list of texts (missing: empty); BadRow for anything else."""
    value = row.get(name)
    if value is None or value == "":
        return []
    is_list = isinstance(value, list | tuple)
    passed = is_list and all(
        isinstance(item, str | int | float) and not is_missing(item) for item in value
    )
    reason = "a list of texts without gaps is expected here"
    require(passed, f"{name} is a list of texts", name, value, reason)
    return [plain_text(item) for item in value]


def integer(row: Mapping[str, Any], name: str) -> int:
    """Return a field as a whole number, at least 0; 0 if it is none."""
    try:
        return max(int(float(text(row, name, default="0"))), 0)
    except (ValueError, OverflowError):
        return 0


def struct(row: Mapping[str, Any], name: str) -> Row:
    """Return a field that holds an object (missing: empty); BadRow for anything else."""
    value = {} if row.get(name) is None else row[name]
    reason = "an object with named fields is expected here"
    require(isinstance(value, dict), f"{name} is an object", name, value, reason)
    return dict(value)


def pictures(value: object) -> list[Picture]:
    """Read images as rows hold them.

    A path; bytes, also in base64 or as a data URI; an object such as `{"bytes", "path"}` or
    `{"image_url": {"url"}}`; or a list of these, also as JSON.
    """
    reason = "an image is a path, bytes, or an object with either"
    if isinstance(value, str) and value.startswith("["):
        value = _parsed(value) or value
    if is_missing(value) or value == "":
        return []
    if isinstance(value, list | tuple):
        return [picture for item in value for picture in pictures(item)]
    if isinstance(value, str):
        data = _base64(value)
        reason = "the data URI is not base64"
        require(data or not value.startswith("data:"), "image decodes", "image", value, reason)
        return [Picture(data=data) if data else Picture(path=value)]
    if isinstance(value, bytes):
        return [Picture(data=value)]
    if isinstance(value, dict):
        names = ("bytes", "path", "image", "url", "image_url", "data")
        inner = next((value[name] for name in names if value.get(name)), None)
        if inner is not None or not any(value.values()):
            return pictures(inner)
    raise BadRow("image is a path or bytes", "image", value, reason)


def choice_texts(row: Mapping[str, Any], name: str) -> list[str]:
    """Return a field that holds choices, without their letters.

    A list or an object `{"A": …, "B": …}`, also as JSON or as Python writes it; or lines such as
    `A. 5` (missing: empty). BadRow for anything else.
    """
    value = row.get(name)
    if isinstance(value, str) and value.strip():
        value = _parsed(value) or _options(value.splitlines()) or value
    if isinstance(value, dict):
        given = {str(key).strip().upper(): text for key, text in value.items() if text is not None}
        reason = "the choices of an object are named A, B, C and so on"
        in_order = "".join(sorted(given)) == LETTERS[: len(given)]
        require(in_order, "choices have letters", name, value, reason)
        value = [given[key] for key in sorted(given)]
    found = texts({name: value}, name)
    return _options(found, one_a_line=True) or found


def _parsed(words: str) -> Any:
    """Return the list or object that a text writes in JSON or as Python does, or None."""
    for parse in (json.loads,) if _NO_COMMA.search(words) else (json.loads, ast.literal_eval):
        try:
            found = parse(words)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return found if isinstance(found, list | dict) else None
    return None


def _base64(words: str) -> bytes | None:
    """Return the image that a data URI or a text in base64 holds, or None."""
    body = words.partition(",")[2] if words.startswith("data:") else words
    if len(body) < MIN_BASE64_CHARS:
        return None
    try:
        data = base64.b64decode("".join(body.split()), validate=True)
    except ValueError:
        return None
    return data if data.startswith(tuple(SIGNATURES.values())) else None


def letter(index: int) -> str:
    """Return the letter of a choice: A for 0; BadRow if there is none."""
    reason = "there is no choice with this number"
    require(0 <= index < len(LETTERS), "choice letter exists", "answer", index, reason)
    return LETTERS[index]


def bare_letter(answer: str) -> str | None:
    """Return the letter if an answer is nothing else: `B`, `(b)`, `B.`."""
    match = _LETTER.fullmatch(answer.strip())
    return match[1].upper() if match else None


def guess_answer_type(answer: str, choices: Sequence[str]) -> str:
    """Guess what kind of answer it is: choice, number, set, text or expression."""
    answer = answer.strip()
    if choices:
        return "choice"
    if any(char.isdigit() for char in answer) and _NUMBER.fullmatch(answer):
        return "number"
    if _MEMBERS.fullmatch(answer):
        return "set"
    if _WORDS.fullmatch(answer):
        return "text"
    return "expression"


def guess_language(words: str) -> str:
    """Return `zh` for Chinese, `fa` for Persian, else `en`."""
    if _CHINESE.search(words):
        return "zh"
    return "fa" if _ARABIC.search(words) else "en"


def short_name(words: str) -> str:
    """Write a name as a split may be called: lower case, letters, digits and underscores.

    An empty name is train. BadRow for one of other letters, which would all be called alike.
    """
    name = _NOT_NAME.sub("_", words.lower()).strip("_")
    is_kept = name and (any(map(str.isalpha, name)) or not any(map(str.isalpha, words)))
    reason = "name the split in Latin letters, such as train or test, in the row or the file's name"
    require(is_kept or not words.strip(), "split has a short name", "split", words, reason)
    name = name or "train"
    return name if name[0].isalpha() else f"s{name}"


def cut_prompt(prompt: str) -> tuple[str, list[str]]:
    """Split a prompt into the question and its choices.

    Hint lines, the words "Question:" and "Choices:", and image tokens at either end are left out.
    Choices are lines such as `(A) 12`, `A. 12` or `A:12`, in the order of the alphabet, at the end
    of the prompt; three or more may stand on the question's own line. Any other prompt comes back
    whole, without choices.
    """
    body = _without_outer_images(_HINT.sub("", prompt))
    body = _QUESTION.sub("", body, count=1).strip()
    if marker := list(_CHOICES.finditer(body)):
        found = _options(body[marker[-1].end() :].splitlines())
        return (body, []) if found is None else (body[: marker[-1].start()].strip(), found)
    lines = body.splitlines()
    starts = (i for i, line in enumerate(lines) if (m := _OPTION.match(line)) and m[1] == "A")
    first = next(starts, None)
    found = None if first is None else _options(lines[first:])
    if first and found is not None and len(found) >= 2:
        return "\n".join(lines[:first]).strip(), found
    # "How long? (A) 5 (B) 6 (C) 7"
    last = body.rpartition("\n")[2]
    starts_inline = list(_INLINE_OPTION.finditer(last)) if first is None else []
    for match in starts_inline[-3:]:  # an option may name a point A
        found = _options([last[match.start() :]])
        if found and len(found) >= 3 and not any(map(_NO_OPTION.search, found)):
            question = body[: match.start() - len(last)].strip()
            return _CHOICES_AT_END.sub("", question).strip(), found
    return body, []


def _without_outer_images(words: str) -> str:
    """Remove `<image>` before and after a text; if there is one inside, all stay."""
    bare = words.strip()
    while match := _IMAGE.match(bare) or _LAST_IMAGE.search(bare):
        bare = (bare[: match.start()] + bare[match.end() :]).strip()
    return words.strip() if _IMAGE.search(bare) else bare


def _options(lines: Sequence[str], *, one_a_line: bool = False) -> list[str] | None:
    found: list[str] = []
    filled = [line for line in lines if line.strip()]
    if len(filled) == 1 and not one_a_line:
        filled = _NEXT_OPTION.split(filled[0])
    for line in filled:
        match = _OPTION.match(line)
        if match is None or match[1] != letter(len(found)):
            return None
        found.append(match[2].strip() or match[1])
    return found or None
