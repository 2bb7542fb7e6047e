"""Equivalence pairs of public test suites: all as expected but some, each with its reason."""

from __future__ import annotations

import json

from mathse.answers import check_one
from tests.answers.shared_data import PAIRS, needs_pairs

DECIDED_OTHERWISE = {
    103: "gold boxes two different answers that nothing joins",
    135: "f(x) and f(y) are different expressions; the suite contradicts itself",
    140: "1 - 1/e and 1 + 1/e differ",
    144: "answers listed without brackets have no order; three other suites agree",
    147: "the same",
    166: "7.1e35 is not 7e35, and 0.001 is not 0.002",
}


@needs_pairs
def test_equivalence_pairs() -> None:
    lines = PAIRS.read_text(encoding="utf-8").splitlines()
    different = set()
    for number, line in enumerate(lines):
        pair = json.loads(line)
        precision = (pair.get("params") or {}).get("precision")
        verdict = check_one(
            pair["gold"], pair["prediction"], precision=None if precision == 6 else precision
        )
        if (verdict.state == "match") != pair["expected_equal"]:
            different.add(number)
    assert different <= set(DECIDED_OTHERWISE)
    assert 1 - len(different) / len(lines) >= 0.95
