"""A training example, and the row that it becomes once its tokens are counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
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
    """A chat and what the assistant should say.

    Attributes:
        key: names the row in messages.
        messages: the chat, one `{"type": "image"}` part for each image.
        image_ids: ids in the order of the image parts.
        target: the assistant's reply after the prefix; the loss is taken on it alone.
        prefix: how the reply begins, given and not learnt, as generation forces it.
        emphasis: the part of the target, from one character up to another, whose tokens count
            `TrainConfig.emphasis_weight` times as much: what decides among many tokens that are
            easy.
    """

    key: str
    messages: list[Message]
    image_ids: tuple[str, ...]
    target: str
    prefix: str = ""
    emphasis: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Row:
    """An example as tokens: the rendered prompt, its length with images, the target's tokens, which are emphasised."""

    key: str
    text: str
    image_ids: tuple[str, ...]
    target_ids: tuple[int, ...]
    prompt_tokens: int
    emphasis: tuple[int, int] = (0, 0)

    @property
    def tokens(self) -> int:
        """Length of prompt and target."""
        return self.prompt_tokens + len(self.target_ids)


def examples_digest(examples: Sequence[Example]) -> str:
    """Return a hash of the examples and their order."""
    return content_id(
        [
            [e.key, list(e.messages), list(e.image_ids), e.target, e.prefix, e.emphasis]
            for e in examples
        ]
    )


def make_rows(
    examples: Sequence[Example], builder: InputBuilder, *, max_tokens: int
) -> tuple[list[Row], dict[str, list[str]]]:
    """Count tokens; leave out what is too long or empty. Nothing is ever cut off: half an image breaks the model.

    Args:
        examples: in any order, which is kept.
        builder: the model's.
        max_tokens: longest prompt and target together.

    Returns:
        The rows, and the keys of those left out by reason.

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
            raise DataError(
                f"Training row {example.key}: {error.message}", rule=error.rule, fix=error.fix
            ) from error
        emphasis = _token_span(builder, text, example)
        row = Row(example.key, text, example.image_ids, target_ids, prompt_tokens, emphasis)
        if row.tokens > max_tokens:
            dropped[TOO_LONG].append(example.key)
        else:
            rows.append(row)
    if not rows:
        counts = (
            ", ".join(f"{len(keys)} {reason}" for reason, keys in dropped.items())
            or "none were given"
        )
        raise DataError(
            f"There is nothing to train on: of {len(examples)} rows, {counts}.",
            rule="a training set is not empty",
            fix="raise max_tokens if the rows are too long, or look at why none were accepted",
        )
    return rows, dict(dropped)


def _token_span(builder: InputBuilder, text: str, example: Example) -> tuple[int, int]:
    """Return the emphasised part of the target in tokens."""
    first, last = example.emphasis
    if first >= last:
        return 0, 0
    ending = len(builder.target_ids(text, ""))
    start, end = (
        len(builder.target_ids(text, example.target[:place])) - ending for place in (first, last)
    )
    return start, max(end, start + 1)
