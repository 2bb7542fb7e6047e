from __future__ import annotations

from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mathse.core.errors import DataError, ParamError
from mathse.curation.ledger import (
    LEDGER,
    OPEN,
    SOLVED,
    assert_ledger,
    count_states,
    initial_ledger,
    next_ledger,
)
from schemas import LEDGER_STATES, ContractError, LedgerRow
from tests.judge.trajectories import RIGHT, WRONG, problem_id, trajectory, verdict, verdicts

IDS = [problem_id(number) for number in range(6)]


def judged(*found: tuple[int, bool]) -> pl.DataFrame:
    rows = []
    for index, (number, good) in enumerate(found):
        solution = trajectory(number, f"{RIGHT if good else WRONG} {index}", index)
        rows.append(verdict(solution, good))
    return verdicts(*rows)


def open_problems(ledger: pl.DataFrame) -> list[str]:
    return sorted(ledger.filter(pl.col("state").is_in(OPEN))["problem_id"])


def states(ledger: pl.DataFrame) -> dict[int, str]:
    found = dict(ledger.select("problem_id", "state").iter_rows())
    return {number: found[name] for number, name in enumerate(IDS)}


def check(ledger: pl.DataFrame, previous: pl.DataFrame | None = None) -> None:
    solved = ledger.filter(pl.col("state").is_in(SOLVED))
    assert_ledger(ledger, previous=previous, train=solved.select("problem_id"))


def first(**groups: list[str]) -> pl.DataFrame:
    return initial_ledger(IDS, **{"distilled": IDS[:1]} | groups)


def test_after_distillation():
    ledger = first(quarantined=[IDS[1]], contaminated=[IDS[2]])
    assert states(ledger) == {
        0: "distilled",
        1: "quarantined",
        2: "contaminated",
        3: "remaining",
        4: "remaining",
        5: "remaining",
    }
    assert open_problems(ledger) == sorted(IDS[3:])
    assert ledger.schema == LEDGER and set(ledger["round"]) == {"r0"}
    LedgerRow.validate(ledger)
    check(ledger)


def test_a_round_moves_each_problem_by_what_happened():
    ledger = next_ledger(
        first(),
        judged((1, True), (1, False), (2, False), (3, False), (3, False)),
        judged((2, True), (2, False), (3, False)),
        round_name="r1",
    )
    assert states(ledger) == {
        0: "distilled",
        1: "accepted",
        2: "reflected",
        3: "hard",
        4: "remaining",
        5: "remaining",
    }
    counts = {
        row["problem_id"]: (row["attempts"], row["passes"]) for row in ledger.iter_rows(named=True)
    }
    assert [counts[name] for name in IDS[:5]] == [(0, 0), (2, 1), (1, 0), (2, 0), (0, 0)]
    assert open_problems(ledger) == sorted(IDS[3:])


def test_attempts_accumulate_and_hard_problems_can_be_solved_later():
    one = next_ledger(first(), judged((1, False), (1, False)), None, round_name="r1")
    two = next_ledger(one, judged((1, False), (1, True)), None, round_name="r2")
    row = two.filter(pl.col("problem_id") == IDS[1]).row(0, named=True)
    assert (row["state"], row["attempts"], row["passes"]) == ("accepted", 4, 1)
    check(two, one)


def test_a_hard_problem_stays_hard_when_it_is_left_alone():
    one = next_ledger(first(), judged((1, False)), None, round_name="r1")
    assert states(next_ledger(one, None, None, round_name="r2"))[1] == "hard"


def test_a_round_that_only_reflects():
    one = next_ledger(first(), judged((1, False), (2, False)), None, round_name="r1")
    two = next_ledger(one, None, judged((1, True), (2, False)), round_name="r2")
    assert (states(two)[1], states(two)[2]) == ("reflected", "hard")
    assert two["attempts"].sum() == one["attempts"].sum()


def test_what_the_student_solves_itself_counts_as_its_own():
    one = next_ledger(first(), judged((1, False)), judged((1, True)), round_name="r1")
    assert states(one)[1] == "reflected"
    two = next_ledger(one, judged((1, True)), None, round_name="r2")
    assert states(two)[1] == "accepted"
    both = next_ledger(first(), judged((1, True)), judged((1, True)), round_name="r1")
    assert states(both)[1] == "accepted"


@pytest.mark.parametrize("group", ["quarantined", "contaminated"])
def test_a_path_of_a_problem_kept_out_is_a_leak(group):
    with pytest.raises(DataError, match=IDS[1]):
        next_ledger(first(**{group: [IDS[1]]}), judged((1, True)), None, round_name="r1")
    with pytest.raises(DataError, match="reflections"):
        next_ledger(first(**{group: [IDS[1]]}), None, judged((1, False)), round_name="r1")


def test_wrong_input_is_named():
    with pytest.raises(DataError, match="in the ledger"):
        next_ledger(first(), judged((9, True)), None, round_name="r1")
    with pytest.raises(ParamError, match="r0"):
        next_ledger(first(), None, None, round_name="r0")
    with pytest.raises(DataError, match="already distilled"):
        first(quarantined=[IDS[0]])
    with pytest.raises(DataError, match="not in the training pool"):
        first(contaminated=[problem_id(99)])
    with pytest.raises(DataError, match="occurs twice"):
        initial_ledger([IDS[0], IDS[0]], [])


FOUND = st.lists(st.tuples(st.integers(2, 5), st.booleans()), max_size=8)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.none() | FOUND, st.none() | FOUND), min_size=1, max_size=3))
def test_ledger_invariants_hold_over_any_rounds(rounds):
    ledger = first(quarantined=[IDS[1]])
    attempts: Counter[str] = Counter()
    passes: Counter[str] = Counter()
    for index, (solutions, reflections) in enumerate(rounds, start=1):
        before = ledger
        found = None if solutions is None else judged(*solutions)
        again = None if reflections is None else judged(*reflections)
        ledger = next_ledger(before, found, again, round_name=f"r{index}")
        LedgerRow.validate(ledger)
        check(ledger, before)
        counts = count_states(ledger)
        assert sum(counts.values()) == len(IDS) and set(counts) == set(LEDGER_STATES)
        for number, good in solutions or []:
            attempts[IDS[number]] += 1
            passes[IDS[number]] += good
        assert dict(ledger.select("problem_id", "attempts").iter_rows()) == {
            name: attempts[name] for name in IDS
        }
        assert dict(ledger.select("problem_id", "passes").iter_rows()) == {
            name: passes[name] for name in IDS
        }
        newly = {IDS[number] for number, good in [*(solutions or []), *(reflections or [])] if good}
        solved = set(ledger.filter(pl.col("state").is_in(SOLVED))["problem_id"])
        assert solved == set(before.filter(pl.col("state").is_in(SOLVED))["problem_id"]) | newly
        assert set(open_problems(ledger)) == set(IDS) - solved - {IDS[1]}


GOOD = next_ledger(first(), judged((1, True), (2, False)), None, round_name="r1")


def change(ledger: pl.DataFrame, number: int, **values: object) -> pl.DataFrame:
    problem = pl.col("problem_id") == IDS[number]
    return ledger.with_columns(
        pl.when(problem)
        .then(pl.lit(value, dtype=ledger.schema[name]))
        .otherwise(pl.col(name))
        .alias(name)
        for name, value in values.items()
    )


MORE = change(GOOD, 5, problem_id="f" * 16)


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (change(GOOD, 3, state="lost"), "state is one of"),
        (pl.concat([GOOD, GOOD.head(1)]), "round and problem_id occur once"),
        (change(GOOD, 3, round="r9"), "a ledger is of one round"),
        (change(GOOD, 1, passes=9), "passes are at most attempts"),
        (change(GOOD, 1, state="hard"), "a problem with a pass is not open"),
        (change(GOOD, 2, state="remaining"), "a remaining problem was not tried"),
        (GOOD.filter(pl.col("problem_id") != IDS[0]), "every problem has a row"),
        (change(GOOD, 0, problem_id="f" * 16), "every problem has a row"),
        (pl.concat([GOOD, MORE.filter(problem_id="f" * 16)]), "and no other"),
        (change(GOOD, 0, state="hard"), "a solved problem stays solved"),
        (change(GOOD, 3, state="contaminated"), "what is kept out stays out"),
    ],
)
def test_each_broken_rule_is_named(broken, rule):
    check(GOOD, first())
    with pytest.raises((DataError, ContractError), match=rule):
        check(broken, first())


def test_counts_never_fall():
    later = next_ledger(GOOD, None, None, round_name="r2")
    with pytest.raises(DataError, match="accumulate"):
        check(change(later, 2, attempts=0), GOOD)
    with pytest.raises(DataError, match="accumulate"):
        check(change(later, 1, passes=0), GOOD)


def test_training_rows_and_solved_problems_agree():
    rows = pl.DataFrame({"problem_id": IDS[:2]})
    assert_ledger(GOOD, train=rows)
    with pytest.raises(DataError, match="has a training row"):
        assert_ledger(GOOD, train=rows.head(1))
    with pytest.raises(DataError, match="of solved problems"):
        assert_ledger(GOOD, train=pl.DataFrame({"problem_id": IDS[:3]}))


def test_a_problem_with_a_reflection_alone_was_tried():
    ledger = next_ledger(first(), None, judged((2, False)), round_name="r1")
    assert states(ledger)[2] == "hard"
