"""Training examples, and the rows that they become once their tokens are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mathse.prompts import Message

if TYPE_CHECKING:
    from mathse.engines.inputs import InputBuilder

TOO_LONG = "over max_tokens"
EMPTY_TARGET = "empty target"


@dataclass(frozen=True)
class Example:
    """A chat and the assistant's reply.

    Attributes:
        key: names the row in messages.
        messages: the chat, one `{"type": "image"}` part for each image.
        image_ids: ids in the order of the image parts.
        target: the reply after the prefix; the loss is taken on it alone.
        prefix: how the reply begins, given and not learnt, as generation forces it.
        weighted_span: from which character of the target to which its tokens count
            `TrainConfig.span_weight` times as much: the few that decide among many easy ones.
    """

    key: str
    messages: list[Message]
    image_ids: tuple[str, ...]
    target: str
    prefix: str = ""
    weighted_span: tuple[int, int] = (0, 0)


class Size(NamedTuple):
    """What the plan of the batches needs of a row."""

    tokens: int
    prompt_tokens: int
    with_images: bool


@dataclass(frozen=True)
class Row:
    """An example as tokens: the prompt's text and length (images included), the target's tokens."""

    key: str
    text: str
    image_ids: tuple[str, ...]
    target_ids: tuple[int, ...]
    prompt_tokens: int
    weighted_span: tuple[int, int] = (0, 0)

    @property
    def tokens(self) -> int:
        """Length of prompt and target."""
        return self.prompt_tokens + len(self.target_ids)

    @property
    def size(self) -> Size:
        """Lengths and kind."""
        return Size(self.tokens, self.prompt_tokens, bool(self.image_ids))


def make_row(example: Example, builder: InputBuilder, max_tokens: int) -> Row | str:
    """Count an example's tokens.

    Returns:
        The row; or why it is left out, whole: half an image breaks a model.

    Raises:
        DataError: if an image is unknown or does not decode, or if the processor refuses it.
    """
    if not example.target.strip():
        return EMPTY_TARGET
    text = builder.render(example.messages, prefix=example.prefix)
    target_ids = tuple(builder.target_ids(text, example.target))
    prompt_tokens = builder.prompt_tokens(text, example.image_ids)
    span = _token_span(builder, text, example)
    row = Row(example.key, text, example.image_ids, target_ids, prompt_tokens, span)
    return TOO_LONG if row.tokens > max_tokens else row


def _token_span(builder: InputBuilder, text: str, example: Example) -> tuple[int, int]:
    """Return the weighted span of the target in tokens."""
    first, last = example.weighted_span
    if first >= last:
        return 0, 0
    ending = len(builder.target_ids(text, ""))
    start, end = (
        len(builder.target_ids(text, example.target[:char])) - ending for char in (first, last)
    )
    return start, max(end, start + 1)
