"""Generation with Hugging Face transformers: any Hub model that takes images and text, on CPU or GPU.

What this does not do: serve over a network, or share a prompt's cache between samples of one problem.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, GenerationConfig, LogitsProcessor, LogitsProcessorList

from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.engines.model_files import model_digest
from mathse.engines.processing import Processing
from mathse.engines.protocol import Completion, Request, Sampling

Dtype = Literal["auto", "bfloat16", "float32"]
DTYPES = {"bfloat16": torch.bfloat16, "float32": torch.float32}


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

    The same call on the same machine gives the same text: the seed is set at the start of each call, and batches
    follow from the requests alone.

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
        self.model: Any = AutoModelForImageTextToText.from_pretrained(
            str(model), dtype=wanted, use_safetensors=True, trust_remote_code=trust_remote_code
        )
        self.model.to(self.device).eval()
        self.processing.dtype = self.model.dtype
        self.batch_size = batch_size
        self.max_prompt_tokens = max_prompt_tokens
        self.digest = model_digest(model)
        self.contract = self.processing.contract
        self._stop_ids = sorted(self.processing.stop_ids)
        self._pad_id = int(self.processing.tokenizer.pad_token_id)
        # Defaults that a model brings (a repetition penalty, its own top_p) would sample otherwise than was asked for.
        self.model.generation_config = GenerationConfig(eos_token_id=self._stop_ids, pad_token_id=self._pad_id)

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
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(sampling.seed)
            for batch in self._batches(prompts):
                done.update(self._complete_batch(batch, sampling))
        self.processing.clear()
        return [done[place] for place in range(len(requests))]

    def _check(self, place: int, request: Request) -> _Prompt | Completion:
        """Count a prompt's tokens and find its options, or say what is wrong with it."""
        try:
            text = self.processing.render(request.messages, prefix=request.prefix)
            tokens = self.processing.prompt_tokens(text, request.image_ids)
            options = tuple(self.processing.first_tokens(request.prefix, request.options)) if request.options else ()
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
        if not good:
            return done
        inputs = self.processing.batch([p.text for p in good], [p.request.image_ids for p in good])
        tokens_BL = inputs["input_ids"].shape[1]
        first = _FirstLogits() if any(p.option_ids for p in good) else None
        with torch.inference_mode():
            written_BT = self.model.generate(
                **{name: value.to(self.device) for name, value in inputs.items()},
                generation_config=self._generation_config(sampling),
                logits_processor=LogitsProcessorList([first] if first else []),
            )[:, tokens_BL:].cpu()
        for row, prompt in enumerate(good):
            probs = first.probabilities(row, prompt.option_ids) if first and prompt.option_ids else ()
            done[prompt.place] = self._read(prompt, written_BT[row].tolist(), probs)
        return done

    def _read(self, prompt: _Prompt, written: list[int], probs: tuple[float, ...]) -> Completion:
        """Cut a row where its turn ends and decode it."""
        stop = next((place for place, token in enumerate(written) if token in self.processing.stop_ids), None)
        kept = written if stop is None else written[:stop]
        text = self.processing.tokenizer.decode(kept, skip_special_tokens=True)
        return Completion(
            key=prompt.request.key,
            text=str(text),
            finish_reason="length" if stop is None else "stop",
            prompt_tokens=prompt.tokens,
            response_tokens=len(written) if stop is None else stop + 1,
            option_probs=probs,
        )

    def _generation_config(self, sampling: Sampling) -> GenerationConfig:
        """Set everything that shapes the distribution; transformers would cut to 50 tokens (top_k) by itself."""
        chosen = dict(max_new_tokens=sampling.max_new_tokens, eos_token_id=self._stop_ids, pad_token_id=self._pad_id)
        if sampling.temperature == 0:
            return GenerationConfig(do_sample=False, **chosen)
        return GenerationConfig(
            do_sample=True, temperature=sampling.temperature, top_p=sampling.top_p, top_k=0, **chosen
        )


class _FirstLogits(LogitsProcessor):  # type: ignore[misc]
    """Keep the scores of the first generated token, before temperature."""

    def __init__(self) -> None:
        self.scores_BV: Tensor | None = None

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        if self.scores_BV is None:
            self.scores_BV = scores.detach().float().clone()
        return scores

    def probabilities(self, row: int, token_ids: Sequence[int]) -> tuple[float, ...]:
        """Return the probabilities of some tokens, scaled to sum to 1."""
        assert self.scores_BV is not None
        chosen = self.scores_BV[row, list(token_ids)].double()
        return tuple(chosen.softmax(dim=0).tolist())
