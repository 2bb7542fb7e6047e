"""A model folder: its content hash, and `mathse.json`, which says by which contract it was trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id, file_digest

RECORD = "mathse.json"
_MODEL_SUFFIXES = (".safetensors", ".json", ".jinja", ".txt", ".model", ".tiktoken")


def model_digest(model: str | Path) -> str:
    """Return the content hash of a model: its weights, configuration, tokenizer and processor files.

    For a model on the Hub it is the hash of its name and commit. Other files of a folder (a model card, a recipe, a log)
    do not count.

    Raises:
        ParamError: if the folder holds no safetensors weights, or the Hub does not tell a commit.
    """
    folder = Path(model)
    if not folder.is_dir():
        return content_id(str(model), _hub_commit(str(model)))
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.suffix in _MODEL_SUFFIXES)
    if not any(file.suffix == ".safetensors" for file in files):
        raise ParamError(f"{folder} holds no *.safetensors file: it is not a model folder")
    return content_id([[file.name, file_digest(file)] for file in files])


def write_record(folder: Path, record: Mapping[str, Any]) -> None:
    """Write `mathse.json` beside the weights."""
    text = json.dumps(record, indent=2, sort_keys=True)
    (folder / RECORD).write_text(text + "\n", encoding="utf-8")


def read_record(model: str | Path) -> dict[str, Any] | None:
    """Return what `mathse.json` says, or None for a model that MathSE did not train.

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


def check_contract(model: str | Path, contract: str) -> None:
    """Refuse a model that was trained with other prompts or pixels than it would be served with now.

    Raises:
        DataError: telling both fingerprints and what to do.
    """
    record = read_record(model)
    if record is None or record.get("contract") == contract:
        return
    raise DataError(
        f"This model was trained by contract {record.get('contract')}; prompts and pixels now follow {contract}. "
        "The prompts, the chat template, the tokenizer, the image processor or its back end have changed since.",
        file=Path(model) / RECORD,
        rule="a model is served with the prompts and pixels that it was trained with",
        fix="train it again (dvc repro), or go back to the prompts and library versions that it was trained with",
    )


def _hub_commit(name: str) -> str:
    from transformers import AutoConfig

    commit = getattr(AutoConfig.from_pretrained(name), "_commit_hash", None)
    if not commit:
        raise ParamError(f"{name} is neither a folder nor a model whose commit the Hub tells")
    return str(commit)
