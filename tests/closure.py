"""Where the project lies, and which modules a stage runs."""

from __future__ import annotations

from pathlib import Path

from mathse.core.code import CodeBase

ROOT = Path(__file__).resolve().parents[1]


def closure(stage: str) -> set[str]:
    """Return the names of the modules that a stage may import, itself included."""
    return set(CodeBase(ROOT).closure(f"stages.{stage}"))
