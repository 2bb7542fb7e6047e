"""What every engine takes and gives. No model library is imported here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.prompts import Message
from schemas import FailureKind, FinishReason


@dataclass(frozen=True)
class SamplingParams:
    """How to sample tokens: temperature 0 is greedy, `top_p` 1 keeps all tokens.

    None is for servers alone, and means their own default.
    """

    temperature: float | None
    top_p: float | None
    max_new_tokens: int
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse values outside their range.

        Raises:
            ParamError: naming the value.
        """
        if self.temperature is not None and self.temperature < 0:
            raise ParamError(f"temperature must be 0 or more, not {self.temperature}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ParamError(f"top_p must lie in (0, 1], not {self.top_p}")
        if self.max_new_tokens < 1:
            raise ParamError(f"max_new_tokens must be at least 1, not {self.max_new_tokens}")


TEACHER_SAMPLING = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=1)
"""For engines that sample nothing; distill, annotation and the teacher control send it."""


@dataclass(frozen=True)
class Request:
    """One prompt to complete.

    Attributes:
        key: the caller's name for it, returned with the completion; once in a call.
        messages: the chat, one `{"type": "image"}` part for each image.
        image_ids: ids in the order of the image parts.
        sampling: how to sample, with a seed of its own (see `request_seed`).
        task: what is asked: solve, judge, reflect or annotate.
        problem_id: the problem that it belongs to.
        prefix: assistant text that is forced; generation goes on from there.
        constraint: grammar of the generated text, in the Lark dialect of llguidance and vLLM;
            empty: anything.
        scored_text: a text whose probability is wanted, as the whole completion.
        context: facts for engines that know the problem; a served model ignores them.
    """

    key: str
    messages: list[Message]
    image_ids: tuple[str, ...] = ()
    sampling: SamplingParams = field(kw_only=True)
    task: str = "solve"
    problem_id: str = ""
    prefix: str = ""
    constraint: str = ""
    scored_text: str = ""
    context: Mapping[str, object] = field(default_factory=dict)

    def content(self) -> dict[str, Any]:
        """Return all that a completion depends on: everything but the key."""
        values = asdict(self)
        del values["key"]
        return values


@dataclass(frozen=True)
class Completion:
    """The result of a request.

    Attributes:
        key: the request's key.
        text: what was generated, without the prefix.
        finish_reason: stop, length (cut off), or error.
        prompt_tokens: tokens of prompt, images and prefix.
        response_tokens: tokens generated, the one that ends the turn included.
        scored_prob: the probability of the request's scored text as the whole completion, at
            temperature 1 and under the constraint; None without scored text.
        error: why there is no text, for finish_reason error.
        error_kind: "retryable" if the same request may succeed later, else "permanent".
        cached_tokens: those of the prompt that a server had in its cache.
        cost: money that was paid for it, in the currency of `machine.yaml`; None: unknown.
        scored_lines: the logarithm of the probability of each line of the scored text, given what
            is before it; the last one's has the token that ends the text. Empty without scored
            text, and where the constraint forbids it.
    """

    key: str
    text: str
    finish_reason: FinishReason
    prompt_tokens: int
    response_tokens: int
    scored_prob: float | None = None
    error: str | None = None
    error_kind: FailureKind | None = None
    cached_tokens: int = 0
    cost: float | None = None
    scored_lines: tuple[float, ...] = ()

    @classmethod
    def failed(
        cls, key: str, error: str, *, prompt_tokens: int = 0, kind: FailureKind = "permanent"
    ) -> Completion:
        """Return a completion that says why there is none."""
        return cls(key, "", "error", prompt_tokens, 0, error=error, error_kind=kind)


class Engine(Protocol):
    """Completes prompts.

    Attributes:
        digest: content hash of the model.
        input_fingerprint: hash of how prompts and pixels become model inputs.
    """

    digest: str
    input_fingerprint: str

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield a completion for each request as it finishes; a bad one becomes an error."""
        ...

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return the indices of the requests that are computed together.

        After a kill a unit is repeated as a whole. The units of what is left are those of the whole
        call, so that the texts are the same.
        """
        ...

    def close(self) -> None:
        """Free the device and the processes."""
        ...


def complete_all(engine: Engine, requests: Sequence[Request]) -> list[Completion]:
    """Complete requests and return the completions in their order.

    Raises:
        DataError: if a key occurs twice, or the engine leaves a request out.
    """
    found = {completion.key: completion for completion in engine.complete(requests)}
    if len({request.key for request in requests}) < len(requests):
        raise DataError("Two requests have one key.", rule="request keys occur once")
    if missing := [request.key for request in requests if request.key not in found]:
        raise DataError(
            f"The engine left out {len(missing)} of {len(requests)} requests, such as {missing[0]}",
            rule="an engine answers every request",
        )
    return [found[request.key] for request in requests]


def request_seed(seed: int, round_name: str, task: str, problem_id: str, sample_idx: int) -> int:
    """Return the seed of one request: it depends on the run's seed and on what is sampled alone."""
    return int(content_id("seed", seed, round_name, task, problem_id, sample_idx)[:8], 16)


def batch_units(requests: Sequence[Request], batch_size: int) -> list[list[int]]:
    """Cut requests into batches of like length, longest first.

    Prompts with images stand apart from those without, and requests with other sampling parameters
    apart from each other. Without some whole batches, the rest gives the same batches again.
    """
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, request in enumerate(requests):
        params = request.sampling
        group = (not request.image_ids, params.temperature, params.top_p, params.max_new_tokens)
        groups.setdefault(group, []).append(index)
    units = []
    for _, indices in sorted(groups.items()):
        indices.sort(key=lambda index: -_prompt_chars(requests[index]))
        units += [
            indices[start : start + batch_size] for start in range(0, len(indices), batch_size)
        ]
    return units


def _prompt_chars(request: Request) -> int:
    parts = (part for message in request.messages for part in message["content"])
    return len(request.prefix) + sum(len(part.get("text", "")) for part in parts)
