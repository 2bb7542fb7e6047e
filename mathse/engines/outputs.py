"""What a model wrote, as a completion."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from mathse.engines.inputs import InputBuilder
from mathse.engines.protocol import Completion


def read_tokens(
    builder: InputBuilder, key: str, written: Sequence[int], prompt_tokens: int
) -> Completion:
    """Return the completion of a request, given its tokens with the one that ends the turn."""
    stopped = written[-1] in builder.stop_ids
    text = builder.tokenizer.decode(written[:-1] if stopped else written, skip_special_tokens=True)
    return Completion(key, str(text), "stop" if stopped else "length", prompt_tokens, len(written))


def with_score(
    builder: InputBuilder, read: Completion, scored_ids: Sequence[int], logs: Sequence[float]
) -> Completion:
    """Add the probability of a scored text to a completion.

    Args:
        builder: knows the tokenizer.
        read: the completion.
        scored_ids: the tokens of the scored text, with the one that ends it.
        logs: the logarithm of each one's probability, given those before it.
    """
    lines = [0.0]
    for token, log in zip(scored_ids, logs, strict=True):
        lines[-1] += log
        # A token that ends a line belongs to it, whatever stands behind the line break.
        lines += [0.0] * str(builder.tokenizer.decode([token])).count("\n")
    return replace(read, scored_prob=math.exp(math.fsum(logs)), scored_lines=tuple(lines))
