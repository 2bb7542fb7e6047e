"""Pre-train the embedded base model: `python -m recipes.tiny_base.pretrain models/tiny-base`.

The loop is resumable: a checkpoint is written every few hundred steps, and samples depend on seed
and step alone. `--tasks teacher` trains the embedded teacher (`recipes.tiny_teacher`).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from transformers import AutoProcessor, Idefics3Config, Idefics3ForConditionalGeneration

from mathse.figures.canvas import MARKS, SIZE
from mathse.training.memory import RELEASE_EVERY_STEPS, release_memory
from recipes.tiny_base import tasks as base_tasks
from recipes.tiny_base.tasks import Sample
from recipes.tiny_base.tokenizer import (
    ASSISTANT,
    CONTRAST,
    END,
    FAKE,
    GLOBAL,
    IMAGE,
    IMAGE_TOKENS,
    PAD,
    PAPER,
    USER,
    train,
)
from recipes.tiny_teacher import tasks as teacher_tasks

IGNORED = -100
PATCH = 14
PATCHES = (SIZE // PATCH) ** 2
TASKS = {"base": base_tasks, "teacher": teacher_tasks}
GLYPHS = "0123456789?xyabnkABCDEPQ+*=-pecuhtgf" + "".join(MARKS.values())
"""Characters and marks that the extra head tells apart; others count as none."""


def build_model(tokenizer: Any, seed: int) -> Idefics3ForConditionalGeneration:
    """Return the model with random weights: about 2M parameters."""
    torch.manual_seed(seed)
    # The model's config names the special tokens by their ids.
    ids = {
        name: tokenizer.convert_tokens_to_ids(token)
        for name, token in {"pad": PAD, "bos": USER, "eos": END, "image": IMAGE}.items()
    }
    # With scale_factor 2 four patches become one image token.
    config = Idefics3Config(
        vision_config={
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 4,
            "num_attention_heads": 4,
            "image_size": SIZE,
            "patch_size": 14,
        },
        text_config={
            "model_type": "llama",
            "hidden_size": 128,
            "intermediate_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 2048,
            "tie_word_embeddings": True,
            "pad_token_id": ids["pad"],
            "bos_token_id": ids["bos"],
            "eos_token_id": ids["eos"],
        },
        scale_factor=2,
        image_token_id=ids["image"],
        pad_token_id=ids["pad"],
        tie_word_embeddings=True,
        bos_token_id=ids["bos"],
        eos_token_id=ids["eos"],
    )
    model = Idefics3ForConditionalGeneration(config)
    model.generation_config.pad_token_id = ids["pad"]
    model.generation_config.bos_token_id = ids["bos"]
    model.generation_config.eos_token_id = ids["eos"]
    return model


class Steps(Dataset[list[dict[str, torch.Tensor]]]):
    """Training batches by step number, each in parts of `micro` samples of like length."""

    def __init__(self, processor: Any, tasks: str, seed: int, size: int, micro: int) -> None:
        self.processor, self.tasks, self.seed = processor, tasks, seed
        self.size, self.micro = size, micro

    def __len__(self) -> int:
        """Return a number of steps that no run reaches."""
        return 10**9

    def __getitem__(self, step: int) -> list[dict[str, torch.Tensor]]:
        """Return the parts of a step's batch."""
        samples = TASKS[self.tasks].batch(self.seed, step, self.size)
        samples.sort(key=lambda sample: len(sample.prompt) + len(sample.answer))
        parts = range(0, len(samples), self.micro)
        return [collate(self.processor, samples[at : at + self.micro]) for at in parts]


def collate(processor: Any, samples: list[Sample]) -> dict[str, torch.Tensor]:
    """Return `input_ids`, `attention_mask`, `labels` (B, T), `pixels` (B, H, W, 3) of one kind.

    It does quickly what the processor does; `tests/recipes/test_recipe.py` compares the two.
    """
    tokenizer = processor.tokenizer
    shown = f"{FAKE}{GLOBAL}{IMAGE * IMAGE_TOKENS}{FAKE}"
    prompts, answers, pixels = [], [], []
    for sample in samples:
        figure = shown if sample.png else ""
        prompts.append(f"{USER}{figure}{sample.prompt}{END}{ASSISTANT}")
        answers.append(f"{sample.answer}{END}")
        if sample.png:
            pixels.append(np.asarray(Image.open(io.BytesIO(sample.png)).convert("RGB")))
    before = tokenizer(prompts, add_special_tokens=False)["input_ids"]
    after = tokenizer(answers, add_special_tokens=False)["input_ids"]
    length = max(len(b) + len(a) for b, a in zip(before, after, strict=True))
    length += -length % 8  # few distinct shapes: every new one costs the CPU kernels a compilation
    ids = torch.full((len(samples), length), tokenizer.pad_token_id)
    labels = torch.full((len(samples), length), IGNORED)
    mask = torch.zeros((len(samples), length), dtype=torch.long)
    for row, (b, a) in enumerate(zip(before, after, strict=True)):
        ids[row, : len(b) + len(a)] = torch.tensor(b + a)
        labels[row, len(b) : len(b) + len(a)] = torch.tensor(a)
        mask[row, : len(b) + len(a)] = 1
    result = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    if pixels:
        result["pixels"] = torch.from_numpy(np.stack(pixels))
        result["glyphs"] = torch.from_numpy(
            np.stack([glyph_grid(sample) for sample in samples if sample.png])
        )
    return result


def glyph_grid(sample: Sample) -> np.ndarray:
    """Return the two leftmost characters with their centre in each patch: (PATCHES, 2), 0: none."""
    grid = np.zeros((PATCHES, 2), dtype=np.int64)
    for character, x, y in sorted(sample.glyphs, key=lambda glyph: glyph[1]):
        column, row = int(x // PATCH), int(y // PATCH)
        patch = row * (SIZE // PATCH) + column
        free = int(grid[patch, 0] != 0)
        if grid[patch, free] == 0:
            grid[patch, free] = GLYPHS.find(character) + 1
    return grid


class GlyphReader(torch.nn.Module):
    """An auxiliary head, dropped in the end, that reads each patch's characters.

    The language loss trains one digit at a time; this one trains all digits of a figure at once.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.head = torch.nn.Linear(model.config.vision_config.hidden_size, 2 * (len(GLYPHS) + 1))
        self.seen: torch.Tensor | None = None
        model.model.vision_model.register_forward_hook(self._keep)

    def _keep(self, module: Any, inputs: Any, output: Any) -> None:
        self.seen = output.last_hidden_state

    def loss(self, glyphs_BPC: torch.Tensor) -> torch.Tensor:
        """Return the cross-entropy over patches; patches without characters count little."""
        assert self.seen is not None
        logits = self.head(self.seen.float()).view(-1, len(GLYPHS) + 1)
        weight = torch.ones(len(GLYPHS) + 1, device=logits.device)
        weight[0] = 0.05
        return torch.nn.functional.cross_entropy(logits, glyphs_BPC.flatten(), weight=weight)


def to_inputs(arrays: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the model's arguments of a collated batch: pixels (B, 1, 3, H, W), paper near 0."""
    inputs = {key: value for key, value in arrays.items() if key not in ("pixels", "glyphs")}
    if "pixels" in arrays:
        values = (arrays["pixels"].permute(0, 3, 1, 2).float() / 255 - PAPER) / CONTRAST
        inputs["pixel_values"] = values[:, None]
        inputs["pixel_attention_mask"] = torch.ones(
            len(values), 1, SIZE, SIZE, dtype=torch.bool, device=values.device
        )
    return inputs


def learn(
    model: Any, reader: GlyphReader, parts: Sequence[dict[str, torch.Tensor]], device: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add the gradients of a step's parts; return their language loss and glyph loss.

    The language loss is the mean over all tokens of the step, however it is divided.
    """
    counts = [int((part["labels"] != IGNORED).sum()) for part in parts]
    loss, extra = torch.zeros((), device=device), torch.zeros((), device=device)
    for part, count in zip(parts, counts, strict=True):
        arrays = {key: array.to(device, non_blocking=True) for key, array in part.items()}
        with torch.autocast(device, dtype=torch.bfloat16):
            learned = model(**to_inputs(arrays)).loss * (count / sum(counts))
        seen = reader.loss(arrays["glyphs"]) / len(parts) if "glyphs" in arrays else 0.0 * learned
        (learned + seen).backward()
        loss, extra = loss + learned.detach(), extra + seen.detach()
    return loss, extra


def optimizers(model: torch.nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    """Return AdamW for embeddings, heads and vectors, and Muon for the matrices in the layers."""
    matrices, rest = [], []
    for name, parameter in model.named_parameters():
        inner = parameter.ndim == 2 and "embed" not in name and "lm_head" not in name
        (matrices if inner else rest).append(parameter)
    return [
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True),
        torch.optim.Muon(matrices, lr=rate, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
    ]


def rate_at(step: int, cycles: Sequence[int], warm_up: int, decay: float) -> float:
    """Return the share of the full learning rate at a step.

    Each cycle, given by the step at which it ends, has a warm-up, a plateau, and a linear fall over
    its last `decay`.
    """
    end = next(end for end in cycles if step < end)
    start = max((earlier for earlier in cycles if earlier <= step), default=0)
    return min(1.0, (step - start + 1) / warm_up, (end - step) / max(1.0, (end - start) * decay))


def main() -> None:
    """Run or resume the pre-training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument(
        "--work", type=Path, default=Path(".mathse/tiny-base"), help="checkpoints and log"
    )
    parser.add_argument(
        "--cycles",
        type=int,
        nargs="+",
        default=[4600, 9000, 17000, 18900, 20700, 24000, 26400, 27800],
        help="steps at which each cycle ends",
    )
    parser.add_argument(
        "--start", type=Path, default=None, help="a base to go on from, at the step of --first"
    )
    parser.add_argument("--first", type=int, default=0, help="the step that --start has behind it")
    parser.add_argument("--tasks", choices=[*TASKS], default="base")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw samples")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--micro", type=int, default=None, help="samples at once; default: all")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--decay", type=float, default=0.35)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=500)
    parser.add_argument(
        "--stop-after", type=int, default=None, help="stop at this step, for experiments"
    )
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    args.out.mkdir(parents=True, exist_ok=True)
    # A base to go on from, or a new model.
    if args.start:
        processor = AutoProcessor.from_pretrained(args.start)
        processor.save_pretrained(args.out)
        model = Idefics3ForConditionalGeneration.from_pretrained(args.start, dtype=torch.float32)
    else:
        if not (args.out / "tokenizer.json").exists():
            train(args.out, seed=args.seed)
        processor = AutoProcessor.from_pretrained(args.out)
        model = build_model(processor.tokenizer, args.seed)
    model.set_attn_implementation("eager" if args.device == "cpu" else "sdpa")
    model.to(args.device)
    reader = GlyphReader(model).to(args.device)
    found = optimizers(model, args.rate)
    found.append(torch.optim.AdamW(reader.parameters(), lr=args.rate, fused=True))
    # Go on from the last checkpoint: samples depend on seed and step alone.
    checkpoint = args.work / "checkpoint.pt"
    first = args.first
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True, map_location=args.device)
        model.load_state_dict(state["model"])
        reader.load_state_dict(state["reader"])
        for optimizer, saved in zip(found, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        first = state["step"]
    last = args.stop_after or args.cycles[-1]
    loader = DataLoader(
        Steps(processor, args.tasks, args.seed, args.batch, args.micro or 10**9),
        batch_size=None,
        sampler=range(first, last),
        num_workers=args.workers,
        prefetch_factor=8,
    )
    started = time.monotonic()
    losses: dict[str, list[Any]] = defaultdict(lambda: [0.0, 0])
    model.train()
    for step, parts in enumerate(loader, start=first):
        # One step. Figures also train the glyph reader, which the saved model does not have.
        share = rate_at(step, args.cycles, 200, args.decay)
        for optimizer in found:
            for group in optimizer.param_groups:
                group["lr"] = args.rate * share
        loss, extra = learn(model, reader, parts, args.device)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in found:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        # Mean losses by kind of task, summed without waiting for the device.
        tally = losses[TASKS[args.tasks].kind_of(step)]
        tally[0] += loss
        tally[1] += 1
        if "glyphs" in parts[0]:
            losses["glyphs"][0] += extra
            losses["glyphs"][1] += 1
        done = step + 1
        if done % RELEASE_EVERY_STEPS == 0:
            release_memory()
        if done % 100 == 0:
            row = {
                "step": done,
                **{kind: round(float(total) / n, 4) for kind, (total, n) in losses.items()},
                "rate": round(args.rate * share, 6),
                "seconds": round(time.monotonic() - started),
            }
            losses.clear()
            with (args.work / "log.jsonl").open("a") as log:
                log.write(json.dumps(row) + "\n")
            print(row, flush=True)
        # Replaced in one go: a kill leaves the old checkpoint or the new one.
        if done % args.save_every == 0 or done == last:
            state = {"model": model.state_dict(), "reader": reader.state_dict(), "step": done}
            state["optimizers"] = [optimizer.state_dict() for optimizer in found]
            torch.save(state, checkpoint.with_suffix(".new"))
            os.replace(checkpoint.with_suffix(".new"), checkpoint)
    model.set_attn_implementation("sdpa")
    model.to("cpu", torch.bfloat16).save_pretrained(args.out)


if __name__ == "__main__":
    main()
