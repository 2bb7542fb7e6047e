"""Checkpoints of a training run: whole or not there at all, and only for the very same run.

They are written by `torch.distributed.checkpoint`: any number of processes can go on from what any
other number wrote, sharded or not. Weights that are not trained are not in them.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import md5
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator  # type: ignore[import-untyped]
from safetensors import SafetensorError
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader
from torch.optim import Optimizer

from mathse.core.errors import DataError
from mathse.core.finished import FINISHED
from mathse.core.ids import content_id
from mathse.core.tables import open_durably
from mathse.training.memory import find_out_of_memory

_STATE = "run.json"

log = logging.getLogger(__name__)


class Checkpoints:
    """Reads and writes the checkpoints of one run, in `<folder>/<hash of the run>/step-<n>`.

    `run` is everything that the trained weights depend on, by name. Checkpoints of other runs stay
    as they are: a run whose settings come back goes on where it was.
    """

    def __init__(
        self,
        folder: Path,
        *,
        run: Mapping[str, Any],
        accelerator: Accelerator,
        model: Any,
        optimizer: Optimizer,
    ) -> None:
        self.run = dict(run)
        self.folder = folder / content_id(self.run)
        self.accelerator = accelerator
        self.model = model
        self.optimizer = optimizer

    def resume(self) -> list[float]:
        """Load the last checkpoint; return the loss of each step done. Report other runs'."""
        # Remove what was broken off, and report the checkpoints of other runs.
        if self.accelerator.is_main_process:
            for path in self.folder.glob("part-*"):
                shutil.rmtree(path)  # a run died while it wrote this one
            for path in sorted(self.folder.parent.glob("*/step-*")):
                if path.parent != self.folder:
                    self._report(path)
        self.accelerator.wait_for_everyone()
        paths = sorted(self.folder.glob("step-*"))
        if not paths:
            return []
        # Load the newest checkpoint: optimizer, weights, losses.
        try:
            state = json.loads((paths[-1] / _STATE).read_text(encoding="utf-8"))
            self._prepare_optimizer(paths[-1])
            alone = self.accelerator.num_processes == 1
            state_dict_loader.load(self._tensors(), checkpoint_id=paths[-1], no_dist=alone)
        except (Exception, CheckpointException) as error:
            if memory := find_out_of_memory(error):
                raise memory from None
            # torch's own words hold a traceback for each process.
            failures = error.failures if isinstance(error, CheckpointException) else {}
            cause = next((found for found, _ in failures.values()), error)
            raise DataError(
                f"This checkpoint cannot be read: {type(cause).__name__}: {cause}",
                file=paths[-1],
                rule="a checkpoint is whole",
                fix="delete its folder; the run then starts from the beginning",
            ) from cause
        processes = self.accelerator.num_processes
        if state["processes"] != processes and self.accelerator.is_main_process:
            log.warning(
                "%s was written by %d processes and goes on in %d: sums differ in the last digits",
                paths[-1],
                state["processes"],
                processes,
            )
        return [float(loss) for loss in state["losses"]]

    def save(self, losses: list[float]) -> None:
        """Write a checkpoint after as many steps as there are losses; remove the one before."""
        part = self.folder / f"part-{len(losses):08d}"
        final = self.folder / f"step-{len(losses):08d}"
        with writing(part):
            if self.accelerator.is_main_process:
                part.mkdir(parents=True)
            self.accelerator.wait_for_everyone()
            alone = self.accelerator.num_processes == 1
            state_dict_saver.save(self._tensors(), checkpoint_id=part, no_dist=alone)
            if not self.accelerator.is_main_process:
                return
            processes = self.accelerator.num_processes
            state = {"run": self.run, "losses": losses, "processes": processes}
            (part / _STATE).write_text(json.dumps(state), encoding="utf-8")
            for file in part.rglob("*"):
                if file.is_file():
                    _sync(file)
            part.rename(final)
            _sync(self.folder)
        (self.folder / FINISHED).unlink(missing_ok=True)  # of a checkpoint that was deleted
        for path in self.folder.glob("*-*"):
            if path != final:
                shutil.rmtree(path)

    def finish(self, curve: Path | None) -> None:
        """Keep the last step's checkpoint until DVC has the run's curve; see `core.finished`."""
        self.accelerator.wait_for_everyone()
        if not self.accelerator.is_main_process:
            return
        if curve is not None and any(self.folder.glob("step-*")):
            with open_durably(self.folder / FINISHED) as file:
                file.write(md5(curve.read_bytes()).hexdigest().encode("ascii"))
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _tensors(self) -> dict[str, dict[str, Any]]:
        """Return trained parameters and their optimizer states: those themselves, no copies."""
        trained, state = self._trained(), self.optimizer.state
        return {
            "model": {name: parameter.detach() for name, parameter in trained.items()},
            "optimizer": {name: state[p] for name, p in trained.items() if p in state},
        }

    def _trained(self) -> dict[str, Any]:
        named = self.accelerator.unwrap_model(self.model).named_parameters()
        return {name: parameter for name, parameter in named if parameter.requires_grad}

    def _prepare_optimizer(self, path: Path) -> None:
        """Make empty states for the parameters that have one in a checkpoint.

        One that has had no gradient has none, as in the vision part before the first image.
        """
        saved = FileSystemReader(path).read_metadata().state_dict_metadata
        for name, parameter in self._trained().items():
            if f"optimizer.{name}.step" in saved:
                self.optimizer.state[parameter] = {
                    "step": torch.zeros((), device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }

    def _report(self, path: Path) -> None:
        """Say which settings of another run's checkpoint differ, and that it is kept."""
        try:
            run = json.loads((path / _STATE).read_text(encoding="utf-8"))["run"]
            mine = json.loads(json.dumps(self.run))
            names = ", ".join(_differences(mine, run))
        except (OSError, ValueError, LookupError):
            names = f"{_STATE} cannot be read"
        fix = "it is kept and not used. Delete it if that run is not to go on."
        log.warning("%s is of another run (different: %s): %s", path, names, fix)


def _differences(mine: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Return the names of what differs; of a section its keys, such as train.learning_rate."""
    names = list[str]()
    for name, value in mine.items():
        known = other.get(name)
        if isinstance(value, dict) and isinstance(known, dict):
            names += [f"{name}.{key}" for key in _differences(value, known)]
        elif value != known:
            names.append(name)
    return names


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failed write (disk full, read-only folder) into a DataError that says what to do.

    Out of GPU memory is no failed write: see `mathse.training.memory`.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError, CheckpointException) as error:
        if memory := find_out_of_memory(error):
            raise memory from None
        raise DataError(
            f"This folder cannot be written: {error}",
            file=path,
            rule="there is space for the model and two checkpoints",
            fix="free space or make it writable; the next run goes on from the last checkpoint",
        ) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
