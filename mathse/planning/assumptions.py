"""What a plan assumes where nothing is known: each value with its unit and where it is from."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from mathse.core.errors import ParamError

# Name: value, unit, why. `machine.yaml` (`plan:`) and `mathse plan --assume` replace values.
DEFAULTS: dict[str, tuple[float, str, str]] = {
    "response_tokens": (300, "tokens", "of a solution; at most max_new_tokens"),
    "verdict_tokens": (120, "tokens", "a verdict with step and analysis; a binary one has 8"),
    "instruction_tokens": (80, "tokens", "chat template and instruction"),
    "question_characters": (400, "characters", "question and choices"),
    "characters_per_token": (3.5, "", "English text; Chinese has about 1.5"),
    "pictures": (1, "a problem", "one figure"),
    "picture_pixels": (480_000, "pixels", "800×600"),
    "picture_bytes": (60_000, "bytes", "a drawing as PNG"),
    "api_picture_tokens": (765, "tokens", "a picture of 4 tiles, as GPT-4o counts them"),
    "table_problems": (10_000, "problems", "of a table that is not imported yet"),
    "teacher_right": (0.9, "share", "of the teacher's solutions that are right"),
    "wrong": (0.5, "share", "of the student's trajectories for the ORM that are wrong"),
    "solved": (0.5, "share", "of the problems tried that a round solves"),
    "corrected": (0.4, "share", "of the reflections that are accepted"),
    "gpus": (1, "GPUs", "no GPU found here: an H100 (SXM) is assumed"),
    "training_gpus": (0, "GPUs", "0: as gpus"),
    "gpu_memory_gb": (80, "GB", "H100 data sheet"),
    "gpu_tflops": (989, "TFLOP/s", "H100 data sheet, bf16 without sparsity"),
    "gpu_bandwidth_gb_s": (3350, "GB/s", "H100 data sheet"),
    "mfu": (0.4, "share of the matrix rate", "Llama 3 reports 0.38 to 0.43 (arXiv 2407.21783)"),
    "decode_share": (0.5, "share of the bandwidth", "of engine vllm"),
    "decode_share_transformers": (0.2, "share of the bandwidth", "of engine transformers"),
    "sequences": (64, "sequences", "at a time, if batch_size and the memory of a GPU allow"),
    "tokens_per_s": (0, "tokens/s and GPU", "0: from bandwidth and matrix rate"),
    "api_tokens_per_s": (50, "tokens/s and request", "a served model of the size of GPT-4o"),
    "lora_rank": (16, "", "where finetune.method is full, for comparison"),
    "copies": (2, "copies", "DVC keeps outputs twice; links make it 1 (docs/recipes.md)"),
}
# Without a GPU, a model of less than 1G parameters runs on the cores.
_CORE = {
    "gpu_memory_gb": 4.0,
    "gpu_tflops": 0.1,
    "gpu_bandwidth_gb_s": 10.0,
    "decode_share_transformers": 0.5,  # Python's time counts little beside that of a core
}
# Memory stands in the driver; rate in bf16 (TFLOP/s) and bandwidth (GB/s) by the data sheets.
_GPUS = {
    "H200": (989, 4800),
    "H100": (989, 3350),
    "A100": (312, 2039),
    "L40S": (362, 864),
    "RTX 4090": (165, 1008),
}


@dataclass(frozen=True)
class Value:
    """A number with its unit and its origin."""

    value: float
    unit: str
    origin: str


class Assumptions:
    """Values by name.

    Args:
        given: values that replace the defaults, each with its origin.

    Attributes:
        used: the names that were asked for, in order.

    Raises:
        ParamError: if a name is unknown or a value is negative.
    """

    def __init__(self, given: Mapping[str, tuple[float, str]]) -> None:
        self.values = {
            name: Value(value, unit, f"assumed: {why}")
            for name, (value, unit, why) in DEFAULTS.items()
        }
        self.used: dict[str, None] = {}
        for name, (value, origin) in given.items():
            if name not in DEFAULTS:
                known = ", ".join(DEFAULTS)
                raise ParamError(f"{origin}: there is no assumption {name!r}; there are {known}")
            if value < 0:
                raise ParamError(f"{origin}: {name} must be 0 or more, not {value}")
            self.values[name] = Value(value, DEFAULTS[name][1], origin)

    def __getitem__(self, name: str) -> float:
        """Return a value, and note that it was used."""
        self.used[name] = None
        return self.values[name].value

    def rows(self) -> list[list[str]]:
        """Return name, value with unit, and origin of what was used."""
        named = [(name, self.values[name]) for name in DEFAULTS if name in self.used]
        return [
            [name, f"{round(v.value, 2):,.10g} {v.unit}".strip(), v.origin] for name, v in named
        ]


def parse_assumptions(texts: list[str]) -> dict[str, tuple[float, str]]:
    """Read `NAME=VALUE` of the command line.

    Raises:
        ParamError: if one is not of this form.
    """
    given = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            given[name] = float(value), "--assume"
        except ValueError:
            raise ParamError(f"--assume {text}: write NAME=NUMBER, such as mfu=0.35") from None
    return given


def cores(count: int) -> dict[str, tuple[float, str]]:
    """Return cores in the place of GPUs."""
    found = {name: (value, "assumed: of a CPU core, in fp32") for name, value in _CORE.items()}
    return found | {"gpus": (count, "cores of this machine, no GPU")}


def find_gpus() -> dict[str, tuple[float, str]]:
    """Return what the driver names: GPUs, their memory, and their rates where they are known."""
    if shutil.which("nvidia-smi") is None:
        return {}
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    rows = [line.split(", ") for line in listed.stdout.splitlines() if ", " in line]
    if not rows:
        return {}
    name, memory = rows[0]
    found: dict[str, tuple[float, str]] = {
        "gpus": (len(rows), f"nvidia-smi: {name}"),
        "gpu_memory_gb": (int(memory) * 2**20 / 1e9, "nvidia-smi"),
    }
    for key, (rate, bandwidth) in _GPUS.items():
        if key in name:
            found["gpu_tflops"] = rate, f"data sheet of {key}, bf16"
            found["gpu_bandwidth_gb_s"] = bandwidth, f"data sheet of {key}"
    return found
