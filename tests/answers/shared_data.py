"""Published verdicts and equivalence pairs, where `MATHSE_DATA` has them."""

from __future__ import annotations

import pytest

from bench.data import DATA, missing

VERDICTS = DATA / "verdicts" / "official_verdicts.parquet"
PAIRS = DATA / "equivalence" / "pairs.jsonl"

needs_verdicts = pytest.mark.skipif(not VERDICTS.is_file(), reason=missing("verdicts"))
needs_pairs = pytest.mark.skipif(not PAIRS.is_file(), reason=missing("equivalence"))
