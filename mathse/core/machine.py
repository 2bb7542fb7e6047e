"""How things run on this machine: `machine.yaml`, optional and git-ignored; DVC never sees it.

Nothing here changes a byte of a result on the CPU. These keys do, and so stand in `params.yaml`:

- `batch_size` of student and orm: sums in bfloat16 differ with the padding of a batch, and a few
  texts in a hundred with them;
- `processes` and `micro_batch_size` of a training: they set the order in which gradients are added.

Examples are in `profiles/machines/`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from mathse.core.errors import ParamError
from mathse.core.params import Section, explain_faults


class Machine(Section):
    """All of `machine.yaml`; what is left out has these values."""

    device: Literal["auto", "cpu"] = "auto"  # auto: a GPU where there is one
    inference_processes: int | None = Field(default=None, ge=1)  # on the CPU; null: one per core
    save_every_steps: int = Field(default=100, ge=0)  # checkpoints of a training; 0: none
    work_folder: str = ".mathse"  # journal and checkpoints; a path from the project's folder

    @property
    def has_gpu(self) -> bool:
        """Return True if models run on a GPU."""
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
        return self.device == "auto" and not hidden and Path("/dev/nvidiactl").exists()

    @property
    def processes(self) -> int:
        """Return how many processes generate text on the CPU, with one thread each."""
        return self.inference_processes or min(8, os.cpu_count() or 1)


def load_machine(path: str | Path) -> Machine:
    """Read and check `machine.yaml`; without one everything has its default.

    Raises:
        ParamError: naming file, key and what is allowed, one line for each fault.
    """
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Machine()
    except (OSError, yaml.YAMLError) as error:
        raise ParamError(f"{path} cannot be read: {error}") from error
    try:
        return Machine.model_validate(values or {})
    except ValidationError as error:
        raise ParamError("\n".join(explain_faults(str(path), error))) from error
