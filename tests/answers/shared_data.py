"""Where the shared verdicts and equivalence pairs lie, beside the repository, if they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
VERDICTS = SHARED / "verdicts" / "official_verdicts.parquet"
PAIRS = SHARED / "equivalence" / "pairs.jsonl"

needs_verdicts = pytest.mark.skipif(
    not VERDICTS.is_file(), reason="no shared verdicts beside the repository"
)
needs_pairs = pytest.mark.skipif(
    not PAIRS.is_file(), reason="no shared equivalence pairs beside the repository"
)
