"""Clean text for prompts: image placeholders are renamed or removed, special tokens are removed.

Images always come first in a message, in the problem's order; the chat template of the model writes
its own image tokens. Text from data sets and models therefore must not bring any. What happens to
placeholders such as `<image>` and `<image1>`:

- alone on a line or between sentences: removed (some data sets write the line break before it as a
  backslash and an n: removed too);
- inside a sentence, or anywhere in a choice: written as "the image" where there is one, else as
  "image 2". A placeholder without a number is counted from 1.

Special tokens of common models (`<|im_end|>`, `<fake_token_around_image>` and the like) are removed
too, so that no data row can end a turn. The special tokens of the model in use are removed by
`mathse.engines.inputs.InputBuilder`, which knows its tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mathse.core.errors import DataError, ParamError
from schemas import IMAGE_PLACEHOLDER, LETTERS

Message = dict[str, Any]

_PLACEHOLDER = re.compile(IMAGE_PLACEHOLDER)  # "<image>", "<image 2>"
# <|im_end|>, <row_1_col_2>, </img>
_SPECIAL = re.compile(
    r"<\|[A-Za-z_]{3,40}\|>|"
    r"<(?:fake_token_around_image|global-img|end_of_utterance|IMG_CONTEXT|/?img|row_\d+_col_\d+)>"
)
# "…the answer.\n<image>" where \n is a backslash and an n
_WRITTEN_BREAK = re.compile(rf"(?:\\n)+\s*(?={IMAGE_PLACEHOLDER})")
# What follows belongs to the sentence before it: "is shown", ", where"
_GOES_ON = re.compile(r"[a-z,.;:?!]")
_SENTENCE_END = tuple(".?!:;)]$。？！：；）")


def clean_text(text: str, n_images: int, *, keep_mentions: bool = False) -> str:
    """Rename or remove image placeholders, and remove special tokens, as the module's header says.

    Args:
        text: text of a problem, choice, step or analysis.
        n_images: how many images the problem has.
        keep_mentions: rename every placeholder and remove none (for choices).
    """
    text = remove_all(_SPECIAL, text)
    if _PLACEHOLDER.search(text) is None:
        return text.strip()
    seen = 0

    def name(match: re.Match[str]) -> str:
        nonlocal seen
        seen += 1
        if n_images == 1 or not (match[1] or n_images):
            return "the image"
        return f"image {int(match[1]) if match[1] else seen}"

    lines = []
    for line in _WRITTEN_BREAK.sub("\n", text).splitlines():
        while not keep_mentions and (match := _removable(line)):
            seen += 1
            line = f"{line[: match.start()].rstrip()} {line[match.end() :].lstrip()}".strip()
        lines.append(_PLACEHOLDER.sub(name, line).strip())
    return re.sub(r"\n{2,}", "\n", "\n".join(lines)).strip()  # "a\n\n\nb" gives "a\nb"


def remove_all(pattern: re.Pattern[str], text: str) -> str:
    """Remove what matches until nothing does: `<|assis<|user|>tant|>` must not become a token."""
    while (cleaned := pattern.sub("", text)) != text:
        text = cleaned
    return text


def number_steps(steps: Sequence[str], n_images: int = 0) -> str:
    """Write steps one a line with their numbers; a step that begins with its number keeps it."""
    lines = []
    for number, step in enumerate(steps, start=1):
        text = clean_text(step, n_images)
        lines.append(text if text.startswith(f"{number}. ") else f"{number}. {text}".rstrip())
    return "\n".join(lines)


def choice_letter(index: int) -> str:
    """Return the letter of a choice: A for 0.

    Raises:
        DataError: past Z.
    """
    if not 0 <= index < len(LETTERS):
        raise DataError(
            f"A problem may have at most {len(LETTERS)} choices.", rule="choices have letters"
        )
    return LETTERS[index]


def problem_text(question: str, choices: Sequence[str], n_images: int) -> str:
    """Write the question and one line per choice; a choice that is only its letter stands alone."""
    lines = [clean_text(question, n_images)]
    for index, choice in enumerate(choices):
        letter, text = choice_letter(index), clean_text(choice, n_images, keep_mentions=True)
        lines.append(f"{letter}." if text == letter else f"{letter}. {text}".rstrip())
    return "\n".join(lines)


def user_messages(text: str, n_images: int) -> list[Message]:
    """Return a chat of one user turn: the images first, then the text."""
    if n_images < 0:
        raise ParamError(f"n_images cannot be {n_images}")
    content = [*({"type": "image"} for _ in range(n_images)), {"type": "text", "text": text}]
    return [{"role": "user", "content": content}]


def _removable(line: str) -> re.Match[str] | None:
    """Find a placeholder that stands apart from the sentences of its line."""
    for match in _PLACEHOLDER.finditer(line):
        before, after = line[: match.start()].rstrip(), line[match.end() :].lstrip()
        if (not before or before.endswith(_SENTENCE_END)) and not _GOES_ON.match(after):
            return match
    return None
