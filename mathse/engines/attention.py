"""Faster attention and key-value cache for CPU, plugged in by the names that transformers offers for it.

Models in which several query heads share a key head (grouped queries) are usually computed by copying the keys once
for each query head; for one new token that copy costs five times the attention itself. Here the query heads of a
group are computed together, without a copy. The cache grows in place instead of being copied at each token.

Shape suffixes: B rows, H query heads, K key heads, G = H / K, Q queries, S keys, D head size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.masking_utils import eager_mask

GROUPED = "mathse_grouped"


def grouped_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers' eager code does.

    Args:
        module: the attention layer.
        query: [B, H, Q, D].
        key: [B, K, S, D].
        value: [B, K, S, D].
        attention_mask: added to the scores: [B or 1, 1, Q, S], or None.
        scaling: of the scores; by default 1 / sqrt(D).
        dropout: of the weights while training.
        kwargs: a `softcap` is obeyed.

    Returns:
        [B, Q, H, D], and no weights.

    Raises:
        NotImplementedError: for attention with sinks or a position bias.
    """
    if kwargs.get("s_aux") is not None or kwargs.get("position_bias") is not None:
        raise NotImplementedError("this model's attention needs attention: eager or sdpa")
    b, h, q, d = query.shape
    k, s = key.shape[1], key.shape[2]
    g = h // k
    query_BKGD = query.reshape(b, k, g * q, d)
    scores_BKGS = torch.matmul(query_BKGD, key.transpose(2, 3)) * (d**-0.5 if scaling is None else scaling)
    softcap = kwargs.get("softcap")
    if softcap is not None:
        scores_BKGS = torch.tanh(scores_BKGS / softcap) * softcap
    if attention_mask is not None:
        mask_BQS = attention_mask[:, :, :, :s]
        scores_BKGS = (scores_BKGS.view(b, k, g, q, s) + mask_BQS.unsqueeze(2)).view(b, k, g * q, s)
    weights_BKGS = functional.softmax(scores_BKGS, dim=-1, dtype=torch.float32).to(query.dtype)
    if dropout > 0:
        weights_BKGS = functional.dropout(weights_BKGS, p=dropout, training=module.training)
    out_BHQD = torch.matmul(weights_BKGS, value).view(b, h, q, d)
    return out_BHQD.transpose(1, 2).contiguous(), None


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, eager_mask)


class GrowingLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values of one layer in a buffer with room to grow.

    Args:
        room: tokens to make room for beyond the prompt.
    """

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room
        self._buffers: tuple[Tensor, Tensor] | None = None

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append tokens; return all keys and values so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        known = self.get_seq_length()
        total = known + key_states.shape[-2]
        if self._buffers is None or total > self._buffers[0].shape[-2]:
            old = (self.keys, self.values)
            self._buffers = (_buffer(key_states, total + self.room), _buffer(value_states, total + self.room))
            if known:
                for buffer, kept in zip(self._buffers, old, strict=True):
                    buffer[..., :known, :] = kept
        self._buffers[0][..., known:total, :] = key_states
        self._buffers[1][..., known:total, :] = value_states
        self.keys = self._buffers[0][..., :total, :]
        self.values = self._buffers[1][..., :total, :]
        return self.keys, self.values


def growing_cache(config: Any, *, room: int) -> DynamicCache:
    """Return a cache for a model in which ordinary layers grow in place; others (sliding windows) stay as they are."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer(room) if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def _buffer(like: Tensor, length: int) -> Tensor:
    return like.new_empty((*like.shape[:-2], length, like.shape[-1]))
