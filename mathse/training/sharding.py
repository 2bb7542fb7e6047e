"""Full sharding: each process has a part of the weights, gradients and optimizer states."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers.modeling_layers import GradientCheckpointingLayer


def shard(model: Any, accelerator: Accelerator, bf16: bool) -> Any:
    """Shard a model over all processes, layer by layer.

    With bf16, the parts are fp32 masters: a layer is gathered and computed in bf16, gradients are
    added in fp32.
    """
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    policy = (
        MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
        if bf16
        else MixedPrecisionPolicy()
    )
    layers = [layer for layer in model.modules() if isinstance(layer, GradientCheckpointingLayer)]
    for module in (*layers, model):
        fully_shard(module, mesh=mesh, mp_policy=policy)
    return model


def whole_state(model: Any) -> dict[str, Any]:
    """Return the weights of a model that may be shared, on the main process, on the CPU."""
    return get_model_state_dict(
        model, options=StateDictOptions(full_state_dict=True, cpu_offload=True)
    )
