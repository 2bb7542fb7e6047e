"""Which precision a device computes in hardware."""

from __future__ import annotations

import torch


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
