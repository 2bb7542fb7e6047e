"""Golds of our own pairs put into sentences that state them, and into sentences that do not."""

from __future__ import annotations

import polars as pl
import pytest

from bench.answers import SETS, read_set
from mathse.answers import check_rows

STATED = (
    r"Hence we get \boxed{GOLD}.",
    "2 + 3 = 5\n#### GOLD",
    "【解析】略。\n【答案】 $GOLD$ <eoa>",
    "The answer is $GOLD$.",
    "**Final answer:** $GOLD$",
    "Thus\n$$\\boxed{GOLD}$$",
    "所以答案为 $GOLD$。",
    "The final answer is $GOLD$.<|im_end|>",
)
NOT_STATED = (
    "The answer cannot be $GOLD$.",
    "The answer is not $GOLD$.",
    "The answer is more than $GOLD$.",
    "It is at least $GOLD$.",
    "答案是 $GOLD$ 或 $987654$。",
    "The answer is $GOLD$ or $987654$.",
    r"\boxed{GOLD \text{ or } 987654}",
    r"\boxed{(GOLD)+w}",
    r"\boxed{(GOLD, 987654)}",
    r"\boxed{987654 \pm GOLD}",
)
GOLDS = [
    gold
    for gold in read_set(SETS["own"])
    .filter(pl.col("choices").list.len() == 0)["gold"]
    .unique()
    .sort()
    if len(gold) > 1 and not any(part in gold for part in (*"><$", "geq", "mathbb{R}"))
]
"""Golds that a further number or sentence does not leave as they are: x > 2 or 987654 is x > 2."""


def states_of(sentences: tuple[str, ...]) -> pl.DataFrame:
    rows = [(gold, said.replace("GOLD", gold)) for said in sentences for gold in GOLDS]
    return check_rows(pl.DataFrame(rows, schema=["gold", "response"], orient="row"))


def test_a_stated_gold_matches() -> None:
    assert len(GOLDS) > 100
    missed = states_of(STATED).filter(pl.col("state") != "match")
    assert missed.height <= 0.01 * len(STATED) * len(GOLDS), missed["response"].to_list()


@pytest.mark.slow
def test_what_denies_hedges_or_changes_gold_never_matches() -> None:
    passed = states_of(NOT_STATED).filter(pl.col("state") == "match")
    assert passed["response"].to_list() == []
