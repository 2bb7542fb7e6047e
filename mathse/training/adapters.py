"""LoRA: small trained matrices beside frozen ones, and their sum once training has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mathse.core.errors import ParamError
from mathse.core.params import Lora

_BASE, _DOWN, _UP = ".base_layer.", ".lora_A.default.weight", ".lora_B.default.weight"


def add_adapters(model: Any, lora: Lora) -> None:
    """Put adapters beside the target matrices of a model. They change nothing at first.

    Raises:
        ParamError: if peft is not installed, or no module has such a name.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ParamError(
            f"method: lora needs the library peft ({error}): pip install -e '.[lora]'"
        ) from error
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
    )
    try:
        inject_adapter_in_model(config, model)
    except ValueError as error:
        raise ParamError(f"lora.targets: {error}") from error
    names = [name for name, _ in model.named_parameters() if ".lora_" in name]
    if others := [name for name in names if not is_adapter(name)]:
        raise ParamError(f"lora.targets: {others[0].split('.lora_')[0]} is no linear module")
    # A matrix that two modules share is written once: an adapter on one of them would be lost.
    adapted = {name.removesuffix(_UP) for name in names if name.endswith(_UP)}
    tied = {name for pair in model.all_tied_weights_keys.items() for name in pair}
    if shared := sorted(name for name in adapted if f"{name}.weight" in tied):
        raise ParamError(
            f"lora.targets: {shared[0]} shares its matrix with another module, so an adapter on it "
            "cannot be merged; name other modules"
        )


def is_adapter(name: str) -> bool:
    """Return True if a parameter of this name belongs to an adapter."""
    return name.endswith((_DOWN, _UP))


def merge_adapters(state: Mapping[str, Tensor], lora: Lora) -> dict[str, Tensor]:
    """Return a state under the names of the plain model, the adapters added to their matrices."""
    merged = {}
    for name, value in state.items():
        module = name.removesuffix(f"{_BASE}weight")
        if module + _UP in state:
            product = state[module + _UP].float() @ state[module + _DOWN].float()
            value = value.float() + lora.alpha / lora.rank * product
        if not is_adapter(name):
            merged[name.replace(_BASE, ".")] = value
    return merged
