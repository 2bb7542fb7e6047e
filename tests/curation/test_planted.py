from __future__ import annotations

import pytest

from bench.data import DATA, missing
from tests.curation.planted import measure, plant, summary


@pytest.mark.skipif(
    not (DATA / "math-v").is_dir() or not (DATA / "tabmwp").is_dir(), reason=missing("math-v")
)
def test_copies_planted_among_real_problems_are_found_and_nothing_else() -> None:
    found = measure(plant(DATA, 24))
    precision, recall = summary(found)
    assert precision >= 0.95 and recall >= 0.85, found
    assert found["other numbers"][0] == 0, found
