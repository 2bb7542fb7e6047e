"""A model's files: its name, its content hash, and what is wrong with it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from mathse.core.errors import DataError, MathseError, ParamError
from mathse.core.ids import content_id, file_digest
from mathse.core.params import Role

_MODEL_SUFFIXES = (".safetensors", ".json", ".jinja", ".txt", ".model", ".tiktoken")
INSTALL_TORCHVISION = "pip install -c constraints.txt -e '.[vlm]'"
_NETWORK_HINT = (
    "Check the name and the network; with HF_HUB_OFFLINE=1 only models in the cache load."
)


def check_model_name(model: str | Path) -> None:
    """Refuse a name that is neither a model folder nor a Hub id, without asking the Hub.

    Raises:
        ParamError: naming the folder that is missing.
    """
    name = str(model)
    folder = Path(name)
    if folder.is_dir():
        return
    is_local = name.startswith((".", "/", "~")) or "\\" in name
    if is_local or name.count("/") != 1 or folder.parent.is_dir():
        raise ParamError(
            f"There is no model folder {name}, and a model of the Hub is named owner/name: "
            "correct the name in params.yaml, or run the stage that writes the folder"
        )


def load_files(role: Role) -> str:
    """Return the model of a role: of a Hub model with a revision, the folder of its files.

    Raises:
        ParamError: if there is no such model or revision.
    """
    model = str(role.model)
    if role.revision is None or Path(model).is_dir():
        return model
    from huggingface_hub import snapshot_download

    check_model_name(model)
    patterns = [f"*{suffix}" for suffix in (*_MODEL_SUFFIXES, ".py")]
    try:
        return snapshot_download(model, revision=role.revision, allow_patterns=patterns)
    except (OSError, ValueError) as error:
        raise unloadable(f"{model} at revision {role.revision}", error) from error


def unloadable(model: str | Path, error: Exception) -> MathseError:
    """Return the error for a model that a library cannot load, with the file where it is known."""
    folder, text = Path(model), str(error).strip() or type(error).__name__
    if "torchvision" in text.lower():
        return ParamError(
            f"{model} cannot be loaded without torchvision: {text.splitlines()[0]}\n"
            f"  fix: {INSTALL_TORCHVISION}"
        )
    if isinstance(error, ImportError):
        return ParamError(f"{model} cannot be loaded, for a library is missing: {text}")
    if not folder.is_dir():
        hint = f"\n{_NETWORK_HINT}" if isinstance(error, OSError) else ""
        return ParamError(f"{model} cannot be loaded from the Hub: {text}{hint}")
    damaged = next((file for file in _weights(folder) if not _is_whole(file)), folder)
    return DataError(
        f"This model cannot be loaded: {text.splitlines()[0]}",
        file=damaged,
        rule="a model folder is whole",
        fix="run the stage that writes it again, or copy the base model again",
    )


def needs_torchvision(role: Role) -> bool:
    """Return True if transformers prepares a model's input by torchvision alone, as for Qwen-VL.

    That is so for model types with a video processor. False for a model whose `config.json` does
    not load.
    """
    from transformers import PreTrainedConfig

    mapping = import_module("transformers.models.auto.video_processing_auto")
    try:
        check_model_name(str(role.model))
        config, _ = PreTrainedConfig.get_config_dict(str(role.model), revision=role.revision)
    except (ParamError, OSError, ValueError):
        return False
    return config.get("model_type") in mapping.VIDEO_PROCESSOR_MAPPING_NAMES


def model_digest(model: str | Path) -> str:
    """Return the content hash of a model: weights, configuration, tokenizer and processor files.

    For a model on the Hub it is the hash of its name and commit. Other files of a folder (a model
    card, a log) do not count.

    Raises:
        ParamError: if the folder holds no safetensors weights, or the Hub names no commit.
    """
    folder = Path(model)
    if not folder.is_dir():
        return content_id(str(model), _hub_commit(str(model)))
    if not _weights(folder):
        raise ParamError(f"{folder} holds no *.safetensors file: it is not a model folder")
    files = sorted(
        file for file in folder.iterdir() if file.is_file() and file.suffix in _MODEL_SUFFIXES
    )
    return content_id([[file.name, file_digest(file)] for file in files])


def _hub_commit(name: str) -> str:
    from transformers import AutoConfig

    check_model_name(name)
    commit = getattr(AutoConfig.from_pretrained(name), "_commit_hash", None)
    if not commit:
        raise ParamError(f"{name} is neither a folder nor a model of which the Hub names a commit")
    return str(commit)


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _is_whole(file: Path) -> bool:
    """Return True if a safetensors file has a header and the bytes that it names."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="numpy") as opened:
            return bool(list(opened.keys()))
    except (SafetensorError, OSError):
        return False
