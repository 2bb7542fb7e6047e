"""The training loop: accelerate, AdamW, a cosine, checkpoints. Full fine-tuning, no adapters."""

from __future__ import annotations

import inspect
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.state import AcceleratorState  # type: ignore[import-untyped]
from accelerate.utils import DistributedDataParallelKwargs, set_seed  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn import functional

from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.core.params import TrainConfig
from mathse.core.progress import track
from mathse.engines.inputs import InputBuilder
from mathse.engines.model_files import model_digest
from mathse.engines.precision import computes_bf16
from mathse.training.batches import IGNORED, Batch, make_batch, plan_batches
from mathse.training.checkpoints import Checkpoints, writing
from mathse.training.examples import Example, examples_digest, make_rows
from mathse.training.report import TrainReport
from mathse.training.weights import load_model, parameter_groups, save_model

LOOP_VERSION = 4  # raise it when the same inputs train to other weights
BETAS = (0.9, 0.95)
CURVE_EVERY_STEPS = 10

log = logging.getLogger(__name__)


def finetune(
    examples: Sequence[Example],
    *,
    init: str | Path,
    out: Path,
    config: TrainConfig,
    seed: int,
    images: ImageStore | None,
    checkpoints: Path,
    curve: Path | None = None,
    label: str = "finetune",
    micro_batch_size: int = 0,
    save_every_steps: int = 0,
    trust_remote_code: bool = False,
    cpu: bool = False,
) -> TrainReport:
    """Train a model on the examples' targets and write it as a Hub folder.

    Killed at any moment and called again with the same arguments, it goes on from the last
    checkpoint and, on one machine's CPU, ends in the same bytes. Works under `accelerate launch`;
    only the main process writes.

    Args:
        examples: in an order that does not change between calls.
        init: the model to start from, a folder or a Hub id.
        out: where the trained model goes; replaced if it is there.
        config: what the weights depend on, besides the seed.
        seed: of the order of the rows and of any dropout.
        images: where image ids lead; None for text alone.
        checkpoints: their folder; this run's are removed once the model is written.
        curve: where the loss curve goes, a *.tsv.
        label: names the run in the progress.
        micro_batch_size: rows per forward pass and process; 0: the whole batch at once.
        save_every_steps: how often a checkpoint is written; 0: never.
        trust_remote_code: run code that comes with the model.
        cpu: stay on the CPU though there is a GPU.

    Raises:
        MathseError: if there is nothing to train on, images or weights are damaged, batch sizes do
            not divide, the loss is not finite, or nothing can be written.
    """
    init = str(init)
    # An earlier run in this process may have computed in another precision.
    AcceleratorState._reset_state()
    on_cpu = cpu or not torch.cuda.is_available()
    auto = computes_bf16("cpu" if on_cpu else "cuda")
    bf16 = auto if config.precision == "auto" else config.precision == "bf16"
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision="bf16" if bf16 else "no",
        # Batches without images leave the vision part without gradients.
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    processes = accelerator.num_processes
    micro = micro_batch_size or max(1, config.batch_size // processes)
    if config.batch_size % (micro * processes):
        raise ParamError(
            f"batch_size {config.batch_size} is not a multiple of micro_batch_size {micro} times "
            f"{processes} processes"
        )
    set_seed(seed)

    # Rows, and the plan of all batches.
    pixels = torch.bfloat16 if bf16 else torch.float32
    builder = InputBuilder.load(
        init, images, trust_remote_code=trust_remote_code, check=False, dtype=pixels
    )
    rows, dropped = make_rows(examples, builder, max_tokens=config.max_tokens)
    for reason, keys in sorted(dropped.items()):
        some = f"{len(keys)} of {len(examples)} rows, {reason}: {', '.join(keys[:5])}"
        log.warning("%s: left out %s", label, some)
    plan = plan_batches(
        rows, batch_size=config.batch_size, steps=config.steps, epochs=config.epochs, seed=seed
    )

    # Model and optimizer, where the last checkpoint left them.
    model = load_model(init, config, accelerator, trust_remote_code)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config), lr=config.learning_rate, betas=BETAS, fused=True
    )
    model, optimizer = accelerator.prepare(model, optimizer)
    model.train()
    settings = config.model_dump(mode="json", include=set(TrainConfig.model_fields))
    record = {
        "input_fingerprint": builder.input_fingerprint,
        "init": model_digest(init),
        "examples": examples_digest(examples),
        "train": settings | {"seed": seed, "precision": "bf16" if bf16 else "fp32"},
        "steps": len(plan),
    }
    run = {**record, "loop": LOOP_VERSION}
    kept = Checkpoints(checkpoints, run=run, accelerator=accelerator)
    losses = kept.resume()
    start = len(losses)
    if start:
        log.info("%s: goes on from step %d of %d", label, start, len(plan))
    elif accelerator.is_main_process:
        first = rows[plan[0][0]]  # logged so that a wrong mask is seen at once
        log.info("first prompt: %r", first.text)
        log.info("first labels: %r", builder.tokenizer.decode(list(first.target_ids)))

    # The steps.
    def make(indices: Sequence[int]) -> Batch:
        return make_batch([rows[index] for index in indices], builder, config.span_weight)

    batches = _micro_batches(plan[start:], accelerator, micro, make)
    steps: Any = range(start, len(plan))
    if accelerator.is_main_process:
        steps = track(steps, total=len(steps), label=label, unit="steps")
    forward = inspect.signature(accelerator.unwrap_model(model).forward)
    keep_logits = "logits_to_keep" in forward.parameters
    for step in steps:
        rate = config.learning_rate * _schedule(step, len(plan), config.warmup_ratio)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss, norm = _train_step(model, optimizer, accelerator, next(batches), config, keep_logits)
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise _not_finite(loss, norm, step, [rows[index].key for index in plan[step]], init)
        losses.append(loss)
        if save_every_steps and len(losses) % save_every_steps == 0 and step + 1 < len(plan):
            kept.save(losses)

    # Everything is in its folder before the checkpoints go.
    save_model(accelerator, model, builder, out, config, record)
    if curve is not None and accelerator.is_main_process:
        with writing(curve):
            _write_curve(curve, losses, config)
    kept.remove()
    tenth = max(1, len(losses) // 10)
    return TrainReport(
        steps=len(plan),
        samples=sum(len(batch) for batch in plan),
        rows=len(rows),
        dropped=dropped,
        first_loss=sum(losses[:tenth]) / tenth,
        final_loss=sum(losses[-tenth:]) / tenth,
        target_tokens=sum(len(rows[index].target_ids) for batch in plan for index in batch),
        resumed_from=start,
    )


def _micro_batches(
    plan: Sequence[Sequence[int]],
    accelerator: Accelerator,
    micro: int,
    make: Callable[[Sequence[int]], Batch],
) -> Iterator[list[Batch]]:
    """Yield each step's batches for this process; a thread prepares them one step ahead."""
    rank, processes = accelerator.process_index, accelerator.num_processes

    def prepare(indices: Sequence[int]) -> list[Batch]:
        part = indices[rank::processes]
        return [make(part[start : start + micro]) for start in range(0, len(part), micro)]

    with ThreadPoolExecutor(1) as pool:
        ahead = [pool.submit(prepare, indices) for indices in plan[:1]]
        for step in range(len(plan)):
            ready = ahead.pop().result()
            ahead = [pool.submit(prepare, indices) for indices in plan[step + 1 : step + 2]]
            yield ready


def _train_step(
    model: Any,
    optimizer: Any,
    accelerator: Accelerator,
    batches: Sequence[Batch],
    config: TrainConfig,
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
            loss = _loss(model, batch, accelerator.device, keep_logits)
            # Gradients are averaged over processes; the loss is a mean over all tokens of a step.
            accelerator.backward(loss * (accelerator.num_processes / total_weight))
        loss_sum += loss.detach()
    norm = accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    return float(accelerator.reduce(loss_sum, "sum")) / total_weight, float(norm)


def _loss(model: Any, batch: Batch, device: torch.device, keep_logits: bool) -> Tensor:
    """Return the weighted sum of the target tokens' cross-entropy."""
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


def _schedule(step: int, steps: int, warmup_ratio: float) -> float:
    """Return the share of the learning rate: a linear rise, then a cosine down to zero."""
    warmup = math.ceil(steps * warmup_ratio)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _not_finite(loss: float, norm: float, step: int, keys: Sequence[str], init: str) -> DataError:
    return DataError(
        f"The loss of step {step + 1} is {loss}, the norm of its gradients {norm}; its rows: "
        f"{', '.join(keys[:5])}{', …' if len(keys) > 5 else ''}.",
        file=init,
        rule="loss and gradients are finite numbers",
        fix="lower the learning rate or set precision to fp32; in step 1: this model is damaged",
    )


def _write_curve(path: Path, losses: Sequence[float], config: TrainConfig) -> None:
    """Write a row for every `CURVE_EVERY_STEPS`: the mean loss since the row before."""
    lines = ["step\tloss\tlearning_rate"]
    for start in range(0, len(losses), CURVE_EVERY_STEPS):
        part = losses[start : start + CURVE_EVERY_STEPS]
        end = start + len(part)
        rate = config.learning_rate * _schedule(end - 1, len(losses), config.warmup_ratio)
        lines.append(f"{end}\t{sum(part) / len(part):.6f}\t{rate:.6g}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
