"""Training examples, and the rows that they become once their tokens are counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from mathse.core.errors import DataError
from mathse.core.ids import content_id
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


def examples_digest(examples: Sequence[Example]) -> str:
    """Return a hash of the examples and their order."""
    return content_id([astuple(example) for example in examples])


def make_rows(
    examples: Sequence[Example], builder: InputBuilder, *, max_tokens: int
) -> tuple[list[Row], dict[str, list[str]]]:
    """Count tokens; leave out rows that are too long or empty, whole: half an image breaks a model.

    Returns:
        The rows of at most `max_tokens`, in order, and the keys of those left out by reason.

    Raises:
        DataError: if an image is unknown or does not decode, or no row is left.
    """
    rows: list[Row] = []
    dropped: defaultdict[str, list[str]] = defaultdict(list)
    for example in examples:
        if not example.target.strip():
            dropped[EMPTY_TARGET].append(example.key)
            continue
        text = builder.render(example.messages, prefix=example.prefix)
        target_ids = tuple(builder.target_ids(text, example.target))
        try:
            prompt_tokens = builder.prompt_tokens(text, example.image_ids)
        except DataError as error:
            message = f"Training row {example.key}: {error.message}"
            raise DataError(message, rule=error.rule, fix=error.fix) from error
        span = _token_span(builder, text, example)
        row = Row(example.key, text, example.image_ids, target_ids, prompt_tokens, span)
        if row.tokens > max_tokens:
            dropped[TOO_LONG].append(example.key)
        else:
            rows.append(row)
    if not rows:
        reasons = [f"{len(keys)} {reason}" for reason, keys in dropped.items()]
        counts = ", ".join(reasons) or "none were given"
        raise DataError(
            f"There is nothing to train on: of {len(examples)} rows, {counts}.",
            rule="a training set is not empty",
            fix="raise max_tokens if the rows are too long, or see why none were accepted",
        )
    return rows, dict(dropped)


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
