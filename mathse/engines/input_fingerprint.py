"""The fingerprint of prompts and pixels, and `mathse.json`, which keeps it beside the weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathse.core.errors import DataError
from mathse.core.ids import content_id
from mathse.core.params import PixelLimits
from mathse.engines.open_image import PIXELS_VERSION
from mathse.prompts import PROMPTS_VERSION

RECORD = "mathse.json"


def fingerprint_of(processor: Any, limits: PixelLimits | None = None) -> str:
    """Return the fingerprint of everything that turns messages and images into inputs."""
    tokenizer = processor.tokenizer
    if tokenizer.is_fast:
        tokens = json.loads(tokenizer.backend_tokenizer.to_str())
        tokens.pop("padding", None)
        tokens.pop("truncation", None)
    else:
        tokens = dict(tokenizer.get_vocab())
    image_processor = getattr(processor, "image_processor", None)
    parts = [
        PIXELS_VERSION,
        PROMPTS_VERSION,
        type(processor).__name__,
        type(image_processor).__name__,
        processor.chat_template,
        tokens,
        tokenizer.special_tokens_map,
        {
            key: value
            for key, value in processor.to_dict().items()
            if key not in ("auto_map", "tokenizer")
        },
    ]
    if limits:
        parts.append(limits.model_dump())
    return content_id(json.dumps(parts, sort_keys=True, default=str))


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `mathse.json` beside the weights."""
    text = json.dumps(record, indent=2, sort_keys=True)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def read_record(model: str | Path) -> dict[str, Any] | None:
    """Return the content of `mathse.json`, or None for a model that MathSE did not train.

    Raises:
        DataError: if the file is no JSON object.
    """
    file = Path(model) / RECORD
    if not file.is_file():
        return None
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        record = None
    if not isinstance(record, dict):
        raise DataError(
            "The record beside the model is not a JSON object.",
            file=file,
            rule="mathse.json is what finetune wrote",
            fix="train the model again",
        )
    return record


def check_fingerprint(model: str | Path, input_fingerprint: str) -> None:
    """Refuse a model that was trained with other prompts or pixels than it would be served with.

    Raises:
        DataError: naming both fingerprints and what to do.
    """
    record = read_record(model)
    if record is None or record.get("input_fingerprint") == input_fingerprint:
        return
    raise DataError(
        f"This model was trained with input fingerprint {record.get('input_fingerprint')}; "
        f"prompts and pixels now have {input_fingerprint}. The prompts, the chat template, the "
        "tokenizer, the image processor or its back end have changed since.",
        file=Path(model) / RECORD,
        rule="a model is served with the prompts and pixels that it was trained with",
        fix="train it again (dvc repro), or go back to the prompts and library versions of then",
    )
