"""distill: the teacher solves a subset of the problems; its right paths are the training rows of r0."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params, load_params
from mathse.core.tables import write_table
from mathse.curation.contamination import contaminated_problems
from mathse.curation.drops import count_dropped
from mathse.curation.ledger import assert_ledger, initial_ledger
from mathse.curation.training_rows import merge_rows
from mathse.engines.protocol import Engine, SamplingParams
from mathse.judge.acceptance import accept_trajectories, count_reasons
from mathse.reflection import MISTAKES
from mathse.trajectories import solve_chunk
from stages.checking import check_answers
from stages.common import by_id, read, read_problems, run, write, write_metrics


def distill(layout: Layout) -> None:
    """Write the teacher's trajectories, and the first training rows, ledger and mistakes."""
    settings = load_params(layout.params)
    pool = read_problems(layout, "train")
    leaks = contaminated_problems(read(layout.matches, schemas.Match), "train")
    chosen = choose(pool.filter(~pl.col("problem_id").is_in(leaks)), settings)
    teacher = load_teacher(settings, pool)
    plan = [(name, 0) for name in chosen]
    sampling = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=1, seed=settings.seed)
    paths = solve_chunk(
        teacher, by_id(pool), plan, sampling=sampling, round_name="r0", origin="teacher"
    )
    write(
        paths, layout.distill.trajectories, schemas.Trajectory, sort_by=["problem_id", "sample_idx"]
    )
    verdicts = judge_by_answer(paths, pool)
    write(verdicts, layout.distill.verdicts, schemas.Verdict, sort_by=["trajectory_id"])
    train, dropped = merge_rows(None, paths, verdicts, round_name="r0", max_per_problem=1)
    ledger = initial_ledger(
        pool["problem_id"].to_list(), train["problem_id"].to_list(), contaminated=leaks
    )
    assert_ledger(ledger, problem_ids=pool["problem_id"].to_list(), train=train)
    first = layout.round("r0")
    write(train, first.train, schemas.TrainRow, sort_by=["row_id"])
    write(ledger, first.ledger, schemas.LedgerRow, sort_by=["problem_id"])
    write_table(pl.DataFrame(schema=MISTAKES), first.mistakes, sort_by=["problem_id"])
    counts = {
        "rows": train.height,
        "contaminated": len(leaks),
        **count_reasons(verdicts),
        **count_dropped(dropped, schemas.DROP_REASONS),
    }
    write_metrics(layout.metrics("distill"), {"distill": counts})


def choose(pool: pl.DataFrame, settings: Params) -> list[str]:
    """Choose the problems for the teacher: families in turn, within one by content hash."""
    if settings.distill.teacher == "dataset":
        pool = pool.filter(pl.col("solution").is_not_null())
    keys = [content_id("distill", settings.seed, name) for name in pool["problem_id"]]
    ordered = pool.with_columns(pl.Series("key", keys, dtype=pl.String)).sort("key")
    group = pl.col("family").fill_null(pl.col("subject"))
    ordered = ordered.with_columns(turn=pl.int_range(pl.len()).over(group)).sort("turn", "key")
    return sorted(ordered["problem_id"].head(settings.distill.problems).to_list())


def load_teacher(settings: Params, pool: pl.DataFrame) -> Engine:
    """Return the engine that plays the teacher."""
    if settings.distill.teacher == "figures":
        from mathse.figures.teacher import FiguresTeacher

        return FiguresTeacher(pool)
    from mathse.engines.dataset import DatasetTeacher

    return DatasetTeacher(pool)


def judge_by_answer(paths: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """Accept teacher's paths whose final answer is the gold answer: there is no ORM yet."""
    rows = (
        check_answers(paths, pool)
        .rename({"state": "answer_state", "found": "predicted_answer"})
        .drop("reason")
        .with_columns(
            orm_status=pl.lit("skipped"),
            p_correct=pl.lit(None, dtype=pl.Float64),
            error_step=pl.lit(None, dtype=pl.Int64),
            error_analysis=pl.lit(None, dtype=pl.String),
            error_kind=pl.lit(None, dtype=pl.String),
        )
    )
    return accept_trajectories(rows, accept="answer")


if __name__ == "__main__":
    run(distill)
