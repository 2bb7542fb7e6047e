"""One optimizer step: the loss of micro-batches, its gradients, and the learning rate.

Shape suffixes: B rows, T tokens of the longest target, V vocabulary, N = B · T.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from torch import Tensor
from torch.distributed.tensor import DTensor
from torch.nn import functional
from torch.optim import Optimizer

from mathse.training.batches import IGNORED, Batch


def train_step(
    model: Any,
    optimizer: Optimizer,
    accelerator: Accelerator,
    batches: Sequence[Batch],
    max_grad_norm: float,
    keep_logits: bool,
) -> tuple[float, float]:
    """Take an optimizer step; return the mean loss per target token and the gradients' norm."""
    weights = sum(float(batch.weights_BT.sum()) for batch in batches)
    counted = torch.tensor(weights, device=accelerator.device)
    total_weight = float(accelerator.reduce(counted, "sum"))
    loss_sum = torch.zeros((), device=accelerator.device)
    for index, batch in enumerate(batches):
        last = index == len(batches) - 1
        with nullcontext() if last else accelerator.no_sync(model):
            loss = batch_loss(model, batch, accelerator.device, keep_logits)
            # Gradients are averaged over processes; the loss is a mean over all tokens of a step.
            accelerator.backward(loss * (accelerator.num_processes / total_weight))
        loss_sum += loss.detach()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
    return float(accelerator.reduce(loss_sum, "sum")) / total_weight, float(norm)


def batch_loss(model: Any, batch: Batch, device: torch.device, keep_logits: bool) -> Tensor:
    """Return the weighted sum of the target tokens' cross-entropy.

    Args:
        model: takes the batch's inputs.
        batch: on the CPU.
        device: the model's.
        keep_logits: the model can compute the last logits alone.
    """
    targets = batch.labels_BT.shape[1]
    inputs: dict[str, Any] = {name: value.to(device) for name, value in batch.inputs.items()}
    if keep_logits:
        inputs["logits_to_keep"] = targets + 1
    # The logits at a position predict the token after it.
    logits_BTV = model(**inputs, use_cache=False).logits[:, -targets - 1 : -1]
    losses_N = functional.cross_entropy(
        logits_BTV.float().flatten(0, 1),
        batch.labels_BT.to(device).flatten(),
        ignore_index=IGNORED,
        reduction="none",
    )
    return (losses_N * batch.weights_BT.to(device).flatten()).sum()


def rate_share(step: int, steps: int, warmup_ratio: float) -> float:
    """Return the share of the learning rate: a linear rise, then a cosine down to zero."""
    warmup = math.ceil(steps * warmup_ratio)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
