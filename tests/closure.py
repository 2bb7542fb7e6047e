"""Where the project lies, which modules a stage runs, and params to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mathse.core.code import CodeBase

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = {"folder": "mathse/prompts/templates", "language": "auto"}
"""`prompts` of the params for models that are not the embedded teacher."""


def oracle_params() -> dict[str, Any]:
    """Return params.yaml with the oracle as teacher and reflector, and prompts for any model."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text())
    for name, changes in yaml.safe_load((ROOT / "profiles/oracle.yaml").read_text()).items():
        values[name] |= changes
    return values | {"prompts": TEMPLATES}


def closure(stage: str) -> set[str]:
    """Return the names of the modules that a stage may import, itself included."""
    return set(CodeBase(ROOT).closure(f"stages.{stage}"))
