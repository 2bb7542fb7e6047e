"""Tables of a plan as text cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

GB = 1e9
PARTS = ["weights", "gradients", "Adam", "activations", "KV cache"]


@dataclass
class Table:
    """One table of a plan."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)


def memory_row(label: str, parts: Mapping[str, float], size: float) -> list[str]:
    """Return the cells of a row of memory."""
    values, total = [parts.get(part, 0.0) / GB for part in PARTS], sum(parts.values())
    cells = [f"{value:,.3g}" if value else "" for value in values]
    return [label, *cells, f"{total / GB:,.4g}", "fits" if total < 0.95 * size else "too much"]


def amount(value: float) -> str:
    """Return a count in three digits: 960000 is "960K"."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if value >= 0.9995 * size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}" if value < 10 and value % 1 else f"{value:.0f}"


def duration(seconds: float) -> str:
    """Return a time in its unit: 5400 is "1.5 h"."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.2g} s"
