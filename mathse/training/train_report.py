"""What a training run reports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class TrainReport:
    """What a training run did; `dropped` holds the keys of the rows left out, by reason."""

    steps: int
    samples: int  # rows seen, repetitions counted
    rows: int  # rows trained on, each counted once
    dropped: dict[str, list[str]]
    first_loss: float  # mean over the first tenth of the steps
    final_loss: float  # mean over the last tenth of the steps
    target_tokens: int | None  # that the loss was taken over; None: another trainer does not say
    resumed_from: int  # step of the checkpoint that the run went on from, or 0

    def metrics(self) -> dict[str, Any]:
        """Return plain values that are the same whether or not the run was interrupted."""
        values = asdict(self)
        del values["resumed_from"]
        counts = {reason: len(keys) for reason, keys in sorted(self.dropped.items())}
        return values | {"dropped": counts}
