"""What was read of a prompt once is as good as reading it for each row, whatever the model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers import (
    GenerationConfig,
    MllamaConfig,
    MllamaForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
)

from mathse.engines.inputs import Features
from mathse.engines.read_prompts import read_prompts

PAD, IMAGE, VOCABULARY = 0, 90, 100
TEXT: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256,
}  # fmt: skip


def qwen() -> tuple[Any, Features]:
    """Positions in a picture are two-dimensional: rows lag behind by different amounts."""
    vision = {"depth": 1, "embed_dim": 16, "num_heads": 2, "mlp_ratio": 2, "hidden_size": 32,
              "patch_size": 4, "spatial_merge_size": 2, "temporal_patch_size": 1}  # fmt: skip
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config: Any = Qwen2VLConfig
    model: Any = Qwen2VLForConditionalGeneration
    made = config(
        text_config={**TEXT, "rope_parameters": rope, "eos_token_id": 1, "pad_token_id": PAD},
        vision_config=vision, image_token_id=IMAGE, vision_start_token_id=91,
        vision_end_token_id=92,
    )  # fmt: skip
    prompts = [
        [5, 91, *[IMAGE] * 4, 92, 6, 7], [8, 9, 91, *[IMAGE] * 6, 92, 10], [11, 12, 13],
    ]  # fmt: skip
    ids, mask = padded(prompts)
    pixels = torch.randn(16 + 24, 3 * 16, generator=torch.Generator().manual_seed(1))
    grid = torch.tensor([[1, 4, 4], [1, 4, 6]])
    return model(made), {
        "input_ids": ids, "attention_mask": mask, "pixel_values": pixels, "image_grid_thw": grid,
        "mm_token_type_ids": (ids == IMAGE).long(),
    }  # fmt: skip


def mllama() -> tuple[Any, Features]:
    """Pictures are seen by cross-attention, through a mask with a row for each prompt token."""
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_global_layers": 1,
              "attention_heads": 2, "intermediate_size": 16, "vision_output_dim": 32,
              "image_size": 8, "patch_size": 4, "max_num_tiles": 2,
              "intermediate_layers_indices": [0],
              "supported_aspect_ratios": [[1, 1], [1, 2]]}  # fmt: skip
    config: Any = MllamaConfig
    made = config(
        text_config={**TEXT, "num_hidden_layers": 3, "cross_attention_layers": [1],
                     "pad_token_id": PAD, "eos_token_id": 1,
                     "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}},
        vision_config=vision, image_token_index=IMAGE,
    )  # fmt: skip
    ids, mask = padded([[5, IMAGE, 6, 7], [8, 9, IMAGE, 10, 11, 12], [13, IMAGE, 14]])
    seen = (ids == IMAGE).long().cumsum(dim=1)
    tiles = torch.tensor([[1, 0], [1, 1], [1, 1]])
    draw = torch.Generator().manual_seed(1)
    return MllamaForConditionalGeneration(made), {
        "input_ids": ids, "attention_mask": mask,
        "pixel_values": torch.randn(3, 1, 2, 3, 8, 8, generator=draw),
        "aspect_ratio_ids": torch.tensor([[1], [2], [2]]),
        "aspect_ratio_mask": tiles[:, None],
        "cross_attention_mask": seen[:, :, None, None] * tiles[:, None, None],
    }  # fmt: skip


def padded(prompts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, prompts))
    ids = torch.tensor([[PAD] * (longest - len(row)) + [*row] for row in prompts])
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in prompts])
    return ids, mask


def config(tokens: int) -> GenerationConfig:
    made: Any = GenerationConfig
    chosen: GenerationConfig = made(
        do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens, eos_token_id=1,
        pad_token_id=PAD, return_dict_in_generate=True,
    )  # fmt: skip
    return chosen


@pytest.mark.parametrize("build", [qwen, mllama])
def test_rows_go_on_from_the_cache_as_if_they_were_read_again(build: Any) -> None:
    torch.manual_seed(3)
    model, inputs = build()
    for weight in model.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.4)
        elif len(weight) == 1:
            torch.nn.init.ones_(weight)  # a gate that lets pictures through
    model = model.eval()
    length = inputs["input_ids"].shape[1]
    with torch.inference_mode():
        whole = model.generate(**inputs, generation_config=config(9)).sequences[:, length:]
        assert len({*map(tuple, whole.tolist())}) == 3

        rows = [0, 1, 2, 1, 0]
        reading: list[list[int]] = []

        def batch(some: Sequence[int]) -> Features:
            given: Features = inputs
            reading.append([*some])
            assert [rows[row] for row in some] == [0, 1, 2]
            return given

        read = read_prompts(model, rows, batch, config(1))
        assert reading == [[0, 1, 2]]
        logits = read.logits(whole[rows][:, :4], torch.ones(5, 4), config(1))
        assert torch.equal(logits.argmax(dim=-1), whole[rows][:, :5])

        first = read.generate(config(3))
        read.keep([3, 0, 2])
        then = read.generate(config(2))
        read.keep([2, 0])
        last = read.generate(config(4))
    assert torch.equal(first, whole[rows][:, :3])
    assert torch.equal(then, whole[[1, 0, 2]][:, 3:5])
    assert torch.equal(last, whole[[2, 1]][:, 5:9])
