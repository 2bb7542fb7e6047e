"""The training loop: accelerate, AdamW, a cosine, checkpoints. Full fine-tuning; adapters are not covered."""

from __future__ import annotations

import csv
import inspect
import logging
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.state import AcceleratorState  # type: ignore[import-untyped]
from accelerate.utils import DistributedDataParallelKwargs, set_seed  # type: ignore[import-untyped]
from torch import Tensor
from torch.nn import functional

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.core.images import ImageStore
from mathse.core.progress import track
from mathse.engines.inputs import InputBuilder
from mathse.engines.model_files import model_digest
from mathse.training.batches import IGNORED, Batch, make_batch, plan_batches
from mathse.training.checkpoints import Checkpoints, Progress
from mathse.training.config import TrainConfig, TrainReport
from mathse.training.examples import Example, Row, examples_digest, make_rows
from mathse.training.weights import load_model, parameter_groups, save_model

LOOP_VERSION = 3  # raise it when the same inputs train to other weights
BETAS = (0.9, 0.95)

log = logging.getLogger(__name__)


def finetune(
    examples: Sequence[Example],
    *,
    init: str | Path,
    out: Path,
    config: TrainConfig,
    images: ImageStore | None,
    checkpoints: Path,
    curve: Path | None = None,
    label: str = "finetune",
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
        config: how to train.
        images: where image ids lead; None for text alone.
        checkpoints: a folder for checkpoints alone; removed in the end.
        curve: where the loss curve goes (step, loss, learning_rate): tab-separated for *.tsv, else
            commas.
        label: names the run in the progress.
        trust_remote_code: run code that comes with the model.
        cpu: stay on the CPU though there is a GPU.

    Returns:
        The report.

    Raises:
        DataError: if there is nothing to train on, or an image is missing.
        ParamError: if batch sizes and processes do not divide.
    """
    init, out = str(init), Path(out)
    AcceleratorState._reset_state()  # an earlier run in this process may have computed in another precision
    accelerator = Accelerator(
        cpu=cpu or not torch.cuda.is_available(),
        mixed_precision="bf16" if config.precision == "bf16" else "no",
        # batches without images leave the vision part without gradients
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )
    micro = _micro_batch(config, accelerator.num_processes)
    set_seed(config.seed)
    pixels = torch.bfloat16 if config.precision == "bf16" else torch.float32
    builder = InputBuilder.load(
        init, images, trust_remote_code=trust_remote_code, check=False, dtype=pixels
    )
    rows, dropped = make_rows(examples, builder, max_tokens=config.max_tokens)
    plan = plan_batches(
        rows,
        batch_size=config.batch_size,
        steps=config.steps,
        epochs=config.epochs,
        seed=config.seed,
    )
    for reason, keys in sorted(dropped.items()):
        log.warning(
            "%s: left out %d of %d rows, %s: %s",
            label,
            len(keys),
            len(examples),
            reason,
            ", ".join(keys[:5]),
        )

    model = load_model(init, config, accelerator, trust_remote_code)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config), lr=config.learning_rate, betas=BETAS, fused=True
    )
    model, optimizer = accelerator.prepare(model, optimizer)
    model.train()
    identity = {
        "loop": LOOP_VERSION,
        "contract": builder.input_fingerprint,
        "init": model_digest(init),
    }
    identity |= {"examples": examples_digest(examples), "config": config.identity()}
    kept = Checkpoints(
        Path(checkpoints),
        key=content_id(identity, accelerator.num_processes),
        accelerator=accelerator,
    )
    start = kept.resume()
    if start.step:
        log.info("%s: goes on from step %d of %d", label, start.step, len(plan))
    elif accelerator.is_main_process:
        _show_labels(rows[plan[0][0]], builder)

    losses = list(start.losses)
    todo = _micro_batches(rows, plan[start.step :], builder, accelerator, micro)
    steps = range(start.step, len(plan))
    shown = (
        track(steps, total=len(steps), label=label, unit="steps")
        if accelerator.is_main_process
        else steps
    )
    keep_logits = (
        "logits_to_keep" in inspect.signature(accelerator.unwrap_model(model).forward).parameters
    )
    for step in shown:
        rate = config.learning_rate * _schedule(step, len(plan), config.warmup_ratio)
        for group in optimizer.param_groups:
            group["lr"] = rate
        losses.append(_train_step(model, optimizer, accelerator, next(todo), config, keep_logits))
        if not math.isfinite(losses[-1]):
            raise DataError(
                f"The loss of step {step + 1} is {losses[-1]}.",
                rule="the loss is a finite number",
                fix="lower the learning rate, or set precision to fp32",
            )
        if (
            config.save_every_steps
            and (step + 1) % config.save_every_steps == 0
            and step + 1 < len(plan)
        ):
            kept.save(Progress(step + 1, losses))

    record = {
        "contract": builder.input_fingerprint,
        "init": identity["init"],
        "examples": identity["examples"],
    }
    save_model(
        accelerator,
        model,
        builder,
        out,
        config,
        {**record, "train": asdict(config), "steps": len(plan)},
    )
    if curve is not None and accelerator.is_main_process:
        _write_curve(Path(curve), losses, config)
    kept.remove()
    tenth = max(1, len(losses) // 10)
    return TrainReport(
        steps=len(plan),
        samples=sum(len(batch) for batch in plan),
        rows=len(rows),
        dropped=dropped,
        first_loss=sum(losses[:tenth]) / tenth,
        final_loss=sum(losses[-tenth:]) / tenth,
        target_tokens=sum(len(rows[number].target_ids) for batch in plan for number in batch),
        resumed_from=start.step,
    )


def _micro_batch(config: TrainConfig, processes: int) -> int:
    """Return the rows per forward pass and process."""
    micro = config.micro_batch_size or max(1, config.batch_size // processes)
    if config.batch_size % (micro * processes):
        raise ParamError(
            f"batch_size {config.batch_size} is not a multiple of micro_batch_size {micro} times {processes} processes"
        )
    return micro


def _micro_batches(
    rows: Sequence[Row],
    plan: Sequence[Sequence[int]],
    builder: InputBuilder,
    accelerator: Accelerator,
    micro: int,
) -> Iterator[list[Batch]]:
    """Yield each step's batches for this process; a thread prepares the next step while this one trains."""
    rank, processes = accelerator.process_index, accelerator.num_processes

    def prepare(numbers: Sequence[int]) -> list[Batch]:
        mine = [rows[number] for number in numbers[rank::processes]]
        return [make_batch(mine[at : at + micro], builder) for at in range(0, len(mine), micro)]

    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(prepare, plan[0]) if plan else None
        for following in [*plan[1:], None]:
            assert ahead is not None
            ready = ahead.result()
            ahead = pool.submit(prepare, following) if following is not None else None
            yield ready


def _train_step(
    model: Any,
    optimizer: Any,
    accelerator: Accelerator,
    batches: Sequence[Batch],
    config: TrainConfig,
    keep: bool,
) -> float:
    """Take one optimizer step; return the mean loss per target token over all processes."""
    weight = config.emphasis_weight
    counted = torch.tensor(
        sum(float(_weights(b, weight).sum()) for b in batches), device=accelerator.device
    )
    total_weight = float(accelerator.reduce(counted, "sum"))
    assert total_weight > 0, "a batch without target tokens"
    loss_sum = torch.zeros((), device=accelerator.device)
    for place, batch in enumerate(batches):
        last = place == len(batches) - 1
        with nullcontext() if last else accelerator.no_sync(model):
            loss = _loss(model, batch, accelerator.device, keep, weight)
            # Gradients are averaged over processes; the loss is a mean over all tokens of the step.
            accelerator.backward(loss * (accelerator.num_processes / total_weight))
        loss_sum += loss.detach()
    accelerator.clip_grad_norm_(model.parameters(), config.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad()
    return float(accelerator.reduce(loss_sum, "sum")) / total_weight


def _weights(batch: Batch, emphasis: float) -> Tensor:
    """Return how much each target token counts (B, T): nothing where there is none."""
    weights_BT = (batch.labels_BT != IGNORED).float()
    return torch.where(batch.emphasis_BT, emphasis * weights_BT, weights_BT)


def _loss(model: Any, batch: Batch, device: torch.device, keep: bool, emphasis: float) -> Tensor:
    """Return the summed cross-entropy of the target tokens. The token at t is predicted from what is before t."""
    targets = batch.labels_BT.shape[1]
    inputs: dict[str, Any] = {name: value.to(device) for name, value in batch.inputs.items()}
    if keep:
        inputs["logits_to_keep"] = targets + 1
    logits_BTV = model(**inputs, use_cache=False).logits[:, -targets - 1 : -1]
    losses_N = functional.cross_entropy(
        logits_BTV.float().flatten(0, 1),
        batch.labels_BT.to(device).flatten(),
        ignore_index=IGNORED,
        reduction="none",
    )
    return (losses_N * _weights(batch, emphasis).to(device).flatten()).sum()


def _schedule(step: int, steps: int, warmup_ratio: float) -> float:
    """Return the share of the learning rate at a step: a linear rise, then a cosine down to zero."""
    warmup = math.ceil(steps * warmup_ratio)
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


def _show_labels(row: Row, builder: InputBuilder) -> None:
    """Log what the loss is taken on, so that a wrong mask is seen at once."""
    log.info("first prompt: %r", row.text)
    log.info(
        "first labels: %r",
        builder.tokenizer.decode(list(row.target_ids), skip_special_tokens=False),
    )


def _write_curve(path: Path, losses: Sequence[float], config: TrainConfig) -> None:
    """Write a row for every `log_every_steps`: the mean loss since the row before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file, delimiter="\t" if path.suffix == ".tsv" else ",", lineterminator="\n"
        )
        writer.writerow(["step", "loss", "learning_rate"])
        for end in sorted(
            {*range(config.log_every_steps, len(losses), config.log_every_steps), len(losses)}
        ):
            since = losses[(end - 1) // config.log_every_steps * config.log_every_steps : end]
            rate = config.learning_rate * _schedule(end - 1, len(losses), config.warmup_ratio)
            writer.writerow([end, f"{sum(since) / len(since):.6f}", f"{rate:.6g}"])
