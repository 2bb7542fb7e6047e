"""Read an export as its trainer does; run by the Python of an environment that has the trainers.

    python read_export.py FORM FOLDER MODEL OUT FLAGS

FLAGS is JSON: those by which we keep LLaMA-Factory from scaling pictures, else they stay unused.
Writes to OUT, as JSON, what each example gives the trainer: its messages, and of each picture the
size and a hash of the RGB pixels. For TRL also the tensors that its collator makes.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any


def describe(image: Any) -> list[Any]:
    """Return width, height and a hash of the pixels of a picture."""
    pixels = image.convert("RGB")
    return [pixels.width, pixels.height, hashlib.sha256(pixels.tobytes()).hexdigest()]


def read_llama_factory(folder: Path, model: str, flags: dict[str, int]) -> list[dict[str, Any]]:
    """Load through dataset_info.json, align, check the tags and open the pictures."""
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.mm_plugin import get_mm_plugin
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    (attr,) = get_dataset_list(["mathse"], str(folder))
    arguments = DataArguments(dataset="mathse", dataset_dir=str(folder), media_dir=str(folder))
    training = Seq2SeqTrainingArguments(output_dir=str(folder / "none"), use_cpu=True)
    model_arguments = ModelArguments(model_name_or_path=model, **flags)
    rows = _load_single_dataset(attr, model_arguments, arguments, training)
    plugin = get_mm_plugin("base", image_token="<image>")
    found = []
    for row in rows:
        messages, images = [*row["_prompt"], *row["_response"]], row["_images"] or []
        plugin._validate_messages(messages, images, [], [])
        limits = {name: getattr(model_arguments, name) for name in flags}
        opened = plugin._regularize_images(images, **limits)["images"]
        found.append({"messages": messages, "images": [describe(image) for image in opened]})
    return found


def read_ms_swift(folder: Path, model: str, flags: dict[str, int]) -> list[dict[str, Any]]:
    """Load train.jsonl as `swift sft --dataset` does, and open the pictures."""
    from swift.dataset import load_dataset
    from swift.template import StdTemplateInputs, Template

    os.chdir(folder)
    rows, _ = load_dataset(str(folder / "train.jsonl"), strict=True, load_from_cache_file=False)
    found = []
    for row in rows:
        inputs = StdTemplateInputs.from_dict(dict(row))
        tags = sum(one["content"].count("<image>") for one in inputs.messages)
        assert tags == len(inputs.images), f"{tags} tags, {len(inputs.images)} images"
        images = [describe(Template._load_image(image, True)) for image in inputs.images]
        found.append({"messages": inputs.messages, "images": images})
    return found


def read_trl(folder: Path, model: str, flags: dict[str, int]) -> list[dict[str, Any]]:
    """Load the folder, and collate each row as SFTTrainer does."""
    from datasets import load_dataset
    from transformers import AutoProcessor
    from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

    collate = DataCollatorForVisionLanguageModeling(
        AutoProcessor.from_pretrained(model), max_length=None, completion_only_loss=True
    )
    found = []
    for row in load_dataset(str(folder), split="train"):
        messages, images = [*row["prompt"], *row["completion"]], row["images"]
        described = [describe(image) for image in images]
        batch = collate([dict(row)])
        pixels = batch["pixel_values"].tolist() if images else None
        found.append({"messages": messages, "images": described, "pixel_values": pixels})
        found[-1]["trained"] = (batch["labels"] != -100).sum().item()
    return found


READERS = {"llama-factory": read_llama_factory, "ms-swift": read_ms_swift, "trl": read_trl}

if __name__ == "__main__":
    form, folder, model, out, flags = sys.argv[1:]
    rows = READERS[form](Path(folder), model, json.loads(flags))
    Path(out).write_text(json.dumps(rows), encoding="utf-8")
