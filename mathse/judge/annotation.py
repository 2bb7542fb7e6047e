"""Annotators: which trajectories are right and, where one can name them, faulty step and cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from mathse.answers.check_problems import check_answers
from mathse.core.errors import ParamError
from mathse.engines.protocol import TEACHER_SAMPLING, Engine, Request, complete_all
from mathse.figures.teacher import FiguresTeacher
from mathse.judge.verdict_parsing import parse_verdict
from mathse.prompts import VerdictForm
from mathse.trajectories import solve
from schemas import OrmRow, column_types

_FEEDBACK = ("error_step", "error_analysis", "error_kind", "figure", "right_step")
_TEXT = ("trajectory_id", "problem_id", "response", "steps")
ANNOTATED = column_types(OrmRow, *_TEXT, "status", *_FEEDBACK)


@dataclass(frozen=True)
class Annotator:
    """Annotates trajectories.

    Attributes:
        annotate: from `Trajectory` rows to `ANNOTATED` rows, without those that it cannot decide.
        names_steps: True if wrong trajectories get faulty step and cause.
        teacher: who solves problems that the student did not, if the annotator can.
    """

    annotate: Callable[[pl.DataFrame], pl.DataFrame]
    names_steps: bool
    teacher: Engine | None = None


def annotate_by_answer(problems: pl.DataFrame) -> Annotator:
    """Annotate by the answer check."""

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

    return Annotator(annotate, names_steps=False)


def annotate_by_figures(problems: pl.DataFrame) -> Annotator:
    """Annotate by the built-in teacher, which knows the worked solutions."""
    return annotate_by_engine(FiguresTeacher(problems))


def annotate_by_engine(engine: Engine) -> Annotator:
    """Annotate by an engine that knows the tasks annotate and solve."""

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

    return Annotator(annotate, names_steps=True, teacher=engine)


def annotate_for_orm(
    annotator: Annotator,
    trajectories: pl.DataFrame,
    problems: pl.DataFrame,
    *,
    form: VerdictForm,
    teacher_share: float,
) -> pl.DataFrame:
    """Annotate whole trajectories, and add the teacher's solutions of unsolved problems.

    Without these the judge would know hard problems by their wrong trajectories alone, and learn to
    judge by the question.

    Args:
        annotator: who annotates.
        trajectories: `Trajectory` rows; those that were cut off are left out.
        problems: `Problem` rows of the splits orm and orm_test.
        form: of the verdicts that the ORM learns to write.
        teacher_share: most solutions of the teacher for each wrong trajectory.

    Returns:
        Rows of `ANNOTATED`.

    Raises:
        ParamError: if the form needs steps that the annotator does not name.
    """
    if form != "binary" and not annotator.names_steps:
        raise ParamError(
            f"orm_data.annotator names no steps, which train_orm.form {form} needs: "
            "set train_orm.form to binary, or choose another annotator"
        )
    annotated = annotator.annotate(trajectories.filter(pl.col("finish_reason") == "stop"))
    if annotator.teacher is None:
        return annotated
    # Problems without a correct trajectory, by content hash.
    right = annotated.filter(pl.col("status") == "correct")["problem_id"].to_list()
    wrong = annotated.filter(pl.col("status") == "wrong")
    unsolved = problems.filter(~pl.col("problem_id").is_in(right)).sort("problem_id")
    names: list[str] = []
    for split in ("orm", "orm_test"):
        in_split = problems.filter(pl.col("split") == split)
        most = round(teacher_share * wrong.join(in_split, on="problem_id", how="semi").height)
        names += unsolved.filter(pl.col("split") == split)["problem_id"].head(most).to_list()
    solved = solve(
        annotator.teacher,
        problems,
        [(name, 0) for name in names],
        sampling=TEACHER_SAMPLING,
        round_name="r0",
        origin="teacher",
    )
    whole = solved.filter(pl.col("finish_reason") == "stop")
    return pl.concat([annotated, annotator.annotate(whole)])
