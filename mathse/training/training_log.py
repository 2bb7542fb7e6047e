"""What a run shows of itself: a line of figures for each step, and the loss curve at its end."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, TextIO

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]

from mathse.core.params import TrainConfig
from mathse.training.checkpoints import writing
from mathse.training.step import rate_share

CURVE_EVERY_STEPS = 10


class TrainingLog:
    """Write one JSON line per step: loss, gradient norm, learning rate, tokens/s and MFU.

    MFU (model FLOPs utilization) is the share of the peak that goes into the matrices of the
    language model. The vision part, attention scores, the output layer and what is computed again
    do not count, so it is a lower bound.

    Args:
        file: where the lines go.
        start: steps that were done before; the lines of these are kept.
        model: the model that is trained.
        accelerator: of the run.
        peak_tflops: of one process's device; "measured": the rate of a large matrix product here;
            None: no MFU.
    """

    def __init__(
        self,
        file: Path,
        start: int,
        model: Any,
        accelerator: Accelerator,
        peak_tflops: float | Literal["measured"] | None,
    ) -> None:
        if peak_tflops == "measured":
            peak_tflops = matrix_tflops(accelerator)
        self._peak = peak_tflops and peak_tflops * 1e12 * accelerator.num_processes
        self._flops_per_token = flops_per_token(accelerator.unwrap_model(model))
        self._file: TextIO | None = None
        self._path = file
        if accelerator.is_main_process:
            # A run that was killed may have logged steps after its last checkpoint.
            kept = _lines_until(file, start)
            with writing(file):
                self._file = file.open("w", encoding="utf-8")
                self._file.writelines(kept)
        self._start_s = time.monotonic()

    def write(self, step: int, tokens: int, **figures: float) -> None:
        """Append a line on the main process.

        Args:
            step: how many steps are done.
            tokens: of the step over all processes, padding not counted.
            figures: loss, gradient norm and learning rate.
        """
        if self._file is None:
            return
        now_s = time.monotonic()
        rate, self._start_s = tokens / (now_s - self._start_s), now_s
        line = {"step": step, **figures, "tokens": tokens, "tokens_per_s": round(rate, 1)}
        if self._peak:
            line["mfu"] = round(rate * self._flops_per_token / self._peak, 4)
        with writing(self._path):
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def _lines_until(file: Path, step: int) -> list[str]:
    """Return the lines of the first steps of a log; a broken one and what follows are dropped."""
    kept = list[str]()
    for line in file.read_text(encoding="utf-8").splitlines() if step and file.is_file() else ():
        try:
            if not 0 < int(json.loads(line)["step"]) <= step:
                break
        except (ValueError, LookupError, TypeError):
            break
        kept.append(line + "\n")
    return kept


def flops_per_token(model: Any) -> float:
    """Return the operations that a token costs in the language model's matrices.

    Two per weight forward, two for the gradient of what goes in, two for that of a trained weight.
    """
    decoder = model.get_decoder()
    vocabulary = set(map(id, decoder.get_input_embeddings().parameters()))
    matrices = [p for p in decoder.parameters() if p.dim() >= 2 and id(p) not in vocabulary]
    trained = sum(p.numel() for p in matrices if p.requires_grad)
    return float(4 * sum(p.numel() for p in matrices) + 2 * trained)


def matrix_tflops(accelerator: Accelerator, size: int | None = None) -> float:
    """Measure the rate of a product of two square matrices in the run's precision."""
    on_cpu = accelerator.device.type == "cpu"
    size = size or (1024 if on_cpu else 8192)
    dtype = torch.bfloat16 if accelerator.mixed_precision == "bf16" else torch.float32
    matrix = torch.ones(size, size, dtype=dtype, device=accelerator.device)
    best_s = float("inf")
    for _ in range(5):
        start_s = time.perf_counter()
        float((matrix @ matrix)[0, 0])  # waits for the device
        best_s = min(best_s, time.perf_counter() - start_s)
    return float(2 * size**3 / best_s / 1e12)


def write_curve(path: Path, losses: Sequence[float], config: TrainConfig) -> None:
    """Write a row for every `CURVE_EVERY_STEPS`: the mean loss since the row before."""
    lines = ["step\tloss\tlearning_rate"]
    for start in range(0, len(losses), CURVE_EVERY_STEPS):
        part = losses[start : start + CURVE_EVERY_STEPS]
        end = start + len(part)
        rate = config.learning_rate * rate_share(end - 1, len(losses), config.warmup_ratio)
        lines.append(f"{end}\t{sum(part) / len(part):.6f}\t{rate:.6g}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
