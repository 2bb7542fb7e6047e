"""orm_data: the r0 student solves problems kept for the ORM; its paths, annotated, are what the ORM learns from."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.errors import ParamError
from mathse.core.layout import Layout
from mathse.core.params import Params, load_params
from mathse.curation.drops import count_dropped
from mathse.engines.protocol import Request, SamplingParams
from mathse.judge.orm_rows import build_rows
from mathse.judge.verdicts import parse_verdict
from mathse.trajectories import refuse_failures, solve_chunk
from stages.checking import check_answers
from stages.common import by_id, read, read_problems, run, write, write_metrics
from stages.models import load_engine, sample_paths

GREEDY = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=1, seed=0)


def orm_data(layout: Layout) -> None:
    """Write the r0 student's trajectories and the ORM's rows."""
    settings = load_params(layout.params)
    section = settings.orm_data
    if section.annotator == "answer" and settings.train_orm.form != "binary":
        raise ParamError("orm_data.annotator: answer names no steps; set train_orm.form to binary")
    leaks = sorted(
        set(read(layout.matches, schemas.Match).filter(pl.col("split") == "orm")["problem_id"])
    )
    pool = read_problems(layout, "orm", "orm_test").filter(~pl.col("problem_id").is_in(leaks))
    plan = [
        (name, sample) for name in sorted(pool["problem_id"]) for sample in range(section.samples)
    ]
    engine = load_engine(layout, layout.round("r0").model, settings.student)
    paths = sample_paths(
        layout,
        engine,
        pool,
        plan,
        section,
        seed=settings.seed,
        round_name="r0",
        chunk_size=1024,
        label="orm_data",
    )
    refuse_failures(paths, "The student")
    annotated = annotate(paths, pool, settings)
    if section.annotator == "figures":
        annotated = add_teacher_paths(annotated, pool, settings)
    test = set(pool.filter(pl.col("split") == "orm_test")["problem_id"])
    rows, dropped = build_rows(
        annotated,
        pool,
        test_problems=test,
        max_train=section.max_train,
        max_test=section.max_test,
        max_per_problem=section.max_per_problem,
        need_feedback=settings.train_orm.form != "binary",
    )
    write(paths, layout.orm.trajectories, schemas.Trajectory, sort_by=["problem_id", "sample_idx"])
    write(rows, layout.orm.rows, schemas.OrmRow, sort_by=["row_id"])
    kinds = (
        rows.filter(pl.col("status") == "wrong")
        .group_by("error_kind")
        .len()
        .sort("error_kind")
        .iter_rows()
    )
    write_metrics(
        layout.metrics("orm_data"),
        {
            "orm_data": {
                "contaminated": len(leaks),
                "paths": paths.height,
                "train": rows.filter(pl.col("part") == "train").height,
                "test": rows.filter(pl.col("part") == "test").height,
                "wrong_by_kind": {str(kind): count for kind, count in kinds},
                "dropped": count_dropped(dropped),
            }
        },
    )


def annotate(paths: pl.DataFrame, pool: pl.DataFrame, settings: Params) -> pl.DataFrame:
    """Say of each whole path whether it is right and, where a teacher can, which step is faulty and why."""
    whole = paths.filter(pl.col("finish_reason") == "stop")
    base = whole.select("trajectory_id", "problem_id", "response", "steps")
    if settings.orm_data.annotator == "answer":
        states = check_answers(whole, pool)["state"]
        kept = base.with_columns(state=states).filter(
            pl.col("state").is_in(["match", "mismatch", "no_answer"])
        )
        none = {
            name: pl.lit(None, dtype=pl.String)
            for name in ("error_analysis", "error_kind", "figure", "right_step")
        }
        status = (
            pl.when(pl.col("state") == "match").then(pl.lit("correct")).otherwise(pl.lit("wrong"))
        )
        return kept.with_columns(
            status=status, error_step=pl.lit(None, dtype=pl.Int64), **none
        ).drop("state")
    from mathse.figures.teacher import FiguresTeacher

    teacher = FiguresTeacher(pool)
    requests = [
        Request(
            key=row["trajectory_id"],
            messages=[],
            task="annotate",
            problem_id=row["problem_id"],
            context={"response": row["response"]},
        )
        for row in base.iter_rows(named=True)
    ]
    verdicts = [parse_verdict(done.text) for done in teacher.complete(requests, GREEDY)]
    return base.with_columns(
        pl.Series("status", [verdict.status for verdict in verdicts], dtype=pl.String),
        pl.Series("error_step", [verdict.error_step for verdict in verdicts], dtype=pl.Int64),
        pl.Series(
            "error_analysis", [verdict.error_analysis for verdict in verdicts], dtype=pl.String
        ),
        pl.Series("error_kind", [verdict.error_kind for verdict in verdicts], dtype=pl.String),
        pl.Series("figure", [verdict.figure for verdict in verdicts], dtype=pl.String),
        pl.Series("right_step", [verdict.right_step for verdict in verdicts], dtype=pl.String),
    ).filter(pl.col("status") != "unparseable")


def add_teacher_paths(
    annotated: pl.DataFrame, pool: pl.DataFrame, settings: Params
) -> pl.DataFrame:
    """Add the teacher's solutions of unsolved problems, at most `teacher_share` for each wrong path.

    Without them the judge would know hard problems by their wrong paths alone, and learn to judge
    by the question.
    """
    from mathse.figures.teacher import FiguresTeacher

    right = annotated.filter(pl.col("status") == "correct")
    unsolved = pool.filter(~pl.col("problem_id").is_in(right["problem_id"].to_list())).sort(
        "problem_id"
    )
    each = []
    for split in ("orm", "orm_test"):
        names = pool.filter(pl.col("split") == split)["problem_id"].to_list()
        wrong = annotated.filter(
            (pl.col("status") == "wrong") & pl.col("problem_id").is_in(names)
        ).height
        most = round(settings.orm_data.teacher_share * wrong)
        each += unsolved.filter(pl.col("split") == split)["problem_id"].head(most).to_list()
    solved = solve_chunk(
        FiguresTeacher(pool),
        by_id(pool),
        [(name, 0) for name in each],
        sampling=GREEDY,
        round_name="r0",
        origin="teacher",
    )
    return pl.concat([annotated, annotate(solved, pool, settings)])


if __name__ == "__main__":
    run(orm_data)
