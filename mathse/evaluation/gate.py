"""The gate after a round: is it worse than the one before, and does the run go on?"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from mathse.core.errors import DataError
from mathse.evaluation.paired import Comparison, compare

LEVEL = 0.05
"""A split is worse if it lost more problems than it gained, with a p of the test below this."""


def worse_splits(before: pl.DataFrame, after: pl.DataFrame, *, seed: int) -> dict[str, Comparison]:
    """Return the comparison of each split of `Graded` rows that got worse."""
    found = {
        split: compare(before.filter(split=split), after.filter(split=split), seed=seed)
        for split in sorted(after["split"].unique())
    }
    return {split: c for split, c in found.items() if c.difference < 0 and c.p_value < LEVEL}


def explain_worse(name: str, previous: str, worse: dict[str, Comparison]) -> str:
    """Return what to know and what to do about a round that is worse than the one before."""
    lines = [f"{name} is WORSE than {previous}:"]
    for split, c in worse.items():
        lines.append(
            f"  {split}: {100 * c.difference:+.1f} points [{100 * c.low:+.1f}, {100 * c.high:+.1f}]"
            f", {c.lost} problems lost and {c.gained} gained of {c.n}, p = {c.p_value:.2g}"
        )
    lines += [
        f"  look: mathse diff {previous} {name}",
        f"  go on from {previous}: {{prev: {previous}}} for the round after {name} in params.yaml",
        "  other settings: dvc exp run -S finetune.learning_rate=1e-4",
        "  go on with it: eval.gate: warn in params.yaml, then dvc repro",
    ]
    return "\n".join(lines)


def write_gate(path: Path, stop: str | None) -> None:
    """Write the gate that the next round passes: a file that changes only where it stops.

    So a new answer check, which evaluates again, does not generate again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"stop": stop}) + "\n", encoding="utf-8")


def pass_gate(path: Path) -> None:
    """Do nothing if the round before may be built upon.

    Raises:
        DataError: if it is worse than the one before it, and `eval.gate` is stop.
    """
    if stop := json.loads(path.read_text(encoding="utf-8"))["stop"]:
        raise DataError(f"The run stops here, as eval.gate of params.yaml says.\n{stop}")
