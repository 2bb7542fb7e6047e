"""What `mathse doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Check:
    """One finding: ok, note (may be as wanted), or fails (a stage will fail)."""

    subject: str
    state: Literal["ok", "note", "fails"]
    finding: str
