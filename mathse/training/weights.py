"""The model of a training run: load it, choose what is trained, write it as a Hub folder."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from safetensors import SafetensorError
from transformers import AutoModelForImageTextToText

from mathse.core.errors import DataError, ParamError
from mathse.core.params import TrainConfig, Training
from mathse.engines.attention import use_grouped_attention
from mathse.engines.input_fingerprint import write_record
from mathse.engines.inputs import InputBuilder
from mathse.engines.precision import computes_bf16
from mathse.training.adapters import add_adapters, is_adapter, merge_adapters
from mathse.training.checkpoints import writing
from mathse.training.sharding import whole_state

log = logging.getLogger(__name__)


def load_model(
    init: str, config: Training, accelerator: Accelerator, trust_remote_code: bool
) -> Any:
    """Load the weights in fp32, in which they are trained, with the attention for the device.

    The parameters that are trained require gradients, the others do not.

    Raises:
        DataError: if the weights are damaged or incomplete.
    """
    # All weights, in fp32.
    options: dict[str, str] = (
        {} if config.attention == "auto" else {"attn_implementation": config.attention}
    )
    load: Any = AutoModelForImageTextToText.from_pretrained
    try:
        model, info = load(
            init,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            **options,
        )
    except (SafetensorError, RuntimeError, OSError) as error:
        raise _damaged(init, str(error)) from error
    if missing := sorted(info["missing_keys"]):
        raise _damaged(init, f"{len(missing)} parameters are missing, the first is {missing[0]}")
    # Attention and precision that this device computes fast.
    on_cpu = accelerator.device.type == "cpu"
    if config.attention == "auto" and on_cpu and not use_grouped_attention(model):
        model.set_attn_implementation("eager")  # sdpa's backward pass is slow on CPU
    if config.precision == "bf16" and on_cpu and not computes_bf16("cpu"):
        log.warning(
            "This CPU computes bf16 in software, several times slower than fp32: set "
            "finetune.precision and train_orm.precision to auto (the weights then differ slightly)."
        )
    # Which parameters are trained, and in which precision the others are kept.
    model.config.use_cache = False
    if config.method == "lora":
        add_adapters(model, config.lora)
    _choose_trained(model, config)
    if config.frozen_dtype == "bfloat16" and accelerator.mixed_precision == "bf16":
        for parameter in model.parameters():
            if not parameter.requires_grad and parameter.dim() >= 2:
                parameter.data = parameter.data.bfloat16()
    if config.activation_checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    return model


def _damaged(init: str, reason: str) -> DataError:
    return DataError(
        f"The weights of this model cannot be loaded: {reason}",
        file=init,
        rule="*.safetensors are whole and hold every parameter",
        fix="download the model again; if a stage wrote it, delete the folder and run `dvc repro`",
    )


def _choose_trained(model: Any, config: TrainConfig) -> None:
    """Freeze the parameters of `config.frozen`, or all but the adapters."""
    named = list(model.named_parameters())
    for pattern in config.frozen:
        if not any(pattern in name for name, _ in named):
            raise ParamError(
                f"frozen: no parameter's name contains {pattern!r}; one of them is {named[0][0]!r}"
            )
    for name, parameter in named:
        frozen = any(pattern in name for pattern in config.frozen)
        trained = is_adapter(name) if config.method == "lora" else not frozen
        parameter.requires_grad_(trained)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ParamError("frozen: these patterns leave nothing to train")


def parameter_groups(model: Any, config: TrainConfig) -> list[dict[str, Any]]:
    """Return the trained parameters for the optimizer; weight decay applies to matrices only."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def save_model(
    accelerator: Accelerator,
    model: Any,
    builder: InputBuilder,
    out: Path,
    config: TrainConfig,
    record: dict[str, Any],
) -> None:
    """Write weights, processor and record beside `out`, then move them there."""
    state = whole_state(model)
    if accelerator.is_main_process:
        if config.method == "lora":
            state = merge_adapters(state, config.lora)
        plain = accelerator.unwrap_model(model)
        plain.config.use_cache = True
        dtype = getattr(torch, config.save_dtype)
        cast = {
            name: value.to(dtype) if value.is_floating_point() else value
            for name, value in state.items()
            if name not in plain.all_tied_weights_keys  # written once, under the other name
        }
        part = out.with_name(f".{out.name}.part")
        with writing(out):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            plain.save_pretrained(part, state_dict=cast, safe_serialization=True)
            plain.config.dtype = dtype  # save_pretrained notes that of the weights in memory
            plain.config.save_pretrained(part)
            builder.save(part)
            write_record(part, record)
            shutil.rmtree(out, ignore_errors=True)
            os.replace(part, out)
    accelerator.wait_for_everyone()
