"""Memory: what a long training scatters on the host, and what to do where a GPU has too little."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.distributed.checkpoint.api import CheckpointException

from mathse.core.errors import MathseError
from mathse.core.params import Training

RELEASE_EVERY_STEPS = 20


def release_memory() -> None:
    """Give free pages of the C library's heap back to the system, where it can (glibc).

    Batches of ever other sizes break the heap up: without this it grows with the steps.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@contextmanager
def memory_named(doing: str, fix: str) -> Iterator[None]:
    """Turn an out-of-memory error of a GPU into one that says when it came and what to do.

    Raises:
        MathseError: instead of the error.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        reason = ". ".join(str(error).split(". ")[:3])  # what was asked for, and what was free
        raise MathseError(f"Out of GPU memory {doing}: {reason}\n  fix: {fix}") from error


def less_memory(config: Training, micro: int, saved: int) -> str:
    """Return what to change where memory is short.

    Args:
        config: of the run.
        micro: rows that go through the model at once.
        saved: step of the last checkpoint, or 0.
    """
    ways = []
    if config.micro_batch_tokens:
        ways.append(f"lower micro_batch_tokens ({config.micro_batch_tokens})")
    elif micro > 1:
        ways.append(f"lower micro_batch_size ({micro})")
    if not config.activation_checkpointing:
        ways.append("set activation_checkpointing: true")
    if config.sharding == "none":
        ways.append("set sharding: full where several GPUs train")
    else:
        ways.append("take more GPUs (launcher in machine.yaml)")
    kept = f"; the checkpoint of step {saved} is used again for the same rows and model"
    but = ", but not after a change of sharding in bf16" if config.sharding == "none" else ""
    return " or ".join(ways) + (kept + but if saved else "")


def find_out_of_memory(error: BaseException) -> torch.OutOfMemoryError | None:
    """Return an out-of-memory error: this one, or one that a checkpoint's writer caught."""
    failures = error.failures.values() if isinstance(error, CheckpointException) else ()
    found = [error, *(failure for failure, _ in failures)]
    return next((one for one in found if isinstance(one, torch.OutOfMemoryError)), None)
