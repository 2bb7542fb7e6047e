"""Faster attention for CPU, plugged in where transformers lets one register its own.

Models in which several query heads share a key head (grouped queries) are usually computed by
copying the keys once for each query head; for one new token that copy costs five times the
attention itself. Here the query heads of a group are computed together, without a copy. Many
queries at once go through PyTorch's own blockwise attention where it is faster: without gradients
always (two to four times at 300 tokens), with them from some length on.

Shape suffixes: B rows, H query heads, K key heads, G = H / K, Q queries, S keys, D head size.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

GROUPED = "mathse_grouped"
BLOCKWISE_FROM = 256
"""Keys from which blockwise attention in fp32 is faster with gradients (350: 27 for 37 ms)."""


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
    softcap = kwargs.get("softcap")
    # PyTorch's own attention, by blocks of keys. With gradients only many keys make it faster;
    # softcap and dropout are left to the code below.
    if (
        q > 1
        and softcap is None
        and not dropout
        and (s >= BLOCKWISE_FROM or not torch.is_grad_enabled())
    ):
        return _blockwise(query, key, value, attention_mask, scaling), None
    # All queries of a group are multiplied with their key at once: keys are not repeated.
    g = h // k
    query_BKGD = query.reshape(b, k, g * q, d)
    scores_BKGS = torch.matmul(query_BKGD, key.transpose(2, 3)) * (
        d**-0.5 if scaling is None else scaling
    )
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


def _blockwise(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float | None
) -> Tensor:
    """Attend by blocks of keys: [B, Q, H, D]."""
    dtype = (
        torch.float32 if torch.is_grad_enabled() else query.dtype
    )  # the backward pass in bf16 is slow
    if mask is not None:
        mask = mask[:, :, :, : key.shape[2]].to(dtype)
    out_BHQD = functional.scaled_dot_product_attention(
        query.to(dtype),
        key.to(dtype),
        value.to(dtype),
        attn_mask=mask,
        scale=scaling,
        enable_gqa=True,
    )
    return out_BHQD.transpose(1, 2).to(query.dtype).contiguous()


AttentionInterface.register(GROUPED, grouped_attention)
AttentionMaskInterface.register(GROUPED, eager_mask)


def use_grouped_attention(model: PreTrainedModel) -> bool:
    """Switch a model to grouped attention, if all its parts take attention from outside.

    Returns:
        Whether the model was switched.
    """
    parts = [part for part in model.modules() if isinstance(part, PreTrainedModel)]
    takes_any = all(getattr(part, "_supports_attention_backend", False) for part in parts)
    if not takes_any or any(name.endswith("sinks") for name, _ in model.named_parameters()):
        return False
    model.set_attn_implementation(GROUPED)
    return True
