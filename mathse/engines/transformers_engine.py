"""Generation with Hugging Face transformers: any Hub model for images and text, on CPU or GPU.

A batch reads each distinct prompt once (see `read_prompts`). What this does not do: serve over a
network.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForImageTextToText,
    GenerationConfig,
    LogitsProcessorList,
    StoppingCriteriaList,
)

from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.core.params import Dtype
from mathse.engines.attention import use_grouped_attention
from mathse.engines.constrained import GrammarConstraint, Grammars
from mathse.engines.inputs import InputBuilder
from mathse.engines.model_files import model_digest, unloadable
from mathse.engines.outputs import read_tokens, with_score
from mathse.engines.precision import auto_dtype, check_gpus
from mathse.engines.protocol import Completion, Request, SamplingParams, batch_units
from mathse.engines.read_prompts import ReadPrompts, read_prompts
from mathse.engines.sampling import SeededSampler, StopWhenMostFinished, uniforms

DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
SMALL_BATCH = 16


@dataclass(frozen=True)
class _Prompt:
    """A request that passed the checks."""

    request: Request
    text: str
    tokens: int
    scored_ids: tuple[int, ...]


class TransformersEngine:
    """Completes prompts in batches of like length (see `batch_units`).

    The same call on the same machine gives the same text: random numbers follow from the seed of
    each request, batches from the requests alone.

    Args:
        model: folder or Hub id.
        images: where image ids lead; None for text alone.
        batch_size: prompts generated together.
        dtype: of weights and pixels; auto is bfloat16 where the device computes it, else
            float32
        device: cpu, cuda, …; auto takes a GPU where there is one.
        max_prompt_tokens: longer prompts become error completions.
        trust_remote_code: run code that comes with the model.

    Raises:
        ParamError: if a size is not positive, the dtype unknown, or no GPU there to be used.
        DataError: if the model was trained with another input fingerprint.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        images: ImageStore | None = None,
        batch_size: int = 64,
        dtype: Dtype = "auto",
        device: str = "auto",
        max_prompt_tokens: int = 4096,
        trust_remote_code: bool = False,
    ) -> None:
        if batch_size < 1 or max_prompt_tokens < 1:
            raise ParamError("batch_size and max_prompt_tokens must be at least 1")
        if dtype != "auto" and dtype not in DTYPES:
            raise ParamError(f"dtype must be auto, bfloat16 or float32, not {dtype}")
        if device == "cuda":
            check_gpus()
        self.device = torch.device(
            ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
        )
        wanted: Any = DTYPES.get(dtype, auto_dtype(self.device.type))
        self.builder = InputBuilder.load(model, images, trust_remote_code=trust_remote_code)
        loader: Any = AutoModelForImageTextToText
        try:
            self.model = loader.from_pretrained(
                str(model), dtype=wanted, use_safetensors=True, trust_remote_code=trust_remote_code
            )
        except (SafetensorError, OSError, ValueError) as error:
            raise unloadable(model, error) from error
        self.model.to(self.device).eval()
        if self.device.type == "cpu":
            use_grouped_attention(self.model)
        self.builder.dtype = self.model.dtype
        self.batch_size = batch_size
        self.max_prompt_tokens = max_prompt_tokens
        self.digest = model_digest(model)
        self.how = f"{self.device.type} {self.model.dtype}, prompts to {max_prompt_tokens}"
        self.input_fingerprint = self.builder.input_fingerprint
        self._stop_ids = sorted(self.builder.stop_ids)
        self._pad_id = int(self.builder.tokenizer.pad_token_id)
        self._never_written = self.builder.never_written or None
        # Defaults that a model brings (a repetition penalty, its own top_p) would sample otherwise
        # than was asked for.
        self.model.generation_config = self._generation_config(None)

    def complete(self, requests: Sequence[Request]) -> Iterator[Completion]:
        """Yield the completions of each batch as it finishes; a bad request becomes an error."""
        for unit in self.units(requests):
            yield from self._complete_batch([requests[index] for index in unit])
        self.builder.clear()

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return the batches."""
        return batch_units(requests, self.batch_size)

    def close(self) -> None:
        """Free the weights and what was prepared."""
        self.builder.clear()
        self.model = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _check(self, request: Request) -> _Prompt | Completion:
        """Count a prompt's tokens and prepare its pixels, or say what is wrong with it."""
        tokens = 0
        try:
            text = self.builder.render(request.messages, prefix=request.prefix)
            tokens = self.builder.prompt_tokens(text, request.image_ids)
            scored = (
                self.builder.target_ids(text, request.scored_text) if request.scored_text else ()
            )
            if request.constraint:
                self._grammars.matcher(request.constraint)
            if tokens > self.max_prompt_tokens:
                raise DataError(
                    f"The prompt has {tokens} tokens; at most {self.max_prompt_tokens} are allowed."
                )
            self.builder.features(text, request.image_ids)
        except DataError as error:
            return Completion.failed(request.key, str(error), prompt_tokens=tokens)
        return _Prompt(request, text, tokens, tuple(scored))

    def _complete_batch(self, batch: Sequence[Request]) -> Iterator[Completion]:
        checked = [self._check(request) for request in batch]
        yield from (one for one in checked if isinstance(one, Completion))
        good = [one for one in checked if isinstance(one, _Prompt)]
        if good:
            with torch.inference_mode():
                read = self._read_prompts(good)
                scores = self._score_texts(good, read)
                written = self._generate(good, read)
            for prompt, tokens, logs in zip(good, written, scores, strict=True):
                yield self._read(prompt, tokens, logs)

    def _read_prompts(self, prompts: Sequence[_Prompt]) -> ReadPrompts:
        """Read each distinct prompt once."""
        texts = [prompt.text for prompt in prompts]
        image_ids = [prompt.request.image_ids for prompt in prompts]
        return read_prompts(
            self.model,
            [*zip(texts, image_ids, strict=True)],
            lambda rows: self.builder.batch(
                [texts[row] for row in rows], [image_ids[row] for row in rows]
            ),
            self._generation_config(1),
        )

    def _score_texts(
        self, prompts: Sequence[_Prompt], read: ReadPrompts
    ) -> list[list[float] | None]:
        """Return the score of each scored text, from one forward pass over the batch."""
        longest = max(len(prompt.scored_ids) for prompt in prompts)
        if not longest:
            return [None] * len(prompts)
        padded = [
            [*row.scored_ids, *[self._pad_id] * (longest - len(row.scored_ids))] for row in prompts
        ]
        known = [[n < len(row.scored_ids) for n in range(longest)] for row in prompts]
        logits_BTV = read.logits(
            torch.tensor(padded), torch.tensor(known), self._generation_config(1)
        )
        return [
            self._score_text(row, row_TV) for row, row_TV in zip(prompts, logits_BTV, strict=True)
        ]

    def _score_text(self, prompt: _Prompt, logits_TV: torch.Tensor) -> list[float] | None:
        """Return the logarithm of each scored token's probability; [] if the grammar forbids it."""
        count = len(prompt.scored_ids)
        if not count:
            return None
        scores_TV = logits_TV[:count].float()
        scores_TV[:, self._never_written or []] = -torch.inf
        if prompt.request.constraint:
            allowed_TV = self._grammars.allowed_along(
                prompt.request.constraint, prompt.scored_ids, scores_TV.shape[1]
            )
            scores_TV = scores_TV.masked_fill(~allowed_TV.to(scores_TV.device), -torch.inf)
        scored_T1 = torch.tensor(prompt.scored_ids, device=scores_TV.device)[:, None]
        if not bool(scores_TV.gather(1, scored_T1).isfinite().all()):
            return []
        logs: list[float] = (
            scores_TV.double().log_softmax(dim=-1).gather(1, scored_T1)[:, 0].tolist()
        )
        return logs

    def _generate(self, prompts: Sequence[_Prompt], read: ReadPrompts) -> list[list[int]]:
        """Return each row's tokens, up to its stop token or the limit.

        When half of the rows have ended, the others go on in a smaller batch: a few long rows would
        otherwise keep the whole batch computing.
        """
        sampling = prompts[0].request.sampling  # but for the seed, that of all rows
        written: list[list[int]] = [[] for _ in prompts]
        uniform_BN = None
        if sampling.temperature:
            seeds = [prompt.request.sampling.seed for prompt in prompts]
            uniform_BN = uniforms(seeds, count=sampling.max_new_tokens).to(self.device)
        left = [*range(len(prompts))]
        while left:
            # All rows that are left have as many tokens: those of the batches before.
            known = len(written[left[0]])
            sampler = SeededSampler(
                None if uniform_BN is None else uniform_BN[left, known:],
                temperature=sampling.temperature or 0.0,
                top_p=sampling.top_p or 1.0,
                start=read.length,
                constraint=self._constraint([(prompts[n], written[n]) for n in left], read.length),
            )
            few = len(left) // 2 if len(left) > SMALL_BATCH else 0
            new_BT = read.generate(
                self._generation_config(sampling.max_new_tokens - known),
                logits_processor=LogitsProcessorList([sampler]),
                stopping_criteria=StoppingCriteriaList(
                    [StopWhenMostFinished(self._stop_ids, start=read.length, go_on_above=few)]
                ),
            )
            for number, new in zip(left, new_BT.tolist(), strict=True):
                written[number] += new[: _count_to_stop(new, self.builder.stop_ids)]
            going_on = [
                row for row, n in enumerate(left) if not self._has_ended(written[n], sampling)
            ]
            read.keep(going_on)
            left = [left[row] for row in going_on]
        return written

    def _has_ended(self, tokens: Sequence[int], sampling: SamplingParams) -> bool:
        return len(tokens) >= sampling.max_new_tokens or tokens[-1] in self.builder.stop_ids

    def _constraint(
        self, rows: Sequence[tuple[_Prompt, list[int]]], start: int
    ) -> GrammarConstraint | None:
        """Return the constraint of a batch, given what is written; None if no row has one."""
        if not any(prompt.request.constraint for prompt, _ in rows):
            return None
        matchers = [
            self._grammars.matcher(prompt.request.constraint, written)
            if prompt.request.constraint
            else None
            for prompt, written in rows
        ]
        return GrammarConstraint(self._grammars, matchers, start=start)

    @cached_property
    def _grammars(self) -> Grammars:
        return Grammars(self.builder.tokenizer, self._stop_ids)

    def _generation_config(self, max_new_tokens: int | None) -> GenerationConfig:
        made: Any = GenerationConfig
        chosen: GenerationConfig = made(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=self._stop_ids,
            pad_token_id=self._pad_id,
            suppress_tokens=self._never_written,
            return_dict_in_generate=True,
        )
        return chosen

    def _read(self, prompt: _Prompt, written: list[int], logs: list[float] | None) -> Completion:
        """Decode a row."""
        read = read_tokens(self.builder, prompt.request.key, written, prompt.tokens)
        if not logs:
            return read if logs is None else replace(read, scored_prob=0.0)
        return with_score(self.builder, read, prompt.scored_ids, logs)


def _count_to_stop(tokens: Sequence[int], stop_ids: Collection[int]) -> int:
    """Return how many tokens there are up to the first stop token, itself included."""
    return next((n for n, token in enumerate(tokens, start=1) if token in stop_ids), len(tokens))
