"""Free memory between blocks goes back to the system; too little on a GPU is said in words."""

from __future__ import annotations

import subprocess
import sys
from traceback import StackSummary
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.api import CheckpointException

from mathse.core.errors import MathseError
from mathse.training import checkpoints, train_loop
from mathse.training.memory import less_memory
from tests.closure import ROOT
from tests.training.conftest import Fit
from tests.training.given import changed

# 40,000 blocks of 4 KiB, freed but for each hundredth: the heap cannot shrink from its end.
SCATTERED = """
import ctypes
from mathse.training.memory import release_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
def resident_mib():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1024
blocks = [libc.malloc(4096) for _ in range(40_000)]
for block in blocks:
    ctypes.memset(block, 1, 4096)
for number, block in enumerate(blocks):
    if number % 100:
        libc.free(block)
before = resident_mib()
release_memory()
print(before - resident_mib())
"""


def test_scattered_memory_is_released() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCATTERED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert float(done.stdout) > 100, done.stdout


SHORT = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.15 GiB of "
    "which 1.20 GiB is free. Including non-PyTorch memory, this process has 77.90 GiB in use."
)


def fail(error: BaseException, calls: int = 0) -> Any:
    """Return a function that raises an error after so many calls of `train_step`."""
    left, step = iter(range(calls)), train_loop.train_step

    def call(*args: Any, **more: Any) -> tuple[float, float]:
        if next(left, None) is None:
            raise error
        return step(*args, **more)

    return call


def test_a_step_without_memory_says_what_to_lower(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(MathseError) as error:
        patch.setattr(train_loop, "train_step", fail(SHORT, calls=3))
        fit(save_every_steps=2)
    first, fix = str(error.value).splitlines()
    assert first.startswith("Out of GPU memory in step 4, whose longest row has ")
    assert "Tried to allocate 2.00 GiB" in first and "non-PyTorch" not in first
    assert "lower micro_batch_size (4) or set activation_checkpointing: true" in fix
    assert "the checkpoint of step 2 is used again" in fix
    lower = changed(micro_batch_size=1, activation_checkpointing=True)
    assert fit(save_every_steps=2, config=lower).resumed_from == 2, "as was said"


WRAPPED = CheckpointException("write", {0: (SHORT, StackSummary())})


@pytest.mark.parametrize("error", [SHORT, WRAPPED], ids=["plain", "wrapped"])
def test_memory_short_for_a_checkpoint_is_no_full_disk(
    fit: Fit, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with monkeypatch.context() as patch, pytest.raises(MathseError) as raised:
        patch.setattr(checkpoints.state_dict_saver, "save", fail(error))
        fit(save_every_steps=2)
    assert "Out of GPU memory while the checkpoint of step 2 was written" in str(raised.value)
    assert "free space" not in str(raised.value)


def test_memory_short_at_a_checkpoint_does_not_ask_to_delete_it(
    fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(MathseError):
        patch.setattr(train_loop, "train_step", fail(SHORT, calls=3))
        fit(save_every_steps=2)
    with monkeypatch.context() as patch, pytest.raises(MathseError) as raised:
        patch.setattr(checkpoints.state_dict_loader, "load", fail(SHORT))
        fit(save_every_steps=2)
    assert "Out of GPU memory while the checkpoint was read" in str(raised.value)
    assert "delete" not in str(raised.value)


def test_memory_short_for_the_model_is_named(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mathse.training.weights.whole_state", fail(SHORT))
    with pytest.raises(MathseError, match="memory while the model was written"):
        fit(save_every_steps=2)


def test_only_what_can_still_be_changed_is_named() -> None:
    config = changed(micro_batch_tokens=900, activation_checkpointing=True, sharding="full")
    text = less_memory(config, micro=4, saved=0)
    assert text == "lower micro_batch_tokens (900) or take more GPUs (launcher in machine.yaml)"
    assert "not after a change of sharding" in less_memory(changed(), micro=1, saved=7)
