"""Build model inputs from messages and images: one way for every purpose.

Generation and training call the same functions here, so a prompt gives the same tensors in both.
Only what every Hub processor offers is used: `apply_chat_template`, `__call__` and the tokenizer.

Each sample goes through the processor alone and can be kept; a batch is joined from samples. Where
samples cannot be joined (a processor that pads images to each other), the processor prepares the
whole batch.

Shape suffixes: B samples, L tokens of the longest prompt, T tokens of the longest target.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mathse.core.errors import DataError, MathseError
from mathse.core.images import ImageStore
from mathse.engines.image_tokens import ImageTokens
from mathse.engines.input_fingerprint import check_fingerprint, fingerprint_of
from mathse.engines.model_files import check_model_name, unloadable
from mathse.engines.pixels import Pixels, limit_processor
from mathse.prompts.text import Message, remove_all

Features = dict[str, Tensor]

CACHE_BYTES = 128 * 1024 * 1024
"""Of each process: some 800 rows of the built-in problems."""
_CLOSING_PROBE = "mathse-closing-probe"
_TOKEN_KEYS = ("input_ids", "attention_mask")


class InputBuilder:
    """Turns messages and images into model inputs.

    Args:
        processor: a Hub processor with a chat template.
        images: where image ids lead; None for text alone.
        stop_ids: tokens that end a turn, besides the tokenizer's end of sequence.
        dtype: of the pixels.
        cache_bytes: how much to keep of what was prepared. What comes first is kept: training
            passes over its rows again and again, and throwing out the oldest would leave nothing to
            find.

    Attributes:
        input_fingerprint: hash of how prompts and pixels become inputs.
        closing: what the chat template writes after an assistant's text, up to the token that ends
            the turn.
        never_written: special tokens that no text may have, in the order of their numbers.

    Raises:
        DataError: if the processor has no chat template.
    """

    def __init__(
        self,
        processor: Any,
        images: ImageStore | None = None,
        *,
        stop_ids: Sequence[int] = (),
        dtype: torch.dtype = torch.float32,
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        if not getattr(processor, "chat_template", None):
            raise DataError(
                "This model's processor has no chat template.",
                rule="prompts are written by the chat template",
                fix="choose the instruct variant of the model, or add a chat_template.jinja",
            )
        self.processor = processor
        self.tokenizer = processor.tokenizer
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self._pixels = Pixels(images)
        self.dtype = dtype
        self.stop_ids = frozenset({*stop_ids, self.tokenizer.eos_token_id} - {None})
        self.input_fingerprint = fingerprint_of(processor, self._pixels.limits)
        # All special tokens but those that are plain text, longest first: "</s>", "<image>", …
        added = [str(t) for t in self.tokenizer.added_tokens_decoder.values() if t.special]
        specials = sorted({*added, *self.tokenizer.all_special_tokens}, key=len, reverse=True)
        self._specials = re.compile("|".join(map(re.escape, filter(None, specials))) or r"(?!)")
        # A sampled image token would ask the model for an image that is not there, and fail the
        # whole batch.
        special = {number for number, t in self.tokenizer.added_tokens_decoder.items() if t.special}
        self.never_written = sorted({*special, *self.tokenizer.all_special_ids} - self.stop_ids)
        self.closing = self._find_closing()
        self._cache_bytes = cache_bytes
        self._cached_bytes = 0
        self._cache: dict[tuple[str, tuple[str, ...]], Features] = {}
        self._image_tokens = ImageTokens(processor)
        self._lock = threading.Lock()
        self._token_ids = lru_cache(4)(self._tokenize)  # a row asks for its prompt's several times

    @classmethod
    def load(
        cls,
        model: str | Path,
        images: ImageStore | None = None,
        *,
        trust_remote_code: bool = False,
        check: bool = True,
        dtype: torch.dtype = torch.float32,
        cache_bytes: int = CACHE_BYTES,
    ) -> InputBuilder:
        """Load a model's processor.

        Args:
            model: folder or Hub id.
            images: where image ids lead.
            trust_remote_code: run code that comes with the model.
            check: refuse a model that was trained with another input fingerprint.
            dtype: of the pixels.
            cache_bytes: how much to keep of what was prepared.

        Raises:
            ParamError: if there is no such model, or a library that it needs is missing.
            DataError: if the input fingerprint differs.
        """
        from transformers import AutoProcessor, GenerationConfig

        loader: Any = AutoProcessor
        check_model_name(model)
        try:
            processor = loader.from_pretrained(str(model), trust_remote_code=trust_remote_code)
        except (ImportError, OSError, ValueError) as error:
            raise unloadable(model, error) from error
        if images is not None:
            limit_processor(processor, images.pixels)
        try:
            stop = GenerationConfig.from_pretrained(str(model)).eos_token_id
        except OSError:
            stop = None
        stop_ids = stop if isinstance(stop, list) else [] if stop is None else [stop]
        loaded = cls(processor, images, stop_ids=stop_ids, dtype=dtype, cache_bytes=cache_bytes)
        if check:
            check_fingerprint(model, loaded.input_fingerprint)
        return loaded

    def render(self, messages: Sequence[Message], *, prefix: str = "") -> str:
        """Write a chat as the model's prompt, up to where the assistant speaks, and the prefix.

        Special tokens of this model's tokenizer are removed from the texts: none can end a turn or
        stand for an image.
        """
        cleaned = [{**message, "content": self._clean(message["content"])} for message in messages]
        prompt = self.processor.apply_chat_template(
            cleaned, add_generation_prompt=True, tokenize=False
        )
        return str(prompt) + prefix

    def prompt_tokens(self, text: str, image_ids: Sequence[str]) -> int:
        """Return how many tokens a prompt has, its images included.

        Images are not decoded: see `ImageTokens`.

        Raises:
            DataError: if an image is unknown or is none.
        """
        written = len(self.token_ids(text))
        if not image_ids:
            return written
        sizes = tuple(self._pixels.size(image_id) for image_id in image_ids)

        def measure() -> int:
            return int(self.features(text, image_ids)["input_ids"].shape[1]) - written

        return written + self._image_tokens.count(sizes, measure)

    def features(self, text: str, image_ids: Sequence[str]) -> Features:
        """Return one prompt's tensors, as the processor makes them; a kept copy where there is one.

        Raises:
            DataError: if an image is unknown or does not decode, or if their number is not that of
                the prompt's.
        """
        return _expand(self._sample(text, image_ids))

    def batch(self, texts: Sequence[str], image_ids: Sequence[Sequence[str]]) -> Features:
        """Return the tensors of several prompts, padded on the left.

        Returns:
            `input_ids` and `attention_mask` of shape [B, L], and whatever else the processor makes.
        """
        joined = self._join(
            [self._sample(text, ids) for text, ids in zip(texts, image_ids, strict=True)]
        )
        return self._process(texts, image_ids) if joined is None else _expand(joined)

    def target_ids(self, text: str, target: str) -> list[int]:
        """Return the tokens that follow a prompt: the target and the token that ends the turn."""
        target = remove_all(self._specials, target)
        prompt = self.token_ids(text)
        whole = self.token_ids(text + target + self.closing)
        if whole[: len(prompt)] == prompt:
            return whole[len(prompt) :]
        # The tokenizer merges across the border. Generation starts from the prompt's own tokens, so
        # training does.
        return list(self.tokenizer(target + self.closing, add_special_tokens=False)["input_ids"])

    def clear(self) -> None:
        """Forget what was kept."""
        with self._lock:
            self._cache.clear()
            self._cached_bytes = 0

    def save(self, folder: Path) -> None:
        """Write the processor beside a model's weights."""
        tokenizer = self.tokenizer
        if getattr(tokenizer, "is_fast", False):
            # What a batch leaves behind is saved too; without one it is the same.
            pad = {"pad_id": tokenizer.pad_token_id, "pad_token": tokenizer.pad_token}
            tokenizer.backend_tokenizer.enable_padding(direction="left", **pad)
        self.processor.save_pretrained(folder)

    def _clean(self, parts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**part, "text": remove_all(self._specials, part["text"])} if "text" in part else part
            for part in parts
        ]

    def _sample(self, text: str, image_ids: Sequence[str]) -> Features:
        """Return one prompt's tensors in compact form, kept or made."""
        key = (text, tuple(image_ids))
        with self._lock:
            if key in self._cache:
                return self._cache[key]
        made = {name: _compact(value) for name, value in self._process([text], [image_ids]).items()}
        size = sum(value.nbytes for value in made.values())
        with self._lock:
            if self._cached_bytes + size <= self._cache_bytes and key not in self._cache:
                self._cache[key] = made
                self._cached_bytes += size
        return made

    def _process(self, texts: Sequence[str], image_ids: Sequence[Sequence[str]]) -> Features:
        """Call the processor: prompts padded on the left, images only where there are some."""
        pictures = [[self._pixels.image(image_id) for image_id in ids] for ids in image_ids]
        try:
            made: Mapping[str, Any] = self.processor(
                text=list(texts),
                images=pictures if any(pictures) else None,
                padding=True,
                padding_side="left",
                add_special_tokens=not self._writes_bos(texts[0]),
                return_tensors="pt",
            )
        except (MathseError, MemoryError):
            raise
        except Exception as error:  # whatever a Hub processor raises concerns its input
            raise DataError(
                f"The processor refuses this input: {error}",
                rule="the processor takes prompt and images",
            ) from error
        return {
            name: value.to(self.dtype) if value.is_floating_point() else value
            for name, value in made.items()
            if isinstance(value, Tensor)
        }

    def _join(self, samples: Sequence[Features]) -> Features | None:
        """Join samples into a batch, or return None if their tensors do not fit each other."""
        names = samples[0].keys()
        if any(sample.keys() != names for sample in samples):
            return None
        longest = max(sample["input_ids"].shape[1] for sample in samples)
        batch: Features = {}
        for name in names:
            values = [sample[name] for sample in samples]
            if name in _TOKEN_KEYS or all(
                v.shape == s["input_ids"].shape for v, s in zip(values, samples, strict=True)
            ):
                fill = self.tokenizer.pad_token_id if name == "input_ids" else 0
                values = [
                    torch.nn.functional.pad(value, (longest - value.shape[1], 0), value=fill)
                    for value in values
                ]
            elif len({value.shape[1:] for value in values}) > 1:
                return None
            batch[name] = torch.cat(values)
        return batch

    def token_ids(self, text: str) -> list[int]:
        """Return a prompt's tokens, with one for each image."""
        return list(self._token_ids(text))

    def _tokenize(self, text: str) -> list[int]:
        made = self.tokenizer(text, add_special_tokens=not self._writes_bos(text))
        return list(made["input_ids"])

    def _writes_bos(self, text: str) -> bool:
        """Return True if the chat template already wrote the token that begins a sequence."""
        bos = self.tokenizer.bos_token
        return bos is not None and text.startswith(bos)

    def _find_closing(self) -> str:
        turn = [{"type": "text", "text": _CLOSING_PROBE}]
        chat = [{"role": "user", "content": turn}, {"role": "assistant", "content": turn}]
        written = str(self.processor.apply_chat_template(chat, tokenize=False))
        after = self.tokenizer(written.rpartition(_CLOSING_PROBE)[2], add_special_tokens=False)[
            "input_ids"
        ]
        for count, token in enumerate(after, start=1):
            if token in self.stop_ids:
                return str(self.tokenizer.decode(after[:count], skip_special_tokens=False))
        return str(self.tokenizer.eos_token)


def append_tokens(inputs: Features, tokens_BT: Tensor, known_BT: Tensor) -> Features:
    """Put text tokens behind prompts.

    Args:
        inputs: of [B, L] prompts padded on the left.
        tokens_BT: the tokens, anything that is valid where there are none.
        known_BT: True where there is a token.

    Returns:
        The inputs with [B, L + T] entries wherever there is one per token; those of new tokens are
        0, as plain text is.
    """
    prompt_shape = inputs["input_ids"].shape
    added = {"input_ids": tokens_BT, "attention_mask": known_BT}
    longer = {}
    for name, value in inputs.items():
        if value.shape == prompt_shape:
            more = added.get(name, torch.zeros_like(tokens_BT))
            value = torch.cat([value, more.to(value.dtype)], dim=1)
        longer[name] = value
    return longer


def _expand(features: Features) -> Features:
    return {
        name: value.long() if value.dtype == torch.bool else value
        for name, value in features.items()
    }


def _compact(value: Tensor) -> Tensor:
    """Keep large masks of 0 and 1 as booleans; `_expand` turns them back."""
    if value.dtype == torch.int64 and value.dim() > 2 and bool(((value == 0) | (value == 1)).all()):
        return value.bool()
    return value
