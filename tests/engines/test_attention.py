from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForImageTextToText

from mathse.core.images import ImageStore
from mathse.engines.attention import GROUPED, grouped_attention, use_grouped_attention
from mathse.engines.processing import Processing
from tests.tiny import ask


def load(tiny: Path, **extra: Any) -> Any:
    return AutoModelForImageTextToText.from_pretrained(tiny, dtype=torch.float32, **extra)


def test_grouped_attention_computes_what_eager_attention_does(tiny: Path, store: ImageStore) -> None:
    processing = Processing.load(tiny, store)
    texts = [processing.render(ask(text, 1)) for text in ("short", "a longer question about the figure")]
    inputs = processing.batch(texts, [("img0",), ("img1",)])
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
