"""What a training run reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class TrainReport:
    """What a training run did.

    Attributes:
        steps: optimizer steps.
        samples: rows seen, repetitions counted.
        rows: rows trained on, each counted once.
        dropped: keys of the rows left out, by reason.
        first_loss: mean over the first tenth of the steps.
        final_loss: mean over the last tenth of the steps.
        target_tokens: tokens that the loss was taken over.
        resumed_from: the step of the checkpoint that the run went on from, or 0.
    """

    steps: int
    samples: int
    rows: int
    dropped: dict[str, list[str]] = field(default_factory=dict)
    first_loss: float = 0.0
    final_loss: float = 0.0
    target_tokens: int = 0
    resumed_from: int = 0

    def metrics(self) -> dict[str, Any]:
        """Return plain values that are the same whether or not the run was interrupted."""
        return {
            "steps": self.steps,
            "samples": self.samples,
            "rows": self.rows,
            "dropped": {reason: len(keys) for reason, keys in sorted(self.dropped.items())},
            "first_loss": round(self.first_loss, 6),
            "final_loss": round(self.final_loss, 6),
            "target_tokens": self.target_tokens,
        }
