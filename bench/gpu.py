"""What one GPU does with mathse, within 12 minutes: `python -m bench.gpu` (bench/results/gpu.json).

A random model of a true class (Qwen2-VL of 0.1 or 1.3 billion parameters, nothing is downloaded)
writes text with mathse's engine and with plain `generate`, and is trained: in full, with adapters,
and sharded on one rank. Tokens a second, peak memory, and the share of the rate of a large matrix
product. What cannot run is named with the reason; each part is written as soon as it has run.

Besides torch, transformers, accelerate and torchvision this needs pydantic. Packages for tables and
grammars, which no part uses, may be missing: a stand-in takes their place. Adapters need peft.
"""

from __future__ import annotations

import io
import json
import random
import runpy
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import MagicMock

import typer

from bench.common import ROOT, is_installed, save
from bench.gpu_model import SIDE, WORDS, build_model

Found = dict[str, Any]
UNUSED = ("polars", "pandera", "pandera.polars", "llguidance", "llguidance.hf", "schemas")
PACKAGES = ("torch", "transformers", "accelerate", "torchvision", "peft")


@dataclass(frozen=True)
class Work:
    """How much is done, with which model."""

    model: Path
    device: str
    prompts: int = 512
    prompt_words: int = 30
    max_new_tokens: int = 128
    rows: int = 256
    steps: int = 20
    batch_size: int = 32
    side: int = SIDE


class Pictures:
    """Random pictures by their numbers, in place of an `ImageStore`."""

    def __init__(self, side: int) -> None:
        from mathse.core.params import PixelLimits

        self.side, self.pixels = side, PixelLimits()
        self._made: dict[str, bytes] = {}

    def get(self, image_id: str) -> bytes:
        """Return a PNG, made once: on an H200 the making of it took longer than all the rest."""
        if image_id not in self._made:
            self._made[image_id] = self._make(image_id)
        return self._made[image_id]

    def _make(self, image_id: str) -> bytes:
        from PIL import Image

        draw, file = random.Random(image_id), io.BytesIO()
        small = Image.frombytes("RGB", (8, 8), draw.randbytes(192))
        small.resize((self.side, self.side)).save(file, "PNG")
        return file.getvalue()


def stand_in() -> None:
    """Put something in the place of packages that no part uses, where they are missing."""
    missing = {name for name in ("polars", "pandera", "llguidance") if find_spec(name) is None}
    if missing & {"polars", "pandera"}:
        missing |= {"polars", "pandera", "schemas"}
    for name in UNUSED:
        if name.split(".")[0] in missing:
            module = MagicMock(name=name)
            module.__spec__ = ModuleSpec(name, None)  # for libraries that ask what is installed
            sys.modules[name] = module
    if "schemas" in missing:  # its lists of values need no package
        for name, value in runpy.run_path(str(ROOT / "schemas/enums.py")).items():
            if not name.startswith("_"):
                setattr(sys.modules["schemas"], name, value)


def questions(work: Work, count: int) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return picture ids and chats, longest first."""
    draw, made = random.Random(0), []
    for number in range(count):
        words = draw.choices(WORDS, k=draw.randint(work.prompt_words // 2, work.prompt_words))
        parts = [{"type": "image"}, {"type": "text", "text": " ".join(words)}]
        made.append((str(number), [{"role": "user", "content": parts}]))
    return sorted(made, key=lambda one: -len(one[1][0]["content"][1]["text"]))


def timed(work: Work, compute: Callable[[], Any]) -> tuple[float, Any, Found]:
    """Return the seconds of a computation on the device, its result, and the peak memory."""
    import torch

    on_gpu = work.device != "cpu"
    if on_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    result = compute()
    if on_gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    peak = {"peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2)} if on_gpu else {}
    return seconds, result, peak


def matrix(work: Work) -> Found:
    """Measure the product of large square matrices, TFLOP/s."""
    import torch

    size, found = 8192 if work.device != "cpu" else 256, {}
    for dtype in (torch.bfloat16, torch.float32):
        one = torch.randn(size, size, dtype=dtype, device=work.device)
        runs = [timed(work, lambda one=one: one @ one)[0] for _ in range(10)]
        found[str(dtype).removeprefix("torch.")] = round(2 * size**3 / min(runs) / 1e12, 3)
    return {"tflops": found, "size": size}


def generation(work: Work, batch_size: int, plain: bool) -> Found:
    """Write text with mathse's engine, or with `generate` in batches."""
    from mathse.engines.protocol import Request, SamplingParams, complete_all

    asked, pictures = questions(work, work.prompts), Pictures(work.side)
    if plain:
        seconds, (texts, prompt, written), peak = generate(work, asked, pictures, batch_size)
    else:
        from mathse.engines.transformers_engine import TransformersEngine

        store: Any = pictures
        dtype: Any = "bfloat16" if work.device != "cpu" else "float32"
        engine = TransformersEngine(
            work.model, images=store, batch_size=batch_size, dtype=dtype, device=work.device
        )
        sampling = SamplingParams(0.0, 1.0, work.max_new_tokens)
        requests = [Request(name, chat, (name,), sampling=sampling) for name, chat in asked]
        complete_all(engine, requests[:2])
        seconds, done, peak = timed(work, lambda: complete_all(engine, requests))
        if errors := [one.error for one in done if one.error]:
            return {"not_run": f"{len(errors)} of {len(done)} requests failed: {errors[0]}"}
        engine.close()
        texts = [one.text for one in done]
        prompt, written = (
            sum(one.prompt_tokens for one in done),
            sum(one.response_tokens for one in done),
        )
    found = {"seconds": round(seconds, 2), "prompt_tokens": prompt, "tokens": written, **peak}
    found |= {"tokens_per_s": round(written / seconds, 1), "texts": texts}
    return found | {"tflop": flops(work, prompt, written, len(texts)) / 1e12}


def generate(
    work: Work, asked: Sequence[Any], pictures: Pictures, batch_size: int
) -> tuple[float, tuple[list[str], int, int], Found]:
    """Write text as plain code does: padded on the left, greedy."""
    import torch
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    loaders: tuple[Any, Any] = AutoProcessor, AutoModelForImageTextToText
    processor = loaders[0].from_pretrained(work.model)
    dtype = torch.bfloat16 if work.device != "cpu" else torch.float32
    model = loaders[1].from_pretrained(work.model, dtype=dtype).to(work.device).eval()
    stop = processor.tokenizer.eos_token_id

    def run(part: Sequence[Any], tokens: int) -> tuple[list[str], int, int]:
        texts, prompt, count = [], 0, 0
        for first in range(0, len(part), batch_size):
            rows = part[first : first + batch_size]
            batch = processor(
                text=[
                    processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
                    for _, chat in rows
                ],
                images=[[Image.open(io.BytesIO(pictures.get(name)))] for name, _ in rows],
                padding=True,
                padding_side="left",
                return_tensors="pt",
            ).to(work.device, dtype)
            with torch.inference_mode():
                made = model.generate(**batch, do_sample=False, max_new_tokens=tokens)
            new = made[:, batch["input_ids"].shape[1] :]
            ended = (new == stop).int()
            count += int((ended.cumsum(dim=1) - ended == 0).sum())
            prompt += int(batch["attention_mask"].sum())
            texts += processor.batch_decode(new, skip_special_tokens=True)
        return texts, prompt, count

    run(asked[:2], 2)
    return timed(work, lambda: run(asked, work.max_new_tokens))


def flops(work: Work, prompt: int, written: int, rows: int) -> float:
    """Return the operations of generation, from the mean lengths of the rows."""
    from mathse.planning.formulas import forward_flops
    from mathse.planning.shapes import find_shape

    shape = find_shape(str(work.model))
    assert shape is not None
    picture = shape.picture_tokens(work.side**2)
    return rows * forward_flops(shape, prompt / rows - picture, picture, written / rows)


def examples(work: Work) -> list[Any]:
    """Return rows to train on."""
    from mathse.training.examples import Example

    asked = questions(work, work.rows)
    return [Example(name, chat, (name,), "It is so. " * 20) for name, chat in asked]


def config(work: Work, **given: Any) -> Any:
    """Return the settings of a training."""
    from mathse.core.params import Training

    values = {"learning_rate": 1e-4, "warmup_ratio": 0.1, "weight_decay": 0.0, "max_tokens": 2048}
    values |= {"batch_size": work.batch_size, "steps": work.steps}
    precision = "bf16" if work.device != "cpu" else "fp32"
    return Training.model_validate(values | {"precision": precision} | given)


def training(work: Work, scratch: Path, **given: Any) -> Found:
    """Train with mathse's loop; figures are medians over the steps after the first three."""
    from statistics import median

    from mathse.training.train_loop import LOG, finetune

    folder, store = scratch / "-".join(["train", *map(str, given.values())]), Pictures(work.side)
    images: Any = store
    seconds, report, peak = timed(
        work,
        lambda: finetune(
            examples(work),
            init=work.model,
            out=folder / "model",
            config=config(work, **given),
            seed=0,
            images=images,
            checkpoints=folder / "kept",
            curve=folder / "curve.tsv",
            save_every_steps=10**9,  # keeps the log
            cpu=work.device == "cpu",
            peak_tflops="measured",
        ),
    )
    lines = (folder / "kept" / LOG).read_text(encoding="utf-8").splitlines()
    log = [json.loads(line) for line in lines][min(3, work.steps - 1) :]
    found = {name: median(line[name] for line in log) for name in ("tokens_per_s", "mfu")}
    return found | peak | {"whole_s": round(seconds, 1), "final_loss": report.final_loss}


def sharded(work: Work, scratch: Path) -> Found:
    """Train with `fully_shard` on one rank, by mathse's own step."""
    import torch
    from torch import distributed

    from mathse.engines.inputs import InputBuilder
    from mathse.training.batches import make_batch
    from mathse.training.examples import Row, make_row
    from mathse.training.sharding import shard, start_accelerator
    from mathse.training.step import train_step
    from mathse.training.training_log import flops_per_token, matrix_tflops
    from mathse.training.weights import load_model, parameter_groups

    url, on_gpu = f"file://{scratch / 'rendezvous'}", work.device != "cpu"
    distributed.init_process_group(
        "nccl" if on_gpu else "gloo", init_method=url, rank=0, world_size=1
    )
    try:
        settings, images = config(work), Pictures(work.side)
        store: Any = images
        accelerator, bf16 = start_accelerator(settings, not on_gpu)
        model = load_model(str(work.model), settings, accelerator, False).to(accelerator.device)
        weights = flops_per_token(model)
        model = shard(model, accelerator, bf16)
        groups = parameter_groups(model, settings)
        optimizer = torch.optim.AdamW(groups, lr=1e-4, fused=on_gpu)
        dtype = torch.bfloat16 if bf16 else torch.float32
        builder = InputBuilder.load(work.model, store, check=False, dtype=dtype)
        made = [make_row(one, builder, 2048) for one in examples(work)[: work.batch_size]]
        rows = [row for row in made if isinstance(row, Row)]
        batch = make_batch(rows, builder)

        def step() -> Any:
            return train_step(model, optimizer, accelerator, [batch], 1.0, True)

        step()
        runs = [timed(work, step) for _ in range(max(1, work.steps - 1))]
        best = sorted(run[0] for run in runs)[len(runs) // 2]
        rate = sum(row.tokens for row in rows) / best
        share = rate * weights / (matrix_tflops(accelerator) * 1e12)
        found = {"tokens_per_s": round(rate, 1), "mfu": round(share, 4), **runs[-1][2]}
        return found | {"final_loss": runs[-1][1][0]}
    finally:
        distributed.destroy_process_group()


def measure_all(work: Work, scratch: Path, deadline: float, done: Callable[[Found], Any]) -> Found:
    """Run each part until the deadline; hand on what there is after each."""
    parts: dict[str, Callable[[], Found]] = {
        "matrix": partial(matrix, work),
        "training full": partial(training, work, scratch, method="full"),
        "training lora": partial(training, work, scratch, method="lora"),
        "training sharded on one rank": partial(sharded, work, scratch),
        "generation ours 256": partial(generation, work, 256, False),
        "generation generate-256": partial(generation, work, 256, True),
        "generation ours 16": partial(generation, work, 16, False),
        "generation generate-16": partial(generation, work, 16, True),
    }
    results: Found = {}
    texts: list[str] = []
    for name, part in parts.items():
        if time.monotonic() > deadline:
            results[name] = {"not_run": "no time was left"}
            continue
        try:
            found = part()
        except Exception as error:  # one part that fails must not take the others with it
            found = {"not_run": f"{type(error).__name__}: {error}"[:500]}
        written = found.pop("texts", [])
        texts = texts or written
        if written:
            same = sum(a.strip() == b.strip() for a, b in zip(written, texts, strict=True))
            found |= {"identical_to_the_first": same, "texts": len(written)}
        if "tflop" in found and "tflops" in results["matrix"]:
            name_of = "float32" if work.device == "cpu" else "bfloat16"
            rate = found["tflop"] / found["seconds"]
            found["of_peak"] = round(rate / results["matrix"]["tflops"][name_of], 4)
        results[name] = found
        typer.echo(f"{name}: {json.dumps(found)}")
        done(results)
    return results


def main(
    size: Annotated[str, typer.Option(help="100m or 1b parameters")] = "100m",
    model: Annotated[Path | None, typer.Option(help="a folder, in place of a random one")] = None,
    minutes: Annotated[float, typer.Option(help="no part begins after nine tenths of it")] = 12,
    prompts: int = 512,
    steps: int = 20,
    batch_size: int = 32,
    device: str = "cuda",
) -> None:
    """Measure one GPU."""
    deadline = time.monotonic() + 54 * minutes
    stand_in()
    import torch

    if device != "cpu" and not torch.cuda.is_available():
        raise SystemExit("There is no GPU here; --device cpu tries the parts on the CPU.")
    gpu = torch.cuda.get_device_name() if device != "cpu" else "none"
    scratch = Path(tempfile.mkdtemp())
    try:
        folder = model or build_model(scratch / "model", size)
        work = Work(folder, device, prompts=prompts, steps=steps, batch_size=batch_size)
        what = {"gpu": gpu, "model": str(model) if model else f"random Qwen2-VL, {size}"}
        what |= {"prompts": prompts, "steps": steps, "batch_size": batch_size}
        versions = tuple(name for name in PACKAGES if is_installed(name))
        measure_all(work, scratch, deadline, lambda found: save("gpu", what | found, versions))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    typer.run(main)
