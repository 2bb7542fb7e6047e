"""Prompts that transformers has read: their tokens and the key-value cache.

Samples of one problem share its prompt and its picture, which are read once; rows that have ended
leave the cache, and the others go on without reading anything again.

Shape suffixes: B rows, L tokens of the longest prompt, T tokens behind it, V of the vocabulary.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationConfig

from mathse.engines.inputs import Features


@dataclass
class ReadPrompts:
    """Rows of a batch, padded on the left; the cache has all of their tokens but the last.

    The methods that read on go through `generate`, which knows each model's positions and masks.

    Attributes:
        ids_BL: tokens.
        mask_BL: 1 where there is a token, 0 where there is padding.
        more: what else a model wants for each prompt token, of more than two dimensions (Mllama:
            which pictures it sees).
    """

    model: Any
    cache: Any
    ids_BL: Tensor
    mask_BL: Tensor
    more: Features = field(default_factory=dict)

    @property
    def length(self) -> int:
        """How many tokens a row has, its padding included."""
        return self.ids_BL.shape[1]

    def generate(self, config: GenerationConfig, **options: Any) -> Tensor:
        """Write on; the rows then have the new tokens as well. Return these: [B, T]."""
        made = self.model.generate(
            input_ids=self.ids_BL,
            attention_mask=self.mask_BL,
            past_key_values=self.cache,
            generation_config=config,
            **self.more,
            **options,
        )
        new_BT: Tensor = made.sequences[:, self.length :]
        self.ids_BL = made.sequences
        self.mask_BL = torch.cat([self.mask_BL, torch.ones_like(new_BT)], dim=1)
        return new_BT

    def keep(self, rows: Sequence[int]) -> None:
        """Keep some rows, in this order; one that is named twice is there twice."""
        if [*rows] == [*range(len(self.ids_BL))]:
            return
        index = torch.tensor(rows, dtype=torch.long, device=self.ids_BL.device)
        self.cache.reorder_cache(index)
        self.ids_BL, self.mask_BL = self.ids_BL[index], self.mask_BL[index]
        self.more = {name: value[index] for name, value in self.more.items()}
        # Where positions in a picture are two-dimensional (Qwen2-VL, …), the model keeps for each
        # row how far positions lag behind tokens.
        for module in self.model.modules():
            if isinstance(lag := vars(module).get("rope_deltas"), Tensor):
                module.rope_deltas = lag[index.to(lag.device)]

    def logits(self, tokens_BT: Tensor, known_BT: Tensor, config: GenerationConfig) -> Tensor:
        """Return the logits at the last prompt token and at each token put behind it.

        The rows stay as they are.

        Args:
            tokens_BT: tokens behind the prompts, anything where there are none.
            known_BT: True where there is a token.
            config: how to generate one token.

        Returns:
            [B, T + 1, V].
        """
        found: list[Tensor] = []
        hook = self.model.register_forward_hook(lambda _, __, out: found.append(out.logits))
        try:
            self.model.generate(
                input_ids=torch.cat([self.ids_BL, tokens_BT.to(self.ids_BL)], dim=1),
                attention_mask=torch.cat([self.mask_BL, known_BT.to(self.mask_BL)], dim=1),
                past_key_values=copy.deepcopy(self.cache),
                generation_config=config,
                logits_to_keep=tokens_BT.shape[1] + 1,
                **self.more,
            )
        finally:
            hook.remove()
        return found[0]


def read_prompts(
    model: Any,
    keys: Sequence[Hashable],
    batch: Callable[[Sequence[int]], Features],
    config: GenerationConfig,
) -> ReadPrompts:
    """Read the prompts of a batch, each distinct one once.

    Args:
        model: a transformers model that generates.
        keys: of the rows; rows with one key have one prompt.
        batch: returns the inputs of some rows, padded on the left.
        config: how to generate one token.
    """
    first: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        first.setdefault(key, row)
    inputs = {name: value.to(model.device) for name, value in batch([*first.values()]).items()}
    ids_BL, mask_BL = inputs["input_ids"], inputs["attention_mask"]
    # The last token is read with the first new one. It never belongs to a picture: the chat
    # template ends with words.
    by_token = {name: value for name, value in inputs.items() if value.shape[:2] == ids_BL.shape}
    shorter = inputs | {name: value[:, :-1] for name, value in by_token.items()}
    made = model.generate(**shorter, generation_config=config)
    more = {name: value for name, value in by_token.items() if value.dim() > 2}
    read = ReadPrompts(model, made.past_key_values, ids_BL, mask_BL, more)
    number = {key: n for n, key in enumerate(first)}
    read.keep([number[key] for key in keys])
    return read
