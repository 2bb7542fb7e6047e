"""What every engine takes and gives. No model library is imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mathse.core.errors import ParamError
from mathse.prompts import Message
from schemas import FinishReason


@dataclass(frozen=True)
class Request:
    """One prompt to complete.

    Attributes:
        key: the caller's name for it, returned with the completion.
        messages: the chat, one `{"type": "image"}` part for each image.
        image_ids: ids in the order of the image parts.
        task: what is asked: solve, judge, reflect or annotate.
        problem_id: the problem that it belongs to.
        prefix: assistant text that is forced; generation goes on from there.
        constraint: what the generated text must obey, in the Lark dialect of llguidance and vLLM;
            empty: anything.
        scored_text: a text that may well be what is generated, in whole or from its start, and whose
            probability is wanted. An engine may check it in one go instead of writing it token by
            token: what is generated stays the same.
        context: facts for engines that know the problem.
    """

    key: str
    messages: list[Message]
    image_ids: tuple[str, ...] = ()
    task: str = "solve"
    problem_id: str = ""
    prefix: str = ""
    constraint: str = ""
    scored_text: str = ""
    context: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class SamplingParams:
    """How to draw tokens: temperature 0 is greedy, `top_p` 1 keeps all tokens."""

    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            ParamError: naming the value.
        """
        if self.temperature < 0:
            raise ParamError(f"temperature must be 0 or more, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ParamError(f"top_p must lie in (0, 1], not {self.top_p}")
        if self.max_new_tokens < 1:
            raise ParamError(f"max_new_tokens must be at least 1, not {self.max_new_tokens}")


@dataclass(frozen=True)
class Completion:
    """What came of a request.

    Attributes:
        key: the request's key.
        text: what was generated, without the prefix.
        finish_reason: stop, length (cut off), or error.
        prompt_tokens: tokens of prompt, images and prefix.
        response_tokens: tokens generated, the one that ends the turn included.
        scored_prob: the probability of the request's scored_text as the whole text, at temperature 1 and
            under the grammar; None where there is no scored_text or the engine cannot tell.
        error: why there is no text, for finish_reason error.
    """

    key: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    response_tokens: int
    scored_prob: float | None = None
    error: str | None = None

    @classmethod
    def failed(cls, key: str, error: str, *, prompt_tokens: int = 0) -> Completion:
        """Return a completion that says why there is none."""
        return cls(key, "", "error", prompt_tokens, 0, error=error)


class Engine(Protocol):
    """Completes prompts.

    Attributes:
        digest: content hash of the model.
        input_fingerprint: fingerprint of how prompts and pixels become inputs.
    """

    digest: str
    input_fingerprint: str

    def complete(self, requests: Sequence[Request], sampling: SamplingParams) -> list[Completion]:
        """Complete each request, in the order given; a bad one becomes an error completion."""
        ...
