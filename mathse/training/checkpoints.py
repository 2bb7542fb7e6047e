"""Checkpoints of a training run: whole or not there at all, and only for the very same run."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator  # type: ignore[import-untyped]

_STATE = "run.json"
_PREFIX = "step-"
_PART = "part-"


@dataclass(frozen=True)
class Progress:
    """How far a run came: steps done and the loss of each."""

    step: int
    losses: list[float]


class Checkpoints:
    """Reads and writes the checkpoints of one run in one folder.

    Args:
        folder: nothing else may lie there.
        key: hash of everything that the run depends on.
        accelerator: knows model, optimizer and random states.
    """

    def __init__(self, folder: Path, *, key: str, accelerator: Accelerator) -> None:
        self.folder = folder
        self.key = key
        self.accelerator = accelerator

    def resume(self) -> Progress:
        """Bring back the last checkpoint of this run; remove those of other runs and unfinished ones."""
        found: list[tuple[int, Path]] = []
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            state = _read(path)
            if state is not None and state["key"] == self.key:
                found.append((int(state["step"]), path))
            elif self.accelerator.is_main_process:
                _remove(path)
        self.accelerator.wait_for_everyone()
        if not found:
            return Progress(0, [])
        step, path = max(found)
        state = _read(path)
        assert state is not None
        self.accelerator.load_state(str(path))
        return Progress(step, [float(loss) for loss in state["losses"]])

    def save(self, progress: Progress) -> None:
        """Write a checkpoint, then remove the one before."""
        part = self.folder / f"{_PART}{progress.step:08d}"
        final = self.folder / f"{_PREFIX}{progress.step:08d}"
        if self.accelerator.is_main_process:
            _remove(part)
            part.mkdir(parents=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(part))
        self.accelerator.wait_for_everyone()
        if not self.accelerator.is_main_process:
            return
        state = {"key": self.key, "step": progress.step, "losses": progress.losses}
        (part / _STATE).write_text(json.dumps(state), encoding="utf-8")
        for file in part.rglob("*"):
            if file.is_file():
                _sync(file)
        _remove(final)
        part.rename(final)
        _sync(self.folder)
        for path in self.folder.iterdir():
            if path != final:
                _remove(path)

    def remove(self) -> None:
        """Remove the folder: the run is over."""
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            _remove(self.folder)


def _read(path: Path) -> dict[str, Any] | None:
    """Return a finished checkpoint's state, or None."""
    if not path.name.startswith(_PREFIX):
        return None
    try:
        state = json.loads((path / _STATE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return state if isinstance(state, dict) and {"key", "step", "losses"} <= state.keys() else None


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
