"""What a device computes in hardware, and whether the GPUs of this machine can be used."""

from __future__ import annotations

import torch

from mathse.core.errors import ParamError


def computes_bf16(device: str) -> bool:
    """Return True if a device of this type has bfloat16 instructions.

    A CPU without them computes bfloat16 in software, about ten times slower than float32; a GPU
    of before 2020 emulates it, and vLLM refuses it there.
    """
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def auto_dtype(device: str) -> torch.dtype:
    """Return bfloat16 where a device of this type computes it, else float32."""
    return torch.bfloat16 if computes_bf16(device) else torch.float32


def check_gpus() -> None:
    """Refuse to compute on the CPU where the machine has GPUs: a model may be far too large for it.

    Raises:
        ParamError: if this PyTorch sees no GPU.
    """
    if not torch.cuda.is_available():
        raise ParamError(
            f"This machine has a GPU, and PyTorch {torch.__version__} cannot use it.\n"
            "  fix: install a PyTorch for its driver, or set device: cpu in machine.yaml"
        )
