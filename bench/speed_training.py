"""The trainings of `bench.speed`, and the machine's rate of matrix products."""

from __future__ import annotations

import json
import time
from typing import Any

from bench.speed_inputs import CORES, Found, Inputs, Task
from mathse.core.machine import Machine
from mathse.core.params import Training
from mathse.figures.canvas import SIZE
from mathse.planning.formulas import training_flops
from mathse.planning.shapes import find_shape
from mathse.prompts import solve_messages

SQUARES = (1024, 2048)
LEARNING_RATE, WARMUP, WEIGHT_DECAY, BETA2 = 5e-4, 0.05, 0.05, 0.95


def training_config(task: Task) -> Training:
    """Return mathse's settings of the training: as many processes as divide a batch."""
    processes = max(n for n in range(1, CORES + 1) if task.batch_size % n == 0)
    return Training(
        learning_rate=LEARNING_RATE,
        warmup_ratio=WARMUP,
        weight_decay=WEIGHT_DECAY,
        batch_size=task.batch_size,
        steps=task.steps,
        max_tokens=1024,
        precision="bf16" if task.dtype == "bfloat16" else "fp32",
        frozen=tuple(task.frozen),
        processes=processes,
    )


def mathse_training(inputs: Inputs) -> Found:
    """Train with `mathse.training.launch.train`; the seconds of the steps are those of its log."""
    from mathse.engines.inputs import InputBuilder
    from mathse.training import Example
    from mathse.training.launch import train
    from mathse.training.train_loop import LOG

    task, work = inputs.task, inputs.folder / "train"
    examples = [
        Example(
            row["problem_id"],
            solve_messages(row["question"], row["choices"], 1),
            tuple(row["image_ids"]),
            row["solution"],
        )
        for row in inputs.learnt.iter_rows(named=True)
    ]
    start = time.perf_counter()
    report = train(
        examples,
        init=task.model,
        out=work / "model",
        config=training_config(task),
        seed=task.seed,
        images=inputs.images,
        checkpoints=work / "kept",
        curve=work / "curve.tsv",
        machine=Machine(device="cpu", save_every_steps=10**9),  # keeps the log; one checkpoint
    )
    whole_s = time.perf_counter() - start
    lines = (work / "kept" / LOG).read_text(encoding="utf-8").splitlines()
    log = [json.loads(line) for line in lines]
    seconds = sum(line["tokens"] / line["tokens_per_s"] for line in log)

    # Operations: the mean over all rows, for each row seen.
    shape, builder = find_shape(task.model), InputBuilder.load(task.model, inputs.images)
    assert shape is not None
    picture, flops = shape.picture_tokens(SIZE * SIZE), 0.0
    for one in examples:
        text = builder.render(one.messages)
        prompt = builder.prompt_tokens(text, one.image_ids)
        written = len(builder.target_ids(text, one.target))
        kinds = {"lora": False, "vision_frozen": bool(task.frozen), "recomputes": False}
        flops += training_flops(shape, prompt - picture, picture, written, **kinds)
    found: Found = {"seconds": seconds, "whole_s": whole_s, "rows": report.samples}
    found |= {"flops": flops / len(examples) * report.samples, "final_loss": report.final_loss}
    return found


def trl(inputs: Inputs) -> Found:
    """Train with TRL's `SFTTrainer`, nothing computed twice to save memory."""
    import torch
    from datasets import Dataset, Features, List, Value
    from datasets import Image as Picture
    from transformers import AutoModelForImageTextToText, AutoProcessor, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    task, work = inputs.task, inputs.folder / "trl"
    turns = List({"role": Value("string"), "content": Value("string")})
    columns: dict[str, list[Any]] = {"prompt": [], "completion": [], "images": []}
    for row in inputs.learnt.iter_rows(named=True):
        [turn] = solve_messages(row["question"], row["choices"], 1)
        words = "".join(part.get("text", "") for part in turn["content"])
        columns["prompt"].append([{"role": "user", "content": words}])
        columns["completion"].append([{"role": "assistant", "content": row["solution"]}])
        columns["images"].append([{"bytes": inputs.images.get(row["image_ids"][0]), "path": None}])
    features = Features({"prompt": turns, "completion": turns, "images": List(Picture())})
    rows = Dataset.from_dict(columns, features=features)
    times: list[float] = []

    class Clock(TrainerCallback):
        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            times.append(time.perf_counter())

        on_train_end = on_train_begin

    start = time.perf_counter()
    load: Any = AutoModelForImageTextToText.from_pretrained
    model = load(task.model, dtype=torch.float32)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(not any(pattern in name for pattern in task.frozen))
    settings = SFTConfig(
        output_dir=str(work),
        use_cpu=True,
        bf16=task.dtype == "bfloat16",
        max_steps=task.steps,
        per_device_train_batch_size=task.batch_size,
        learning_rate=LEARNING_RATE,
        lr_scheduler_type="cosine",
        warmup_steps=round(task.steps * WARMUP),
        weight_decay=WEIGHT_DECAY,
        adam_beta2=BETA2,
        max_length=None,
        gradient_checkpointing=False,
        logging_steps=max(1, task.steps // 10),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        seed=task.seed,
    )
    trainer = SFTTrainer(
        model=model,
        args=settings,
        train_dataset=rows,
        processing_class=AutoProcessor.from_pretrained(task.model),
        callbacks=[Clock()],
    )
    trainer.train()
    trainer.save_model(str(work / "model"))
    whole_s = time.perf_counter() - start
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    counted = task.steps * task.batch_size
    found = {"seconds": times[1] - times[0], "whole_s": whole_s, "rows": counted}
    return found | {"final_loss": losses[-1]}


def matrix(inputs: Inputs) -> Found:
    """Measure products of matrices, GFLOP/s: as large as the model's, and large square ones."""
    import torch

    shape = find_shape(inputs.task.model)
    assert shape is not None
    sizes = {f"square {n}": (n, n, n) for n in SQUARES}
    for name, rows in (("one token of 256 rows", 256), ("256 prompts of 100 tokens", 25_600)):
        sizes[name] = (rows, shape.hidden, shape.inner)
    found: Found = {}
    for dtype in ("float32", "bfloat16"):
        for name, (rows, inner, columns) in sizes.items():
            left = torch.ones(rows, inner, dtype=getattr(torch, dtype))
            right = torch.ones(inner, columns, dtype=left.dtype)
            best, until = float("inf"), time.perf_counter() + 0.5
            while time.perf_counter() < until or best == float("inf"):
                start = time.perf_counter()
                torch.matmul(left, right)
                best = min(best, time.perf_counter() - start)
            found[f"{dtype}, {name}"] = round(2 * rows * inner * columns / best / 1e9, 1)
    return {"gflops": found, "threads": torch.get_num_threads()}
