"""merge: what is accepted joins the training rows; the ledger keeps a state for each problem."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.curation.drops import count_dropped
from mathse.curation.ledger import count_states
from mathse.curation.merge_round import merge_round, warn_of_repetition
from mathse.curation.training_rows import count_buckets
from schemas import checks


def merge(layout: Layout, round_name: str) -> None:
    """Write the round's training rows, ledger and dropped rows."""
    params = load_params(layout.params)
    files = layout.round(round_name)
    previous_round = params.previous_round(round_name) or "r0"
    previous = layout.round(previous_round)
    problems = read_problems(layout)
    verdicts = read(files.verdicts, schemas.Verdict)
    # Rows and ledger of the round before, with what this round wrote and judged.
    train, ledger, dropped = merge_round(
        read(previous.train, schemas.TrainRow),
        read(previous.ledger, schemas.LedgerRow),
        read(files.trajectories, schemas.Trajectory),
        verdicts,
        read(files.reflections, schemas.Trajectory),
        read(files.reflection_verdicts, schemas.Verdict),
        read(files.mistakes, schemas.Mistake),
        round_name=round_name,
        params=params,
    )
    # Before anything is written: the ledger has all training problems, and the rows have no others.
    in_training = pl.col("split") == "train"
    pool, others = problems.filter(in_training), problems.filter(~in_training)
    checks.ledger_covers_problems(ledger, pool, file=str(files.ledger))
    checks.held_out_stay_out(train, others, file=str(files.train))
    write(train, files.train, schemas.TrainRow, sort_by=["row_id"])
    write(ledger, files.ledger, schemas.LedgerRow, sort_by=["problem_id"])
    write(dropped, files.dropped, schemas.Dropped, sort_by=["trajectory_id"])
    new = train.filter(pl.col("round") == round_name)
    warn_of_repetition(new, round_name, previous_round)
    counts = {
        "rows": train.height,
        "new": dict(new.group_by("origin").len().sort("origin").iter_rows()),
        "buckets": count_buckets(new, verdicts, params.merge),
        "dropped": count_dropped(dropped, schemas.DROP_REASONS),
        "problems": count_states(ledger),
    }
    write_metrics(layout.metrics("merge", round_name), {round_name: counts})


if __name__ == "__main__":
    run(merge)
