"""The ledger: exactly one state for each problem in each round.

- distilled: the teacher's solution is in the r0 training rows;
- accepted: the student solved it;
- reflected: a reflection solved it;
- hard: tried and not solved;
- remaining: not tried yet;
- quarantined, contaminated: kept out for good.

D_remain is what is hard or remaining. Attempts and passes count the student's judged trajectories
over all rounds, not reflections, so that passes / attempts is the student's pass rate.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from mathse.core.errors import DataError, ParamError
from schemas import LEDGER_STATES, LedgerRow, column_types, validate

OPEN = ("hard", "remaining")
SOLVED = ("distilled", "accepted", "reflected")
KEPT_OUT = ("quarantined", "contaminated")
LEDGER = column_types(LedgerRow)
_ONE_STATE = "one state per problem"


def initial_ledger(
    problem_ids: Collection[str],
    distilled: Collection[str],
    *,
    quarantined: Collection[str] = (),
    contaminated: Collection[str] = (),
) -> pl.DataFrame:
    """Return the ledger of r0, after distillation: `LedgerRow` rows sorted by problem_id.

    Args:
        problem_ids: all problems of the training pool.
        distilled: those with a teacher's solution among the training rows.
        quarantined: problems that broke a rule.
        contaminated: problems that are evaluated too.

    Raises:
        DataError: if an id occurs twice, is in two of the groups, or is not among the problems.
    """
    if len(set(problem_ids)) != len(problem_ids):
        raise DataError("A problem occurs twice in the training pool.", rule=_ONE_STATE)
    # The state of each problem: its group's, else remaining.
    state = dict.fromkeys(problem_ids, "remaining")
    groups = {"distilled": distilled, "quarantined": quarantined, "contaminated": contaminated}
    for name, ids in groups.items():
        for problem_id in set(ids):
            if (known := state.get(problem_id)) != "remaining":
                why = f"already {known}" if known else "not in the training pool"
                raise DataError(
                    f"Problem {problem_id} cannot be {name}: it is {why}.", rule=_ONE_STATE
                )
            state[problem_id] = name
    schema = column_types(LedgerRow, "problem_id", "state")
    rows = pl.DataFrame([*state.items()], schema=schema, orient="row")
    return _finish(rows.with_columns(attempts=0, passes=0), "r0")


def next_ledger(
    previous: pl.DataFrame,
    verdicts: pl.DataFrame | None,
    reflection_verdicts: pl.DataFrame | None = None,
    *,
    round_name: str,
) -> pl.DataFrame:
    """Return the ledger after a round.

    An open problem becomes accepted if a trajectory of the student was accepted, else reflected if
    a reflection was, else hard if any was judged, else its state stays. A reflected problem that
    the student solves becomes accepted. No solved problem is ever open again.

    Args:
        previous: the ledger of the previous round.
        verdicts: `Verdict` rows of the student's trajectories in this round; None where it
            generated nothing.
        reflection_verdicts: `Verdict` rows of its reflections, likewise.
        round_name: this round.

    Returns:
        `LedgerRow` rows sorted by problem_id.

    Raises:
        ParamError: if the round is the one that `previous` is of.
        DataError: if a verdict's problem is not in the ledger or was kept out.
    """
    if round_name in set(previous["round"]):
        raise ParamError(
            f"The ledger of {round_name} cannot follow itself; give the previous round"
        )
    # How many were judged and accepted, of each problem.
    student = _count(verdicts, "tried", "solved")
    reflected = _count(reflection_verdicts, "reflections", "repaired")
    _check_known(previous, student, "student trajectories")
    _check_known(previous, reflected, "reflections")
    rows = previous.join(student, on="problem_id", how="left")
    rows = rows.join(reflected, on="problem_id", how="left").fill_null(0)
    # The new state, by the first case that applies.
    is_open = pl.col("state").is_in(OPEN)
    state = (
        pl.when((is_open | (pl.col("state") == "reflected")) & (pl.col("solved") > 0))
        .then(pl.lit("accepted"))
        .when(is_open & (pl.col("repaired") > 0))
        .then(pl.lit("reflected"))
        .when(is_open & (pl.col("tried") + pl.col("reflections") > 0))
        .then(pl.lit("hard"))
        .otherwise("state")
    )
    attempts, passes = pl.col("attempts") + pl.col("tried"), pl.col("passes") + pl.col("solved")
    return _finish(rows.with_columns(state=state, attempts=attempts, passes=passes), round_name)


def count_states(ledger: pl.DataFrame) -> dict[str, int]:
    """Count the problems in each state, zeros included; the counts sum to all problems."""
    found = dict(ledger.group_by("state").len().iter_rows())
    return {state: int(found.get(state, 0)) for state in LEDGER_STATES}


def assert_ledger(
    ledger: pl.DataFrame, *, previous: pl.DataFrame | None = None, train: pl.DataFrame
) -> None:
    """Check a round's ledger by its contract, and against the ledger before and the training rows.

    The problems are those of before, counts never fall, what is solved or kept out stays so. The
    training rows are of solved problems, and every solved problem has one.

    Raises:
        ContractError: if it breaks its contract.
        DataError: naming the rule and the first problem that breaks it.
    """
    # The ledger alone.
    validate(ledger, LedgerRow, file="the ledger")
    state, attempts, passes = pl.col("state"), pl.col("attempts"), pl.col("passes")
    _require(ledger.filter(pl.col("round") != pl.col("round").first()), "a ledger is of one round")
    _require(ledger.filter(state.is_in(OPEN) & (passes > 0)), "a problem with a pass is not open")
    untried = (state == "remaining") & (attempts > 0)
    _require(ledger.filter(untried), "a remaining problem was not tried")
    # Against the previous round.
    if previous is not None:
        for one, other in ((previous, ledger), (ledger, previous)):
            missing = one.join(other, on="problem_id", how="anti")
            _require(missing, "every problem has a row, and no other")
        both = ledger.join(previous, on="problem_id", suffix="_previous", validate="1:1")
        earlier = pl.col("state_previous")
        fell = (attempts < pl.col("attempts_previous")) | (passes < pl.col("passes_previous"))
        _require(both.filter(fell), "attempts and passes accumulate")
        lost = earlier.is_in(SOLVED) & ~state.is_in(SOLVED)
        _require(both.filter(lost), "a solved problem stays solved")
        moved = (state != earlier) & (state.is_in(KEPT_OUT) | earlier.is_in(KEPT_OUT))
        _require(both.filter(moved), "what is kept out stays out, and nothing joins it")
    # Against the training rows.
    solved = ledger.filter(state.is_in(SOLVED))
    unsolved = train.join(solved, on="problem_id", how="anti")
    _require(unsolved, "training rows are of solved problems")
    without = solved.join(train, on="problem_id", how="anti")
    _require(without, "a solved problem has a training row")


def _finish(rows: pl.DataFrame, round_name: str) -> pl.DataFrame:
    rows = rows.with_columns(round=pl.lit(round_name))
    return rows.select(pl.col(name).cast(dtype) for name, dtype in LEDGER.items()).sort(
        "problem_id"
    )


def _count(verdicts: pl.DataFrame | None, total: str, accepted: str) -> pl.DataFrame:
    if verdicts is None:
        return pl.DataFrame(schema={"problem_id": pl.String, total: pl.Int64, accepted: pl.Int64})
    counts = pl.len().alias(total), pl.col("accepted").sum().alias(accepted)
    return verdicts.group_by("problem_id").agg(expr.cast(pl.Int64) for expr in counts)


def _check_known(previous: pl.DataFrame, counts: pl.DataFrame, what: str) -> None:
    unknown = counts.join(previous, on="problem_id", how="anti")
    _require(unknown, f"{what} are of problems in the ledger")
    kept_out = previous.filter(pl.col("state").is_in(KEPT_OUT))
    leaked = counts.join(kept_out, on="problem_id", how="semi")
    _require(leaked, f"{what} are not of problems that were kept out")


def _require(broken: pl.DataFrame, rule: str) -> None:
    if broken.height:
        first = broken.sort("problem_id").row(0, named=True)
        state = f" (state {first['state']})" if "state" in first else ""
        raise DataError(
            f"{broken.height} problems break a rule of the ledger, such as "
            f"{first['problem_id']}{state}.",
            rule=rule,
        )
