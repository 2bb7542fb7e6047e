from __future__ import annotations

from collections import Counter

import polars as pl

from mathse.core.params import load_params
from mathse.curation.ledger import LEDGER
from mathse.curation.plan import choose_in_turn, plan_round
from schemas import LEDGER_STATES
from tests.closure import ROOT
from tests.judge.trajectories import problems

LEDGER_ROWS = pl.DataFrame(
    [
        {"round": "r1", "problem_id": f"{index:016x}", "state": state, "attempts": 0, "passes": 0}
        for index, state in enumerate(LEDGER_STATES)
    ],
    schema=LEDGER,
)
HARD, REMAINING = f"{LEDGER_STATES.index('hard'):016x}", f"{LEDGER_STATES.index('remaining'):016x}"


PARAMS = load_params(ROOT / "params.yaml")


def plan(ledger: pl.DataFrame, **changes: object) -> list[tuple[str, int]]:
    section = PARAMS.generate.model_copy(update={"enabled": True} | changes)
    return plan_round(ledger, PARAMS.model_copy(update={"generate": section}), "r1")


def test_hard_problems_get_more_and_only_open_ones_get_any() -> None:
    found = plan(LEDGER_ROWS, samples=2, hard_samples=4, max_problems=None)
    assert Counter(name for name, _ in found) == {REMAINING: 2, HARD: 4}
    assert [index for name, index in found if name == HARD] == [0, 1, 2, 3]
    assert found == plan(LEDGER_ROWS.reverse(), samples=2, hard_samples=4, max_problems=None)


def test_hard_problems_can_be_left_out_and_then_take_no_turn() -> None:
    assert plan(LEDGER_ROWS, samples=1, hard_samples=0, max_problems=1) == [(REMAINING, 0)]


def test_nothing_open_plans_nothing() -> None:
    assert plan(LEDGER_ROWS.filter(pl.col("state") == "accepted"), samples=1, hard_samples=1) == []


def test_the_cut_takes_other_problems_in_another_round() -> None:
    rows = pl.concat([LEDGER_ROWS.filter(pl.col("state") == "remaining")] * 40)
    names = pl.Series("problem_id", [f"{index:016x}" for index in range(40)])
    rows = rows.with_columns(names)
    params = PARAMS.model_copy(
        update={"generate": PARAMS.generate.model_copy(update={"max_problems": 5, "samples": 1})}
    )
    chosen = [{name for name, _ in plan_round(rows, params, round)} for round in ("r1", "r2")]
    assert [len(names) for names in chosen] == [5, 5] and chosen[0] != chosen[1]


def test_problems_without_samples_take_no_turn_among_many() -> None:
    states = pl.Series("state", ["hard", "remaining"] * 20)
    names = pl.Series("problem_id", [f"{index:016x}" for index in range(40)])
    rows = pl.concat([LEDGER_ROWS.head(1)] * 40).with_columns(names, states)
    found = plan(rows, samples=1, hard_samples=0, max_problems=20)
    assert {name for name, _ in found} == {*names[1::2]}


def test_the_teacher_takes_subjects_in_turn_where_there_is_no_family() -> None:
    pool = problems(40, families=[None])
    rare = pool["problem_id"].head(2).to_list()
    subject = pl.when(pl.col("problem_id").is_in(rare)).then(pl.lit("counting"))
    pool = pool.with_columns(subject.otherwise("subject").alias("subject"))
    chosen = choose_in_turn(pool, 4, seed=0)
    assert set(rare) < set(chosen) and len(chosen) == 4
