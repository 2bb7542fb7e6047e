"""Cut a written solution into the steps that the judge counts."""

from __future__ import annotations


def split_steps(response: str) -> list[str]:
    """Return the steps of a solution: its lines, stripped, without the empty ones.

    The closing sentence is the last step. Step n of a verdict is item n − 1 here.
    """
    return [line.strip() for line in response.splitlines() if line.strip()]
