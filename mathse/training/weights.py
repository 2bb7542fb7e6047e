"""The model of a training run: loading it, choosing what is trained, writing it as a Hub folder."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from transformers import AutoModelForImageTextToText

from mathse.core.errors import ParamError
from mathse.engines.attention import use_grouped_attention
from mathse.engines.input_fingerprint import write_record
from mathse.engines.inputs import InputBuilder
from mathse.training.config import TrainConfig


def load_model(
    init: str, config: TrainConfig, accelerator: Accelerator, trust_remote_code: bool
) -> Any:
    """Load the weights in fp32, which they are trained in, with the attention that suits the device."""
    chosen = {} if config.attention == "auto" else {"attn_implementation": config.attention}
    model = AutoModelForImageTextToText.from_pretrained(
        init,
        dtype=torch.float32,
        use_safetensors=True,
        trust_remote_code=trust_remote_code,
        **chosen,
    )
    if (
        config.attention == "auto"
        and accelerator.device.type == "cpu"
        and not use_grouped_attention(model)
    ):
        model.set_attn_implementation("eager")  # sdpa's backward pass is slow on CPU
    model.config.use_cache = False
    return model


def parameter_groups(model: Any, config: TrainConfig) -> list[dict[str, Any]]:
    """Freeze what is to be frozen; decay matrices only."""
    named = list(model.named_parameters())
    for pattern in config.frozen:
        if not any(pattern in name for name, _ in named):
            raise ParamError(
                f"frozen: no parameter's name contains {pattern!r}; one of them is {named[0][0]!r}"
            )
    for name, parameter in named:
        parameter.requires_grad_(not any(pattern in name for pattern in config.frozen))
    trained = [parameter for _, parameter in named if parameter.requires_grad]
    if not trained:
        raise ParamError("frozen: these patterns leave nothing to train")
    return [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]


def save_model(
    accelerator: Accelerator,
    model: Any,
    builder: InputBuilder,
    out: Path,
    config: TrainConfig,
    record: dict[str, Any],
) -> None:
    """Write weights, processor and record beside `out`, then put them in its place."""
    state = accelerator.get_state_dict(model)
    if accelerator.is_main_process:
        part = out.with_name(f".{out.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        plain = accelerator.unwrap_model(model)
        plain.config.use_cache = True
        dtype = getattr(torch, config.save_dtype)
        plain.config.dtype = dtype
        cast = {
            name: value.to(dtype) if value.is_floating_point() else value
            for name, value in state.items()
        }
        plain.save_pretrained(part, state_dict=cast, safe_serialization=True)
        builder.save(part)
        write_record(part, record)
        shutil.rmtree(out, ignore_errors=True)
        os.replace(part, out)
    accelerator.wait_for_everyone()
