"""The folder with published data sets and verdicts that some measurements and tests need.

`MATHSE_DATA` names it; without that variable it is ../shared/data, where that exists. Nothing in
the repository needs it: tests that do without it are skipped and say so.
"""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("MATHSE_DATA") or ROOT.parent / "shared" / "data")


def missing(name: str) -> str:
    """Return why something that needs `name` in the data folder does not run."""
    return f"{DATA / name} does not exist: MATHSE_DATA names the folder with published data"


def need(name: str) -> Path:
    """Return the path of `name` in the data folder.

    Raises:
        SystemExit: if it does not exist.
    """
    if not (DATA / name).exists():
        raise SystemExit(missing(name))
    return DATA / name
