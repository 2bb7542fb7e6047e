"""The content hash of a model."""

from __future__ import annotations

from pathlib import Path

from mathse.core.errors import ParamError
from mathse.core.ids import content_id, file_digest

_MODEL_SUFFIXES = (".safetensors", ".json", ".jinja", ".txt", ".model", ".tiktoken")


def model_digest(model: str | Path) -> str:
    """Return the content hash of a model: its weights, configuration, tokenizer and processor files.

    For a model on the Hub it is the hash of its name and commit. Other files of a folder (a model
    card, a log) do not count.

    Raises:
        ParamError: if the folder holds no safetensors weights, or the Hub does not tell a commit.
    """
    folder = Path(model)
    if not folder.is_dir():
        return content_id(str(model), _hub_commit(str(model)))
    files = sorted(
        file for file in folder.iterdir() if file.is_file() and file.suffix in _MODEL_SUFFIXES
    )
    if not any(file.suffix == ".safetensors" for file in files):
        raise ParamError(f"{folder} holds no *.safetensors file: it is not a model folder")
    return content_id([[file.name, file_digest(file)] for file in files])


def _hub_commit(name: str) -> str:
    from transformers import AutoConfig

    commit = getattr(AutoConfig.from_pretrained(name), "_commit_hash", None)
    if not commit:
        raise ParamError(f"{name} is neither a folder nor a model whose commit the Hub tells")
    return str(commit)
