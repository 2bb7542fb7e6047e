from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText

from mathse.core.images import ImageStore
from mathse.engines.attention import GROUPED, grouped_attention, use_grouped_attention
from mathse.engines.inputs import InputBuilder
from tests.tiny import ask


def load(tiny: Path, **extra: Any) -> Any:
    return AutoModelForImageTextToText.from_pretrained(tiny, dtype=torch.float32, **extra)


def test_grouped_attention_computes_what_eager_attention_does(
    tiny: Path, store: ImageStore
) -> None:
    builder = InputBuilder.load(tiny, store)
    texts = [
        builder.render(ask(text, 1)) for text in ("short", "a longer question about the figure")
    ]
    inputs = builder.batch(texts, [("img0",), ("img1",)])
    eager, grouped = load(tiny, attn_implementation="eager"), load(tiny)
    assert use_grouped_attention(grouped)
    assert grouped.model.text_model.config._attn_implementation == GROUPED
    real = inputs["attention_mask"].bool()
    results = []
    for model in (eager, grouped):
        logits = model(**inputs).logits
        logits[real].square().mean().backward()
        results.append((logits[real].detach(), model.model.text_model.embed_tokens.weight.grad))
    assert torch.allclose(results[0][0], results[1][0], atol=1e-5)
    assert torch.allclose(results[0][1], results[1][1], atol=1e-5)
    assert results[0][0].std() > 0.01


@pytest.mark.parametrize(
    ("keys", "dtype"), [(40, torch.float32), (300, torch.float32), (300, torch.bfloat16)]
)
@pytest.mark.parametrize("gradients", [False, True])
def test_short_and_long_rows_attend_alike(keys: int, dtype: torch.dtype, gradients: bool) -> None:
    """Rows of padding, then causal: by the definition, whichever way it is computed."""
    torch.manual_seed(0)
    query = torch.randn(2, 4, keys, 8, dtype=dtype, requires_grad=True)
    key, value = (torch.randn(2, 2, keys, 8, dtype=dtype, requires_grad=True) for _ in range(2))
    mask = torch.zeros(2, 1, keys, keys).masked_fill(torch.ones(keys, keys).triu(1).bool(), -1e30)
    mask[1, :, 5:, :5] = -1e30
    keys_BHSD, values_BHSD = (part.float().repeat_interleave(2, dim=1) for part in (key, value))
    wanted = ((query.float() @ keys_BHSD.transpose(2, 3)) * 0.3 + mask).softmax(-1) @ values_BHSD
    with torch.set_grad_enabled(gradients):
        found, _ = grouped_attention(None, query, key, value, mask.to(dtype), scaling=0.3)
    assert found.dtype == dtype and found.shape == (2, keys, 4, 8)
    rough = 1e-5 if dtype == torch.float32 else 3e-2
    assert torch.allclose(found.float(), wanted.transpose(1, 2), atol=rough)
    if gradients:
        grads = [
            torch.autograd.grad(out.float().square().sum(), (query, key, value))
            for out in (found, wanted)
        ]
        for one, other in zip(*grads, strict=True):
            assert torch.allclose(one.float(), other.float(), atol=rough * 10, rtol=rough * 10)


def test_softcap_is_obeyed_and_sinks_are_refused() -> None:
    query, key = torch.randn(1, 4, 3, 8) * 9, torch.randn(1, 2, 5, 8)
    value = torch.randn(1, 2, 5, 8)
    plain, _ = grouped_attention(None, query, key, value, None)
    capped, _ = grouped_attention(None, query, key, value, None, softcap=2.0)
    keys = key.repeat_interleave(2, dim=1)
    scores = torch.tanh(query @ keys.transpose(2, 3) * 8**-0.5 / 2.0) * 2.0
    wanted = scores.softmax(-1) @ value.repeat_interleave(2, dim=1)
    assert torch.allclose(capped, wanted.transpose(1, 2), atol=1e-5)
    assert not torch.allclose(plain, capped, atol=1e-2)
    with pytest.raises(NotImplementedError, match="eager or sdpa"):
        grouped_attention(None, query, key, value, None, s_aux=torch.zeros(4))
