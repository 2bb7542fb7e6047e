"""Annotators: which trajectories are right and, where one can name them, faulty step and cause."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from mathse.answers.check_problems import check_answers
from mathse.core.layout import Layout
from mathse.core.params import Params
from mathse.curation.plan import usable_problems
from mathse.engines.protocol import TEACHER_SAMPLING, Engine, Request, SamplingParams, complete_all
from mathse.engines.roles import load_role
from mathse.judge.verdict_parsing import parse_verdict
from mathse.trajectories import solve
from schemas import OrmRow, column_types

_FEEDBACK = ("error_step", "error_analysis", "error_kind", "figure", "right_step")
_TEXT = ("trajectory_id", "problem_id", "response", "steps")
ANNOTATED = column_types(OrmRow, *_TEXT, "status", *_FEEDBACK)


Annotate = Callable[[pl.DataFrame], pl.DataFrame]
"""From `Trajectory` rows to `ANNOTATED` rows, without those that cannot be decided."""


def load_annotator(layout: Layout, params: Params, problems: pl.DataFrame) -> Annotate:
    """Load the annotator that the parameters name."""
    if params.annotator.engine == "answer":
        return annotate_by_answer(problems)
    return annotate_by_engine(load_role(layout, params, "annotator", problems, "annotate"))


def annotate_by_answer(problems: pl.DataFrame) -> Annotate:
    """Annotate by the answer check, which names neither step nor cause."""

    def annotate(trajectories: pl.DataFrame) -> pl.DataFrame:
        states = check_answers(trajectories, problems)["state"]
        decided = trajectories.with_columns(state=states).filter(
            pl.col("state").is_in(["match", "mismatch", "no_answer"])
        )
        is_right = pl.col("state") == "match"
        return decided.with_columns(
            pl.lit(None, dtype=ANNOTATED[name]).alias(name) for name in _FEEDBACK
        ).select(
            *_TEXT,
            pl.when(is_right).then(pl.lit("correct")).otherwise(pl.lit("wrong")).alias("status"),
            *_FEEDBACK,
        )

    return annotate


def annotate_by_engine(engine: Engine) -> Annotate:
    """Annotate by an engine that knows the task annotate."""

    def annotate(trajectories: pl.DataFrame) -> pl.DataFrame:
        requests = [
            Request(
                key=row["trajectory_id"],
                messages=[],
                sampling=TEACHER_SAMPLING,
                task="annotate",
                problem_id=row["problem_id"],
                context={"response": row["response"]},
            )
            for row in trajectories.iter_rows(named=True)
        ]
        verdicts = [parse_verdict(done.text) for done in complete_all(engine, requests)]
        columns = [
            pl.Series(name, [getattr(verdict, name) for verdict in verdicts], dtype=ANNOTATED[name])
            for name in ("status", *_FEEDBACK)
        ]
        annotated = trajectories.select(_TEXT).with_columns(columns)
        return annotated.filter(pl.col("status") != "unparseable")

    return annotate


def annotate_for_orm(
    annotate: Annotate,
    trajectories: pl.DataFrame,
    problems: pl.DataFrame,
    *,
    teacher: Engine,
    sampling: SamplingParams,
    teacher_share: float,
) -> pl.DataFrame:
    """Annotate whole trajectories, and add the teacher's solutions of unsolved problems.

    Without these the judge would know hard problems by their wrong trajectories alone, and learn to
    judge by the question.

    Args:
        annotate: annotates trajectories.
        trajectories: `Trajectory` rows; those that were cut off are left out.
        problems: `Problem` rows of the splits orm and orm_test.
        teacher: who solves problems that the student did not.
        sampling: of the teacher.
        teacher_share: most solutions of the teacher for each wrong trajectory.

    Returns:
        Rows of `ANNOTATED`.
    """
    annotated = annotate(trajectories.filter(pl.col("finish_reason") == "stop"))
    # Problems without a correct trajectory, by content hash.
    right = annotated.filter(pl.col("status") == "correct")["problem_id"].to_list()
    wrong = annotated.filter(pl.col("status") == "wrong")
    unsolved = usable_problems(problems, teacher, right).sort("problem_id")
    names: list[str] = []
    for split in ("orm", "orm_test"):
        in_split = problems.filter(pl.col("split") == split)
        most = round(teacher_share * wrong.join(in_split, on="problem_id", how="semi").height)
        names += unsolved.filter(pl.col("split") == split)["problem_id"].head(most).to_list()
    solved = solve(
        teacher,
        problems,
        [(name, 0) for name in names],
        sampling=sampling,
        round_name="r0",
        origin="teacher",
    )
    whole = solved.filter(pl.col("finish_reason") == "stop")
    return pl.concat([annotated, annotate(whole)])
