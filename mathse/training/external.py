"""Other trainers, LLaMA-Factory and ms-swift: they get rows and flags and give a model back.

The trainer is a command of its own installation. It must end with a model folder, or LoRA adapters
as peft writes them, and with the `trainer_state.json` of transformers' Trainer.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from mathse.core.errors import DataError, MathseError, ParamError
from mathse.core.ids import folder_digest
from mathse.core.images import ImageStore
from mathse.core.machine import Launcher
from mathse.core.params import Finetune, TrainConfig
from mathse.datasets.exporting import DATASET_NAME, FORMATS, LEFT_OUT
from mathse.engines.input_fingerprint import write_record
from mathse.engines.inputs import InputBuilder
from mathse.engines.model_files import model_digest
from mathse.prompts import lessons
from mathse.training.row_file import RowFile, write_rows
from mathse.training.stopping import at_stop
from mathse.training.student import examples_of, lesson_key
from mathse.training.train_report import TrainReport

COMMANDS = {"llama-factory": ("llamafactory-cli", "train"), "ms-swift": ("swift", "sft")}
NOT_SCALED = {"image_max_pixels": 1 << 40, "image_min_pixels": 0}
"""Flags of LLaMA-Factory, which scales to 768 x 768 pixels: pictures are exported as they are seen.
"""
SCALING = ("MIN_PIXELS", "MAX_PIXELS", "IMAGE_MIN_TOKEN_NUM", "IMAGE_MAX_TOKEN_NUM")
"""Environment variables by which ms-swift scales pictures for Qwen-VL."""


def train_elsewhere(
    rows: pl.DataFrame,
    *,
    images: ImageStore,
    init: str,
    out: Path,
    config: Finetune,
    seed: int,
    launcher: Launcher,
    folder: Path,
    curve: Path,
    trust_remote_code: bool,
) -> TrainReport:
    """Train with `config.trainer` and write the model as `train_loop.finetune` does.

    Args:
        rows: problems with `row_id` and `response`; see `mathse.datasets.exporting`.
        images: where image ids lead.
        init: the model to start from.
        out: where the trained model goes.
        config: what the trainer is asked for; `trainer_options` are added as they are.
        seed: of the trainer.
        launcher: how many GPUs of this machine.
        folder: where rows and the trainer's own output go; emptied first, removed in the end, as
            is `rows` beside it.
        curve: where the loss curve goes.
        trust_remote_code: run code that comes with the model.

    Raises:
        ParamError: if there is no such command, the batch cannot be divided, or peft is missing and
            adapters came back.
        MathseError: if the command fails.
        DataError: if it gives no model, another model's weights or no losses.
    """
    at_once = (config.micro_batch_size or 1) * launcher.processes
    if config.batch_size % at_once:
        raise ParamError(
            f"finetune.batch_size: {config.batch_size} is not a multiple of micro_batch_size times "
            f"the processes of machine.yaml's launcher ({at_once}): {config.trainer} would round"
        )
    command, verb = COMMANDS[config.trainer]
    if shutil.which(command) is None:
        fix = f"install {config.trainer}, or set finetune.trainer: accelerate"
        raise ParamError(f"finetune.trainer: no command {command} is on PATH: {fix}")
    # The rows, without those that our own loop would leave out.
    builder = InputBuilder.load(init, images, trust_remote_code=trust_remote_code, check=False)
    counted = folder.with_name("rows")
    write_rows(counted, examples_of(rows), builder, max_tokens=config.max_tokens)
    known = RowFile(counted)
    known.log_dropped(config.trainer)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    FORMATS[config.trainer](_mark_left_out(rows, known.dropped), images, folder)
    rows_digest, trained = folder_digest(folder), folder / "trained"

    # The command: every flag is a pair, and a null option removes one.
    flags = _flags(config, init, folder, trained, seed, launcher, trust_remote_code)
    # Its chat template may write more than the model's. No row is that long: none is cut.
    cut = "cutoff_len" if config.trainer == "llama-factory" else "max_length"
    flags = {cut: 2 * max(size.tokens for size in known.sizes)} | flags
    pairs = [(f"--{name}", _absolute(value)) for name, value in flags.items() if value is not None]
    line = [command, verb, *(word for pair in pairs for word in pair)]
    environment = {k: v for k, v in os.environ.items() if k not in SCALING}
    environment |= processor_limits(builder) | {"NPROC_PER_NODE": str(launcher.processes)}
    if launcher.processes > 1:
        environment["FORCE_TORCHRUN"] = "1"
    # In a session of its own: the trainer's commands start others, which end with the whole group.
    process = subprocess.Popen(line, env=environment, cwd=folder, start_new_session=True)
    try:
        with at_stop(partial(os.killpg, process.pid, signal.SIGTERM)):
            code = process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    if code:
        raise MathseError(f"{command} ended with {code}; its messages are above.")

    # What it gave back. Prompts and pixels stay those of the model it started from.
    model = _result(trained, init, trust_remote_code)
    builder.save(model)
    losses = _losses(trained, curve)
    settings = config.model_dump(
        mode="json", include={*TrainConfig.model_fields, "trainer_options"}
    )
    record = {
        "input_fingerprint": builder.input_fingerprint,
        "init": model_digest(init),
        "rows": rows_digest,
        "train": settings | {"seed": seed, "trainer": config.trainer},
        "model": model_digest(model),
    }
    write_record(model, record)
    shutil.rmtree(out, ignore_errors=True)
    shutil.move(model, out)
    shutil.rmtree(folder)
    shutil.rmtree(counted, ignore_errors=True)
    tenth = max(1, len(losses) // 10)
    return TrainReport(
        steps=losses[-1][0],
        samples=losses[-1][0] * config.batch_size,
        rows=len(known),
        dropped=known.dropped,
        first_loss=sum(loss for _, loss in losses[:tenth]) / tenth,
        final_loss=sum(loss for _, loss in losses[-tenth:]) / tenth,
        target_tokens=None,
        resumed_from=0,
    )


def _mark_left_out(rows: pl.DataFrame, dropped: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Mark what a row does not teach; drop the rows that then teach nothing."""
    keys = {key for some in dropped.values() for key in some}
    tasks = [
        [(task, lesson_key(row, task) in keys) for task, *_ in lessons(row)]
        for row in rows.iter_rows(named=True)
    ]
    left_out = [[task for task, is_out in every if is_out] for every in tasks]
    is_left = [not all(is_out for _, is_out in every) for every in tasks]
    column = pl.Series(LEFT_OUT, left_out, pl.List(pl.String()))
    return rows.with_columns(column).filter(pl.Series(is_left))


def processor_limits(builder: InputBuilder) -> dict[str, str]:
    """Return the limits of a processor that keeps a picture's size within them, as Qwen-VL's do.

    They are the size of what it makes, after its sides were rounded: those of the pictures, such as
    `student.pixels`, would scale again.
    """
    images: Any = getattr(builder.processor, "image_processor", None)
    if not hasattr(images, "merge_size"):
        return {}
    size = dict(images.size)
    return {"MIN_PIXELS": str(size["shortest_edge"]), "MAX_PIXELS": str(size["longest_edge"])}


def _absolute(value: Any) -> str:
    """Return a flag's value; a file's name as a whole path: the trainer runs in another folder."""
    text = str(value)
    return str(Path(text).absolute()) if Path(text).is_file() else text


def _flags(
    config: Finetune,
    init: str,
    folder: Path,
    trained: Path,
    seed: int,
    launcher: Launcher,
    trust_remote_code: bool,
) -> dict[str, Any]:
    """Return the flags of either trainer: most are those of transformers' Trainer."""
    base = str(Path(init).absolute()) if Path(init).is_dir() else init
    micro = config.micro_batch_size or 1
    # Flags that both have.
    flags: dict[str, Any] = {
        "output_dir": trained.absolute(),
        "learning_rate": config.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_ratio": config.warmup_ratio,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": config.batch_size // (micro * launcher.processes),
        "max_steps": config.steps,
        "num_train_epochs": None if config.steps else config.epochs,
        "gradient_checkpointing": config.activation_checkpointing,
        "bf16": config.precision != "fp32",
        "seed": seed,
        "logging_steps": 10,
        "save_only_model": True,
        "report_to": "none",
    }
    if config.method == "lora":
        flags |= {"lora_rank": config.lora.rank, "lora_alpha": config.lora.alpha}
        flags["lora_dropout"] = config.lora.dropout
    # Flags that each names in its own way. Those of the params come last: they win.
    if config.trainer == "llama-factory":
        flags |= {"stage": "sft", "do_train": True, "model_name_or_path": base}
        flags |= {"dataset": DATASET_NAME, "dataset_dir": folder.absolute()}
        flags |= {"finetuning_type": config.method, **NOT_SCALED}
        flags |= {"freeze_vision_tower": bool(config.frozen)}
        flags |= {"trust_remote_code": trust_remote_code}
    else:
        flags |= {"model": base, "dataset": (folder / "train.jsonl").absolute()}
        flags |= {"tuner_type": config.method, "freeze_vit": bool(config.frozen)}
    return flags | config.trainer_options


def _result(trained: Path, init: str, trust_remote_code: bool) -> Path:
    """Return the model folder written last; adapters are merged into one."""
    for name, merge in (("adapter_config.json", True), ("config.json", False)):
        found = [file for file in trained.rglob(name) if any(file.parent.glob("*.safetensors"))]
        if not found:
            continue
        folder = max(found, key=lambda file: file.stat().st_mtime_ns).parent
        return _merged(folder, init, trust_remote_code) if merge else folder
    raise DataError(
        "The trainer ended without a model.",
        file=trained,
        rule="it writes config.json and *.safetensors, or adapter_config.json and its weights",
        fix="see its messages; its flags are those of finetune and finetune.trainer_options",
    )


def _merged(adapters: Path, init: str, trust_remote_code: bool) -> Path:
    try:
        from peft import PeftModel
    except ImportError as error:
        raise ParamError(f"adapters need peft ({error}): pip install -e '.[lora]'") from error
    from transformers import AutoModelForImageTextToText

    load: Any = AutoModelForImageTextToText.from_pretrained
    plain = load(init, dtype="auto", trust_remote_code=trust_remote_code)
    merged: Any = PeftModel.from_pretrained(plain, adapters)
    out = adapters.with_name("merged")
    merged.merge_and_unload().save_pretrained(out)
    return out


def _losses(trained: Path, curve: Path) -> list[tuple[int, float]]:
    """Return the losses by step and write them as a curve."""
    states = sorted(trained.rglob("trainer_state.json"), key=lambda file: file.stat().st_mtime_ns)
    history = json.loads(states[-1].read_text(encoding="utf-8"))["log_history"] if states else []
    entries = [entry for entry in history if "loss" in entry]
    if not entries:
        raise DataError("The trainer left no losses.", file=trained, rule="trainer_state.json")
    lines = [f"{e['step']}\t{e['loss']:.6f}\t{e.get('learning_rate', 0):.6g}" for e in entries]
    curve.parent.mkdir(parents=True, exist_ok=True)
    curve.write_text("\n".join(["step\tloss\tlearning_rate", *lines, ""]), encoding="utf-8")
    return [(entry["step"], float(entry["loss"])) for entry in entries]
