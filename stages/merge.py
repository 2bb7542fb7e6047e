"""merge: accepted paths and reflections join the training rows; the ledger says what became of each problem."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.tables import write_table
from mathse.curation.balance import Balance
from mathse.curation.drops import count_dropped
from mathse.curation.ledger import assert_ledger, count_states, next_ledger
from mathse.curation.training_rows import count_buckets, merge_rows, without_unusable
from schemas import checks
from stages.common import read, read_problems, run, write, write_metrics


def merge(layout: Layout, round_name: str) -> None:
    """Write the round's training rows, ledger and dropped rows."""
    settings = load_params(layout.params)
    files = layout.round(round_name)
    before = layout.round(settings.previous_round(round_name) or "r0")
    everything = read_problems(layout)
    pool = everything.filter(pl.col("split") == "train")
    paths = read(files.trajectories, schemas.Trajectory)
    verdicts = read(files.verdicts, schemas.Verdict)
    reflections = read(files.reflections, schemas.Trajectory)
    judged = read(files.reflection_verdicts, schemas.Verdict)
    balance = Balance(**settings.merge.model_dump(exclude={"max_per_problem"}))
    train, dropped = merge_rows(
        read(before.train, schemas.TrainRow),
        paths,
        verdicts,
        reflections,
        judged,
        round_name=round_name,
        max_per_problem=settings.merge.max_per_problem,
        balance=balance,
    )
    previous = read(before.ledger, schemas.LedgerRow)
    counted = [without_unusable(rows, dropped) for rows in (verdicts, judged)]
    ledger = next_ledger(previous, counted[0], counted[1], round_name=round_name)
    assert_ledger(ledger, problem_ids=pool["problem_id"].to_list(), previous=previous, train=train)
    checks.held_out_stay_out(
        train, everything.filter(pl.col("split") != "train"), file=str(files.train)
    )
    write(train, files.train, schemas.TrainRow, sort_by=["row_id"])
    write(ledger, files.ledger, schemas.LedgerRow, sort_by=["problem_id"])
    write_table(dropped, files.dropped, sort_by=["trajectory_id"])
    new = train.filter(pl.col("round") == round_name)
    counts = {
        "rows": train.height,
        "new": dict(new.group_by("origin").len().sort("origin").iter_rows()),
        "buckets": count_buckets(new, verdicts, balance),
        "dropped": count_dropped(dropped, schemas.DROP_REASONS),
        "problems": count_states(ledger),
    }
    write_metrics(layout.metrics("merge", round_name), {round_name: counts})


if __name__ == "__main__":
    run(merge)
