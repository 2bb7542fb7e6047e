"""Annotators: which trajectories are right and, where one can name them, faulty step and cause."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from mathse.answers.check_table import check_answers
from mathse.core.failures import check_failures
from mathse.curation.drops import Drops
from mathse.engines.protocol import (
    TEACHER_SAMPLING,
    Engine,
    Request,
    SamplingParams,
    complete_all,
    request_seed,
)
from mathse.judge.reveal import reveals_answer
from mathse.judge.verdict_parsing import UNPARSEABLE, ParsedVerdict, parse_annotation
from mathse.prompts import choice_letter
from mathse.prompts.roles import RolePrompts
from mathse.trajectories import errors_of, problems_by_id
from schemas import OrmRow, column_types

_FEEDBACK = ("error_step", "error_analysis", "error_kind", "figure", "right_step")
_TEXT = ("trajectory_id", "problem_id", "response", "steps")
ANNOTATED = column_types(OrmRow, *_TEXT, "status", *_FEEDBACK)
DOUBTS = ("request_failed", "unparseable", "contradicts_answer", "reveals_answer")
"""Why an annotation is not used, in the order of the checks."""


def annotate_by_answer(trajectories: pl.DataFrame, problems: pl.DataFrame) -> pl.DataFrame:
    """Annotate by the answer check, which names neither step nor cause."""
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


def annotate_by_engine(
    trajectories: pl.DataFrame,
    problems: pl.DataFrame,
    engine: Engine,
    drops: Drops,
    *,
    prompts: RolePrompts,
    sampling: SamplingParams = TEACHER_SAMPLING,
    errors_max_share: float = 1.0,
    checks_answers: bool = True,
) -> pl.DataFrame:
    """Annotate by an engine that knows the task annotate.

    Args:
        trajectories: `Trajectory` rows.
        problems: `Problem` rows; those of the trajectories must be among them.
        engine: who annotates.
        drops: gets the trajectories whose annotation is not used; see `DOUBTS`.
        prompts: of the annotator.
        sampling: how to sample; its seed is that of the run.
        errors_max_share: largest share of requests that may fail.
        checks_answers: whether a status that contradicts the answer check, and a text that gives
            gold away, are not used. An engine that knows the solutions needs no such check.

    Returns:
        `ANNOTATED` rows.

    Raises:
        DataError: if too many requests fail.
    """
    known = problems_by_id(problems, trajectories["problem_id"].to_list())
    requests = [
        _annotation_request(row, known[row["problem_id"]], prompts, sampling)
        for row in trajectories.iter_rows(named=True)
    ]
    completions = complete_all(engine, requests)
    check_failures(errors_of(completions), max_share=errors_max_share, label="annotate")
    # The verdicts, and what speaks against using each.
    states = [""] * trajectories.height
    if checks_answers:
        states = check_answers(trajectories, problems)["state"].to_list()
    verdicts, doubts = [], []
    for row, done, state in zip(
        trajectories.iter_rows(named=True), completions, states, strict=True
    ):
        verdict, suggestion = parse_annotation(done.text)
        verdict = verdict if done.finish_reason == "stop" else UNPARSEABLE
        doubt = "request_failed" if done.error_kind else _doubt(verdict, state)
        if checks_answers and not doubt and verdict.status == "wrong":
            said = f"{verdict.error_analysis}\n{suggestion}"
            if reveals_answer(said, known[row["problem_id"]], row["response"]):
                doubt = "reveals_answer"
        verdicts.append(verdict)
        doubts.append(doubt)
    columns = [
        pl.Series(name, [getattr(verdict, name) for verdict in verdicts], dtype=ANNOTATED[name])
        for name in ("status", *_FEEDBACK)
    ]
    annotated = trajectories.select(_TEXT).with_columns(
        *columns, pl.Series("doubt", doubts, dtype=pl.String)
    )
    for doubt in DOUBTS:
        annotated = drops.keep(annotated, pl.col("doubt") != doubt, doubt)
    return annotated.drop("doubt")


def _annotation_request(
    row: Mapping[str, Any],
    problem: Mapping[str, Any],
    prompts: RolePrompts,
    sampling: SamplingParams,
) -> Request:
    images, choices = tuple(problem["image_ids"]), list(problem["choices"])
    answer = " ".join(filter(None, [problem["answer"], problem["unit"]]))
    if problem["answer"] in choices:
        answer = f"{choice_letter(choices.index(problem['answer']))}. {problem['answer']}"
    seed = request_seed(sampling.seed, row["round"], "annotate", row["trajectory_id"], 0)
    return Request(
        key=row["trajectory_id"],
        messages=prompts.annotate(problem["question"], choices, len(images), row["steps"], answer),
        image_ids=images,
        sampling=replace(sampling, seed=seed),
        task="annotate",
        problem_id=row["problem_id"],
        context={"response": row["response"]},
    )


def _doubt(verdict: ParsedVerdict, state: str) -> str:
    """Return why a verdict is not used, given the state of the answer check; empty: it is."""
    if verdict.status == "unparseable":
        return "unparseable"
    wrong = verdict.status == "wrong"
    contradicts = state == "match" if wrong else state in ("mismatch", "no_answer")
    return "contradicts_answer" if contradicts else ""
