"""What a person should see of a bad ORM before a round is built on it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import polars as pl

REFUSED_MIN = 0.99
"""A round is warned of if the ORM calls at least this share of its trajectories wrong."""
JUDGED_MIN = 50


def warn_of_chance(metrics: Mapping[str, Any]) -> None:
    """Print a warning if an ORM may pass wrong trajectories as often as right ones.

    Args:
        metrics: what `orm_metrics` returns, of the ORM's test rows.
    """
    right, wrong = metrics["positive_accuracy"], metrics["wrong_passed"]
    if right["n"] and wrong["n"] and right["low"] <= wrong["high"]:
        _warn(
            f"The ORM may judge no better than chance: it passes {right['value']:.0%} of the "
            f"{right['n']} right trajectories and {wrong['value']:.0%} of the {wrong['n']} wrong "
            "ones of its test.\n"
            "  look: mathse show, metrics/eval_orm.json\n"
            "  more to learn from: orm_data, train_orm in params.yaml; until then the rounds rest "
            "on the answer check, and with score.accept: orm on nothing"
        )


def warn_of_refusal(verdicts: pl.DataFrame, round_name: str) -> None:
    """Print a warning if the ORM refuses nearly every trajectory of a round.

    Args:
        verdicts: the `Verdict` rows of the round.
        round_name: of the round.
    """
    judged = verdicts.filter(pl.col("orm_status").is_in(["correct", "wrong"]))
    refused = judged.filter(orm_status="wrong")
    if judged.height >= JUDGED_MIN and refused.height >= REFUSED_MIN * judged.height:
        matching = refused.filter(answer_state="match").height
        _warn(
            f"The ORM calls {refused.height:,} of {judged.height:,} trajectories of {round_name} "
            f"wrong, {matching:,} of which end in the gold answer.\n"
            "  look: mathse ask refused, metrics/eval_orm.json"
        )


def _warn(text: str) -> None:
    print(f"WARNING: {text}", file=sys.stderr)
