"""The processes of a run, and full sharding of weights, gradients and optimizer over them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import torch
from accelerate import Accelerator, utils  # type: ignore[import-untyped]
from accelerate.state import AcceleratorState  # type: ignore[import-untyped]
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from transformers.modeling_layers import GradientCheckpointingLayer

from mathse.core.params import Training
from mathse.engines.precision import computes_bf16


def start_accelerator(config: Training, cpu: bool) -> tuple[Accelerator, bool]:
    """Return the accelerator, and whether it computes in bf16."""
    # An earlier run in this process may have computed in another precision.
    AcceleratorState._reset_state()
    on_cpu = cpu or not torch.cuda.is_available()
    auto = computes_bf16("cpu" if on_cpu else "cuda")
    bf16 = auto if config.precision == "auto" else config.precision == "bf16"
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision="bf16" if bf16 else "no",
        kwargs_handlers=[
            # Batches without images leave the vision part without gradients.
            utils.DistributedDataParallelKwargs(find_unused_parameters=True),
            # The others wait while one process makes the rows.
            utils.InitProcessGroupKwargs(timeout=timedelta(hours=4)),
        ],
    )
    return accelerator, bf16


def shard(model: Any, accelerator: Accelerator, bf16: bool) -> Any:
    """Shard a model over all processes, layer by layer.

    With bf16, the parts are fp32 masters: a layer is gathered and computes all in bf16, where
    autocast, which is used without sharding, keeps norms and sums of layers in fp32; gradients are
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
