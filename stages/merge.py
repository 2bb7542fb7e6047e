"""merge: accepted paths and reflections join the training rows; the ledger says what became of each problem."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import schemas
from mathse.core.params import load_params
from mathse.core.tables import write_table
from mathse.curation.balance import Balance
from mathse.curation.ledger import assert_ledger, count_states, next_ledger
from mathse.curation.training_rows import count_buckets, count_dropped, merge_rows, without_unusable
from schemas import checks
from stages.common import read, read_problems, run, write, write_metrics


def merge(
    params: Path, problems: Path, before: Path, out: Path, round_name: str, metrics: Path
) -> None:
    """Read the round's paths and verdicts from OUT and the round before from BEFORE; write train, ledger, dropped."""
    settings = load_params(params)
    everything = read_problems(problems)
    pool = everything.filter(pl.col("split") == "train")
    paths = read(out / "trajectories.parquet", schemas.Trajectory)
    verdicts = read(out / "verdicts.parquet", schemas.Verdict)
    reflections = read(out / "reflections.parquet", schemas.Trajectory)
    judged = read(out / "reflection_verdicts.parquet", schemas.Verdict)
    balance = Balance(**settings.merge.model_dump(exclude={"max_per_problem"}))
    train, dropped = merge_rows(
        read(before / "train.parquet", schemas.TrainRow),
        paths,
        verdicts,
        reflections,
        judged,
        round_name=round_name,
        max_per_problem=settings.merge.max_per_problem,
        balance=balance,
    )
    previous = read(before / "ledger.parquet", schemas.LedgerRow)
    counted = [without_unusable(rows, dropped) for rows in (verdicts, judged)]
    ledger = next_ledger(previous, counted[0], counted[1], round_name=round_name)
    assert_ledger(ledger, problem_ids=pool["problem_id"].to_list(), previous=previous, train=train)
    checks.held_out_stay_out(
        train, everything.filter(pl.col("split") != "train"), file=str(out / "train.parquet")
    )
    write(train, out / "train.parquet", schemas.TrainRow, sort_by=["row_id"])
    write(ledger, out / "ledger.parquet", schemas.LedgerRow, sort_by=["problem_id"])
    write_table(dropped, out / "dropped.parquet", sort_by=["trajectory_id"])
    new = train.filter(pl.col("round") == round_name)
    counts = {
        "rows": train.height,
        "new": dict(new.group_by("origin").len().sort("origin").iter_rows()),
        "buckets": count_buckets(new, verdicts, balance),
        "dropped": count_dropped(dropped),
        "problems": count_states(ledger),
    }
    write_metrics(metrics, {round_name: counts})


if __name__ == "__main__":
    run(merge)
