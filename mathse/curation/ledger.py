"""The ledger: exactly one state for each problem in each round.

- distilled: the teacher's solution is in the r0 training rows;
- accepted: the student solved it;
- reflected: a reflection solved it;
- hard: tried and not solved;
- remaining: not tried yet;
- quarantined, contaminated: kept out for good.

D_remain is what is hard or remaining. Attempts and passes count the student's own judged paths over
all rounds; reflections change the state but not these, so that passes over attempts stays the
student's pass rate.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from mathse.core.errors import DataError, ParamError
from schemas import LEDGER_STATES, LedgerRow, column_types

OPEN = ("hard", "remaining")
SOLVED = ("distilled", "accepted", "reflected")
KEPT_OUT = ("quarantined", "contaminated")
LEDGER = column_types(LedgerRow)


def initial_ledger(
    problem_ids: Collection[str],
    distilled: Collection[str],
    *,
    round_name: str = "r0",
    quarantined: Collection[str] = (),
    contaminated: Collection[str] = (),
) -> pl.DataFrame:
    """Return the ledger after distillation: the first that every round builds on.

    Args:
        problem_ids: all problems of the training pool.
        distilled: those with a teacher's solution among the training rows.
        round_name: name of the bootstrap round.
        quarantined: problems set aside as broken.
        contaminated: problems too near to an evaluation problem.

    Returns:
        `LedgerRow` rows sorted by problem_id.

    Raises:
        DataError: if an id occurs twice, is in two of the groups, or is not among the problems.
    """
    if len(set(problem_ids)) != len(problem_ids):
        raise DataError(
            "A problem occurs twice in the training pool.", rule="one state per problem"
        )
    groups = {"distilled": distilled, "quarantined": quarantined, "contaminated": contaminated}
    state = dict.fromkeys(problem_ids, "remaining")
    for name, ids in groups.items():
        for problem_id in set(ids):
            if state.get(problem_id) != "remaining":
                known = (
                    f"already {state[problem_id]}"
                    if problem_id in state
                    else "not in the training pool"
                )
                raise DataError(
                    f"Problem {problem_id} cannot be {name}: it is {known}.",
                    rule="one state per problem",
                )
            state[problem_id] = name
    rows = {"problem_id": list(state), "state": list(state.values())}
    return (
        pl.DataFrame(rows, schema=column_types(LedgerRow, "problem_id", "state"))
        .with_columns(
            round=pl.lit(round_name),
            attempts=pl.lit(0, dtype=pl.Int64),
            passes=pl.lit(0, dtype=pl.Int64),
        )
        .select(LEDGER.names())
        .sort("problem_id")
    )


def next_ledger(
    previous: pl.DataFrame,
    verdicts: pl.DataFrame | None,
    reflection_verdicts: pl.DataFrame | None = None,
    *,
    round_name: str,
) -> pl.DataFrame:
    """Return the ledger after a round.

    An open problem becomes accepted if a path of the student was accepted, else reflected if a
    reflection was, else hard if any path was judged, else it stays as it was. A reflected problem
    that the student solves becomes accepted. No solved problem is ever open again.

    Args:
        previous: the ledger of the round before.
        verdicts: `Verdict` rows of the student's paths in this round; None where it generated
            nothing.
        reflection_verdicts: `Verdict` rows of its reflections, likewise.
        round_name: this round.

    Returns:
        `LedgerRow` rows sorted by problem_id.

    Raises:
        ParamError: if the round is the one that `previous` is of.
        DataError: if a verdict's problem is not in the ledger or was kept out.
    """
    if round_name in set(previous["round"]):
        raise ParamError(f"The ledger of {round_name} cannot follow itself; give the round before")
    own, reflected = (
        _count(verdicts, "attempts", "passes"),
        _count(reflection_verdicts, "reflections", "saved"),
    )
    _check_known(previous, own, "student paths")
    _check_known(previous, reflected, "reflections")
    rows = previous.rename({"attempts": "attempts_before", "passes": "passes_before"})
    rows = rows.join(own, on="problem_id", how="left").join(reflected, on="problem_id", how="left")
    rows = rows.with_columns(pl.col("attempts", "passes", "reflections", "saved").fill_null(0))
    was_open = pl.col("state").is_in(OPEN)
    state = (
        pl.when((was_open | (pl.col("state") == "reflected")) & (pl.col("passes") > 0))
        .then(pl.lit("accepted"))
        .when(was_open & (pl.col("saved") > 0))
        .then(pl.lit("reflected"))
        .when(was_open & (pl.col("attempts") + pl.col("reflections") > 0))
        .then(pl.lit("hard"))
        .otherwise(pl.col("state"))
    )
    return rows.select(
        pl.lit(round_name).alias("round"),
        "problem_id",
        state.alias("state"),
        pl.col("attempts") + pl.col("attempts_before"),
        pl.col("passes") + pl.col("passes_before"),
    ).sort("problem_id")


def remaining_problems(ledger: pl.DataFrame) -> list[str]:
    """Return D_remain: the ids of all problems still to be tried, sorted.

    Source:
        arXiv 2511.06805, Algorithm 1: D_remain = D − D_SFT, and loses the problems that are solved.
    """
    return sorted(ledger.filter(pl.col("state").is_in(OPEN))["problem_id"])


def count_states(ledger: pl.DataFrame) -> dict[str, int]:
    """Count the problems in each state, zeros included; the counts sum to all problems."""
    found = dict(ledger.group_by("state").len().iter_rows())
    return {state: int(found.get(state, 0)) for state in LEDGER_STATES}


def assert_ledger(
    ledger: pl.DataFrame,
    *,
    problem_ids: Collection[str] | None = None,
    previous: pl.DataFrame | None = None,
    train: pl.DataFrame | None = None,
) -> None:
    """Check what must hold of a ledger; each part that is given adds its rules.

    Args:
        ledger: of one round.
        problem_ids: all problems: each has exactly one row.
        previous: the ledger before: same problems, counts never fall, what is solved or kept out
            stays so.
        train: the round's training rows: they are of solved problems, and every solved problem has
            one.

    Raises:
        DataError: naming the rule and the first problem that breaks it.
    """
    known = pl.col("state").is_in(LEDGER_STATES)
    _require(ledger.filter(~known), "the state is known")
    _require(ledger.filter(pl.col("problem_id").is_duplicated()), "one state per problem")
    _require(ledger.filter(pl.col("round") != pl.col("round").first()), "a ledger is of one round")
    bounds = pl.col("passes").is_between(0, pl.col("attempts"))
    _require(ledger.filter(~bounds), "passes are at most attempts")
    passed_open = pl.col("state").is_in(OPEN) & (pl.col("passes") > 0)
    _require(ledger.filter(passed_open), "a problem with a pass is not open")
    untried = (pl.col("state") == "remaining") & (pl.col("attempts") > 0)
    _require(ledger.filter(untried), "a remaining problem was not tried")
    if problem_ids is not None:
        _require_same(
            ledger,
            pl.DataFrame({"problem_id": list(problem_ids)}, schema={"problem_id": pl.String}),
        )
    if previous is not None:
        _require_same(ledger, previous)
        both = ledger.join(previous, on="problem_id", suffix="_before", validate="1:1")
        fell = (pl.col("attempts") < pl.col("attempts_before")) | (
            pl.col("passes") < pl.col("passes_before")
        )
        _require(both.filter(fell), "attempts and passes accumulate")
        solved, was_solved = pl.col("state").is_in(SOLVED), pl.col("state_before").is_in(SOLVED)
        _require(both.filter(was_solved & ~solved), "a solved problem stays solved")
        moved = (pl.col("state") != pl.col("state_before")) & (
            pl.col("state").is_in(KEPT_OUT) | pl.col("state_before").is_in(KEPT_OUT)
        )
        _require(both.filter(moved), "what is kept out stays out, and nothing joins it")
    if train is not None:
        solved_rows = ledger.filter(pl.col("state").is_in(SOLVED))
        _require(
            train.join(solved_rows, on="problem_id", how="anti"),
            "training rows are of solved problems",
        )
        _require(
            solved_rows.join(train, on="problem_id", how="anti"),
            "a solved problem has a training row",
        )


def _count(verdicts: pl.DataFrame | None, total: str, accepted: str) -> pl.DataFrame:
    if verdicts is None:
        return pl.DataFrame(schema={"problem_id": pl.String, total: pl.Int64, accepted: pl.Int64})
    counts = (
        pl.len().cast(pl.Int64).alias(total),
        pl.col("accepted").sum().cast(pl.Int64).alias(accepted),
    )
    return verdicts.group_by("problem_id").agg(counts)


def _check_known(previous: pl.DataFrame, counts: pl.DataFrame, what: str) -> None:
    _require(
        counts.join(previous, on="problem_id", how="anti"), f"{what} are of problems in the ledger"
    )
    out = previous.filter(pl.col("state").is_in(KEPT_OUT))
    _require(
        counts.join(out, on="problem_id", how="semi"),
        f"{what} are not of problems that were kept out",
    )


def _require_same(ledger: pl.DataFrame, others: pl.DataFrame) -> None:
    rule = "every problem has a row, and no other"
    _require(others.join(ledger, on="problem_id", how="anti"), rule)
    _require(ledger.join(others, on="problem_id", how="anti"), rule)


def _require(broken: pl.DataFrame, rule: str) -> None:
    if broken.height:
        first = broken.sort("problem_id").row(0, named=True)
        state = f" (state {first['state']})" if "state" in first else ""
        raise DataError(
            f"{broken.height} problems break a rule of the ledger, such as {first['problem_id']}{state}.",
            rule=rule,
        )
