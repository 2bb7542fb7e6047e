"""The training loop: accelerate, AdamW, a cosine, checkpoints."""

from __future__ import annotations

import inspect
import logging
import math
import shutil
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from accelerate.utils import set_seed  # type: ignore[import-untyped]

from mathse.core.errors import DataError, ParamError
from mathse.core.images import ImageStore
from mathse.core.params import TrainConfig, Training
from mathse.core.progress import track
from mathse.engines.inputs import InputBuilder
from mathse.engines.model_files import model_digest
from mathse.training.batches import (
    Batch,
    make_batch,
    micro_batches,
    often_repeated,
    plan_batches,
    prefetch,
)
from mathse.training.checkpoints import Checkpoints, writing
from mathse.training.examples import Example
from mathse.training.memory import RELEASE_EVERY_STEPS, less_memory, memory_named, release_memory
from mathse.training.row_file import RowFile, write_rows
from mathse.training.sharding import shard, start_accelerator
from mathse.training.step import rate_share, train_step
from mathse.training.stopping import STOP, stop_when_asked, stopped
from mathse.training.train_report import TrainReport
from mathse.training.training_log import TrainingLog, write_curve
from mathse.training.weights import load_model, parameter_groups, save_model

LOOP_VERSION = 4  # raise it when the same inputs train to other weights
BETAS = (0.9, 0.95)
LOG = "log.jsonl"

log = logging.getLogger(__name__)


def finetune(
    examples: Iterable[Example],
    *,
    init: str | Path,
    out: Path,
    config: Training,
    seed: int,
    images: ImageStore | None,
    checkpoints: Path,
    curve: Path | None = None,
    label: str = "finetune",
    save_every_steps: int = 0,
    trust_remote_code: bool = False,
    cpu: bool = False,
    peak_tflops: float | Literal["measured"] | None = None,
) -> TrainReport:
    """Train a model on the examples' targets and write it as a Hub folder.

    Killed at any moment and called again with the same arguments, it goes on from the last
    checkpoint and, on one machine's CPU, ends in the same bytes. Works under `accelerate launch`
    and `torchrun`; only the main process reads the examples and writes.

    Args:
        examples: in an order that does not change between calls.
        init: the model to start from, a folder or a Hub id.
        out: where the trained model goes; replaced if it is there.
        config: what the weights depend on, besides the seed, and how memory is spent.
        seed: of the order of the rows and of any dropout.
        images: where image ids lead; None for text alone.
        checkpoints: their folder. The one of the last step stays: see `mathse.core.finished`.
        curve: where the loss curve goes, a *.tsv.
        label: names the run in the progress.
        save_every_steps: how often a checkpoint is written; 0: never, but when asked to stop.
        trust_remote_code: run code that comes with the model.
        cpu: stay on the CPU though there is a GPU.
        peak_tflops: see `TrainingLog`, whose lines go to `log.jsonl` among the checkpoints.

    Raises:
        MathseError: if there is nothing to train on, weights are damaged, batch sizes do not
            divide, the loss is not finite, memory is short, or nothing can be written.
        Stopped: after SIGTERM, once a checkpoint is written.
    """
    init = str(init)
    accelerator, bf16 = start_accelerator(config, cpu)
    processes, is_main = accelerator.num_processes, accelerator.is_main_process
    micro = config.micro_batch_size or max(1, config.batch_size // processes)
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
    rows_folder = checkpoints / "rows"
    if is_main:
        with writing(rows_folder):
            write_rows(rows_folder, examples, builder, max_tokens=config.max_tokens)
    accelerator.wait_for_everyone()
    rows = RowFile(rows_folder)
    if is_main:
        rows.log_dropped(label)
    plan = plan_batches(
        rows.sizes,
        batch_size=config.batch_size,
        steps=config.steps,
        epochs=config.epochs,
        seed=seed,
    )
    if is_main and (repeated := often_repeated(plan, rows.sizes)):
        log.warning("%s: %s", label, repeated)

    # Model and optimizer, where the last checkpoint left them.
    saved = 0  # step of the last checkpoint

    def memory(doing: str) -> AbstractContextManager[None]:
        return memory_named(doing, less_memory(config, micro, saved))

    model = load_model(init, config, accelerator, trust_remote_code)
    sharded = config.sharding == "full" and processes > 1
    with memory("before the first step"):
        model = shard(model, accelerator, bf16) if sharded else accelerator.prepare(model)
    optimizer = torch.optim.AdamW(
        parameter_groups(model, config), lr=config.learning_rate, betas=BETAS, fused=True
    )
    model.train()
    settings = config.model_dump(mode="json", include=set(TrainConfig.model_fields))
    # Sharded layers compute all in bf16, others keep norms and sums in fp32: other weights.
    precision = ("bf16 sharded" if sharded else "bf16") if bf16 else "fp32"
    record = {
        "input_fingerprint": builder.input_fingerprint,
        "init": model_digest(init),
        "examples": rows.digest,
        "train": settings | {"seed": seed, "precision": precision},
        "steps": len(plan),
    }
    run = {**record, "loop": LOOP_VERSION}
    kept = Checkpoints(
        checkpoints, run=run, accelerator=accelerator, model=model, optimizer=optimizer
    )
    with memory("while the checkpoint was read"):
        losses = kept.resume()
    start = saved = len(losses)
    if start and is_main:
        log.info("%s: goes on from step %d of %d", label, start, len(plan))
    elif is_main:
        first = rows[plan[0][0]]  # logged so that a wrong mask is seen at once
        log.info("first prompt: %r", first.text)
        log.info("first labels: %r", builder.tokenizer.decode(list(first.target_ids)))

    # The steps.
    def make(indices: Sequence[int]) -> Batch:
        return make_batch([rows[index] for index in indices], builder, config.span_weight)

    def split(indices: Sequence[int]) -> list[list[int]]:
        rank, tokens = accelerator.process_index, config.micro_batch_tokens
        return micro_batches(
            indices, rows.sizes, rank=rank, processes=processes, rows=micro, tokens=tokens
        )

    batches = prefetch(map(split, plan[start:]), make)
    steps: Any = range(start, len(plan))
    if is_main:
        steps = track(steps, total=len(steps), label=label, unit="steps")
    forward = inspect.signature(accelerator.unwrap_model(model).forward)
    keep_logits = "logits_to_keep" in forward.parameters
    stop = checkpoints / STOP
    training_log = TrainingLog(checkpoints / LOG, start, model, accelerator, peak_tflops)
    with stop_when_asked(stop):
        for step in steps:
            rate = config.learning_rate * rate_share(step, len(plan), config.warmup_ratio)
            for group in optimizer.param_groups:
                group["lr"] = rate
            # Dropout is the same whether or not the run was interrupted.
            torch.manual_seed((seed * len(plan) + step) * processes + accelerator.process_index)
            longest = rows.sizes[plan[step][0]].tokens
            with memory(f"in step {step + 1}, whose longest row has {longest} tokens"):
                loss, norm = train_step(
                    model, optimizer, accelerator, next(batches), config.max_grad_norm, keep_logits
                )
            if not (math.isfinite(loss) and math.isfinite(norm)):
                raise _not_finite(loss, norm, step, [rows[index].key for index in plan[step]], init)
            losses.append(loss)
            if (step + 1) % RELEASE_EVERY_STEPS == 0:
                release_memory()
            tokens = sum(rows.sizes[index].tokens for index in plan[step])
            training_log.write(step + 1, tokens, loss=loss, grad_norm=norm, learning_rate=rate)
            asked = _any_process(accelerator, stop.exists()) and step + 1 < len(plan)
            if asked or save_every_steps and len(losses) % save_every_steps == 0:
                with memory(f"while the checkpoint of step {step + 1} was written"):
                    kept.save(losses)
                saved = step + 1
            if asked:
                raise stopped(step + 1, len(plan))
    if save_every_steps and start < len(plan) and len(losses) % save_every_steps:
        with memory(f"while the checkpoint of step {len(plan)} was written"):
            kept.save(losses)
        saved = len(plan)

    # Everything is in its folder before the checkpoints go.
    with memory("while the model was written"):
        save_model(accelerator, model, builder, out, config, record)
    if curve is not None and is_main:
        with writing(curve):
            write_curve(curve, losses, config)
    kept.finish(curve if save_every_steps else None)
    if is_main:
        # A network file system keeps a mapped file, and so its folder, until its readers end.
        shutil.rmtree(rows_folder, ignore_errors=True)
    tenth = max(1, len(losses) // 10)
    return TrainReport(
        steps=len(plan),
        samples=sum(len(batch) for batch in plan),
        rows=len(rows),
        dropped=rows.dropped,
        first_loss=sum(losses[:tenth]) / tenth,
        final_loss=sum(losses[-tenth:]) / tenth,
        target_tokens=sum(
            rows.sizes[index].tokens - rows.sizes[index].prompt_tokens
            for batch in plan
            for index in batch
        ),
        resumed_from=start,
    )


def _any_process(accelerator: Accelerator, flag: bool) -> bool:
    counted = torch.tensor(float(flag), device=accelerator.device)
    return float(accelerator.reduce(counted, "sum")) > 0


def _not_finite(loss: float, norm: float, step: int, keys: Sequence[str], init: str) -> DataError:
    return DataError(
        f"The loss of step {step + 1} is {loss}, the norm of its gradients {norm}; its rows: "
        f"{', '.join(keys[:5])}{', …' if len(keys) > 5 else ''}.",
        file=init,
        rule="loss and gradients are finite numbers",
        fix="lower the learning rate or set precision to fp32; in step 1: this model is damaged",
    )
