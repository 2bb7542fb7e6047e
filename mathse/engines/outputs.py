"""What a model wrote, as a completion."""

from __future__ import annotations

from collections.abc import Sequence

from mathse.engines.inputs import InputBuilder
from mathse.engines.protocol import Completion


def read_tokens(
    builder: InputBuilder, key: str, written: Sequence[int], prompt_tokens: int
) -> Completion:
    """Return the completion of a request, given its tokens with the one that ends the turn."""
    stopped = written[-1] in builder.stop_ids
    text = builder.tokenizer.decode(written[:-1] if stopped else written, skip_special_tokens=True)
    return Completion(key, str(text), "stop" if stopped else "length", prompt_tokens, len(written))
