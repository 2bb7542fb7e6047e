"""Generation with Hugging Face transformers: any Hub model that takes images and text, on CPU or GPU.

What this does not do: serve over a network, or share a prompt's cache between samples of one problem.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import AutoModelForImageTextToText, GenerationConfig, LogitsProcessorList, StoppingCriteriaList

from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.engines.attention import use_grouped_attention
from mathse.engines.grammar import Grammars, Held
from mathse.engines.model_files import model_digest
from mathse.engines.processing import Processing, append_tokens
from mathse.engines.protocol import Completion, Request, Sampling
from mathse.engines.sampling import Drawing, MostAreDone, uniforms

Dtype = Literal["auto", "bfloat16", "float32"]
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}
SMALL_BATCH = 16


@dataclass(frozen=True)
class _Prompt:
    """A request that passed the checks, with its place in the call."""

    place: int
    request: Request
    text: str
    tokens: int
    option_ids: tuple[int, ...]


class TransformersEngine:
    """Completes prompts in batches of like length.

    The same call on the same machine gives the same text: random numbers follow from the seed and a request's key,
    batches from the requests alone.

    Args:
        model: folder or Hub id.
        images: where image ids lead; None for text alone.
        batch_size: prompts generated together.
        dtype: of weights and pixels; auto is bfloat16 on a GPU, else what the weights are stored in.
        device: cpu, cuda, …; auto takes a GPU where there is one.
        max_prompt_tokens: longer prompts become error completions.
        trust_remote_code: run code that comes with the model.

    Raises:
        ParamError: if a size is not positive or the dtype unknown.
        DataError: if the model was trained by another contract.
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
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        wanted: Any = DTYPES.get(dtype, torch.bfloat16 if self.device.type == "cuda" else "auto")
        self.processing = Processing.load(model, images, trust_remote_code=trust_remote_code)
        loader: Any = AutoModelForImageTextToText
        self.model = loader.from_pretrained(
            str(model), dtype=wanted, use_safetensors=True, trust_remote_code=trust_remote_code
        )
        self.model.to(self.device).eval()
        if self.device.type == "cpu":
            use_grouped_attention(self.model)
        self.processing.dtype = self.model.dtype
        self.batch_size = batch_size
        self.max_prompt_tokens = max_prompt_tokens
        self.digest = model_digest(model)
        self.contract = self.processing.contract
        self._stop_ids = sorted(self.processing.stop_ids)
        self._pad_id = int(self.processing.tokenizer.pad_token_id)
        # A sampled image token would ask the model for an image that is not there, and fail the whole batch.
        added = self.processing.tokenizer.added_tokens_decoder.items()
        special = {number for number, token in added if token.special} | {*self.processing.tokenizer.all_special_ids}
        self._never_written = sorted(special - {*self._stop_ids}) or None
        # Defaults that a model brings (a repetition penalty, its own top_p) would sample otherwise than was asked for.
        self.model.generation_config = self._generation_config(None)

    def complete(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """Complete each request, in the order given; a bad one becomes an error completion."""
        done: dict[int, Completion] = {}
        prompts: list[_Prompt] = []
        for place, request in enumerate(requests):
            checked = self._check(place, request)
            if isinstance(checked, Completion):
                done[place] = checked
            else:
                prompts.append(checked)
        for batch in self._batches(prompts):
            done.update(self._complete_batch(batch, sampling))
        self.processing.clear()
        return [done[place] for place in range(len(requests))]

    def _check(self, place: int, request: Request) -> _Prompt | Completion:
        """Count a prompt's tokens and find its options, or say what is wrong with it."""
        try:
            text = self.processing.render(request.messages, prefix=request.prefix)
            tokens = self.processing.prompt_tokens(text, request.image_ids)
            before = request.options_after or request.prefix
            options = tuple(self.processing.first_tokens(before, request.options)) if request.options else ()
            if request.grammar:
                self._grammars.matcher(request.grammar)
        except DataError as error:
            return Completion.failed(request.key, str(error))
        if tokens > self.max_prompt_tokens:
            reason = f"The prompt has {tokens} tokens; at most {self.max_prompt_tokens} are allowed."
            return Completion.failed(request.key, reason, prompt_tokens=tokens)
        return _Prompt(place, request, text, tokens, options)

    def _batches(self, prompts: Sequence[_Prompt]) -> Iterator[list[_Prompt]]:
        """Yield batches of like length, prompts with images apart from those without."""
        for with_images in (False, True):
            group = [prompt for prompt in prompts if bool(prompt.request.image_ids) == with_images]
            group.sort(key=lambda prompt: prompt.tokens)
            for start in range(0, len(group), self.batch_size):
                yield group[start : start + self.batch_size]

    def _complete_batch(self, batch: list[_Prompt], sampling: Sampling) -> dict[int, Completion]:
        done: dict[int, Completion] = {}
        good: list[_Prompt] = []
        for prompt in batch:
            try:
                self.processing.features(prompt.text, prompt.request.image_ids)
                good.append(prompt)
            except DataError as error:
                done[prompt.place] = Completion.failed(prompt.request.key, str(error), prompt_tokens=prompt.tokens)
        if good:
            keep = sorted({token for prompt in good for token in prompt.option_ids})
            for prompt, (written, scores) in zip(good, self._generate(good, sampling, keep), strict=True):
                done[prompt.place] = self._read(prompt, written, self._option_probs(prompt, written, scores, keep))
        return done

    def _option_probs(
        self, prompt: _Prompt, written: list[int], scores: list[torch.Tensor], keep: list[int]
    ) -> tuple[float, ...]:
        """Return the options' probabilities where they are looked for, scaled to sum to 1, whatever the temperature."""
        if not prompt.option_ids:
            return ()
        place, after = 0, prompt.request.options_after
        if after:
            places = range(len(written))

            def appeared(count: int) -> bool:
                return after in self.processing.tokenizer.decode(written[:count], skip_special_tokens=True)

            place = bisect.bisect_left(places, True, key=appeared)
            if place == len(places):
                return ()
        chosen = scores[place][[keep.index(token) for token in prompt.option_ids]]
        return tuple(chosen.softmax(dim=0).tolist())

    def _generate(
        self, prompts: list[_Prompt], sampling: Sampling, keep: list[int]
    ) -> list[tuple[list[int], list[torch.Tensor]]]:
        """Write each row up to its stop token or the limit.

        When half of the rows have ended, the others go on in a batch of their own: a few long rows would otherwise
        keep the whole batch computing.

        Returns:
            For each row its tokens, and for each of them the scores of the tokens to keep (none if there are none).
        """
        written: list[list[int]] = [[] for _ in prompts]
        scores: list[list[torch.Tensor]] = [[] for _ in prompts]
        uniform_BN = None
        if sampling.temperature > 0:
            keys = [prompt.request.key for prompt in prompts]
            uniform_BN = uniforms(keys, seed=sampling.seed, count=sampling.max_new_tokens).to(self.device)
        left = list(range(len(prompts)))
        while left:
            known = len(written[left[0]])  # the same for all that are left
            inputs = self.processing.batch(
                [prompts[n].text for n in left], [prompts[n].request.image_ids for n in left]
            )
            if known:
                tokens_BT = torch.tensor([written[n] for n in left])
                inputs = append_tokens(inputs, tokens_BT, torch.ones_like(tokens_BT))
            length = inputs["input_ids"].shape[1]
            drawing = Drawing(
                None if uniform_BN is None else uniform_BN[left, known:],
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                start=length,
                keep=keep,
                held=self._held([(prompts[n], written[n]) for n in left], length),
            )
            few = len(left) // 2 if len(left) > SMALL_BATCH else 0
            with torch.inference_mode():
                new_BT = self.model.generate(
                    **{name: value.to(self.device) for name, value in inputs.items()},
                    generation_config=self._generation_config(sampling.max_new_tokens - known),
                    logits_processor=LogitsProcessorList([drawing]),
                    stopping_criteria=StoppingCriteriaList(
                        [MostAreDone(self._stop_ids, start=length, go_on_above=few)]
                    ),
                )[:, length:].cpu()
            for row, (number, new) in enumerate(zip(left, new_BT.tolist(), strict=True)):
                count = _stop_place(new, self.processing.stop_ids)
                written[number] += new[:count]
                scores[number] += [step[row] for step in drawing.kept[:count]]
            left = [
                n
                for n in left
                if written[n][-1] not in self.processing.stop_ids and len(written[n]) < sampling.max_new_tokens
            ]
        return list(zip(written, scores, strict=True))

    def _held(self, rows: Sequence[tuple[_Prompt, list[int]]], start: int) -> Held | None:
        """Return what holds a batch to its grammars, given what is written; None if there are none."""
        if not any(prompt.request.grammar for prompt, _ in rows):
            return None
        matchers = [
            self._grammars.matcher(prompt.request.grammar, written) if prompt.request.grammar else None
            for prompt, written in rows
        ]
        return Held(self._grammars, matchers, start=start)

    @cached_property
    def _grammars(self) -> Grammars:
        return Grammars(self.processing.tokenizer, self._stop_ids)

    def _generation_config(self, max_new_tokens: int | None) -> GenerationConfig:
        made: Any = GenerationConfig
        chosen: GenerationConfig = made(
            do_sample=False,
            max_new_tokens=max_new_tokens,
            eos_token_id=self._stop_ids,
            pad_token_id=self._pad_id,
            suppress_tokens=self._never_written,
        )
        return chosen

    def _read(self, prompt: _Prompt, written: list[int], probs: tuple[float, ...]) -> Completion:
        """Decode a row."""
        stopped = written[-1] in self.processing.stop_ids
        text = self.processing.tokenizer.decode(written[:-1] if stopped else written, skip_special_tokens=True)
        return Completion(
            key=prompt.request.key,
            text=str(text),
            finish_reason="stop" if stopped else "length",
            prompt_tokens=prompt.tokens,
            response_tokens=len(written),
            option_probs=probs,
        )


def _stop_place(tokens: Sequence[int], stop_ids: Collection[int]) -> int:
    """Return how many tokens there are up to the first stop token, itself included."""
    return next((place + 1 for place, token in enumerate(tokens) if token in stop_ids), len(tokens))
