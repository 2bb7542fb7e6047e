"""Ask the ORM about trajectories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from mathse.core.failures import check_failures, count_failures
from mathse.core.params import Accept
from mathse.engines.protocol import Completion, Engine, Request, SamplingParams, complete_all
from mathse.judge.acceptance import accept_trajectories
from mathse.judge.answer_states import with_answer_states
from mathse.judge.judgements import JUDGEMENTS, distinct_trajectories, join_judgements
from mathse.judge.likelihood import STUDENT, Calibration, judge_by_likelihood, writer_of
from mathse.judge.verdict_grammar import verdict_grammar
from mathse.judge.verdict_parsing import read_completion
from mathse.prompts import (
    VerdictForm,
    judge_messages,
    judge_solution_messages,
    render_verdict,
    verdict_prefix,
)
from mathse.trajectories import errors_of, problems_by_id

JudgeSolutions = Mapping[str, str | None]
"""The judge's own solution of each problem; None where it failed."""


@dataclass
class Judge:
    """Gives each trajectory its verdict: answer check, ORM, acceptance.

    Args:
        engine: the ORM.
        problems: `Problem` rows; those of the trajectories must be among them.
        form: what the ORM was trained to write.
        max_new_tokens: most tokens of a verdict, and of a solution of its own.
        accept: see `accept_trajectories`.
        min_p_correct: see `accept_trajectories`.
        errors_max_share: largest share of requests that may fail.
        solver: solves the problems for the stepwise form, as the ORM itself; None: `engine`.
        calibration: for the likelihood form.
        reflector_is_student: whether reflections are the student's.
    """

    engine: Engine
    problems: pl.DataFrame
    form: VerdictForm
    max_new_tokens: int
    accept: Accept = "both"
    min_p_correct: float = 0.0
    errors_max_share: float = 1.0
    solver: Engine | None = None
    calibration: Calibration | None = None
    reflector_is_student: bool = False
    _solutions: JudgeSolutions | None = field(default=None, init=False)

    def __call__(self, trajectories: pl.DataFrame) -> pl.DataFrame:
        """Return `Verdict` rows in the order of the trajectories."""
        return accept_trajectories(
            self.judge(with_answer_states(trajectories, self.problems)),
            accept=self.accept,
            min_p_correct=self.min_p_correct,
        )

    def judge(self, trajectories: pl.DataFrame) -> pl.DataFrame:
        """Add the ORM's columns to rows with problem_id, response, steps and, perhaps, origin."""
        if self.calibration is not None:
            return self._judge_by_writer(trajectories, self.calibration)
        texts = distinct_trajectories(trajectories)
        judgements = pl.DataFrame(schema=JUDGEMENTS)
        if texts.height:
            judgements = judge_texts(
                self.engine,
                self.problems,
                texts,
                max_new_tokens=self.max_new_tokens,
                form=self.form,
                solutions=self._solve() if self.form == "stepwise" else {},
                errors_max_share=self.errors_max_share,
            )
        return join_judgements(trajectories, judgements)

    def _judge_by_writer(
        self, trajectories: pl.DataFrame, calibration: Calibration
    ) -> pl.DataFrame:
        rows = trajectories.with_row_index("_row")
        origins = rows["origin"] if "origin" in rows.columns else [None] * rows.height
        student = self.reflector_is_student
        writers = [writer_of(one, reflector_is_student=student) for one in origins]
        judged = []
        for name in dict.fromkeys(writers) or [STUDENT]:
            part = rows.filter(pl.Series([one == name for one in writers], dtype=pl.Boolean))
            judgements = judge_by_likelihood(
                self.engine,
                self.problems,
                distinct_trajectories(part),
                calibration,
                name,
                max_new_tokens=self.max_new_tokens,
                errors_max_share=self.errors_max_share,
            )
            judged.append(join_judgements(part, judgements))
        return pl.concat(judged).sort("_row").drop("_row")

    def _solve(self) -> JudgeSolutions:
        """Solve every problem once: most are judged sooner or later, many in several rounds."""
        if self._solutions is None:
            self._solutions = write_judge_solutions(
                self.solver or self.engine,
                self.problems,
                max_new_tokens=self.max_new_tokens,
                errors_max_share=self.errors_max_share,
            )
        return self._solutions

    def count_failures(self) -> dict[str, int]:
        """Count the failed requests so far by their kind, those for its own solutions included."""
        engines = {id(engine): engine for engine in (self.engine, self.solver)}.values()
        spent = [one for engine in engines for one in getattr(engine, "spent", ())]
        return count_failures(errors_of(spent))


def judge_texts(
    engine: Engine,
    problems: pl.DataFrame,
    texts: pl.DataFrame,
    *,
    max_new_tokens: int,
    form: VerdictForm,
    solutions: JudgeSolutions | None = None,
    errors_max_share: float = 1.0,
) -> pl.DataFrame:
    """Judge distinct texts, greedily.

    A judge that errs, is cut off, does not parse, names a step that the trajectory does not have,
    gives no proper probability or, stepwise, has no solution of its own, misquotes the trajectory
    or passes it without a check of every step, yields "unparseable".

    Args:
        engine: the ORM.
        problems: `Problem` rows; those of the texts must be among them.
        texts: rows of `distinct_trajectories`.
        max_new_tokens: most tokens of a verdict.
        form: what the judge was trained to write.
        solutions: the judge's own solutions, for the stepwise form.
        errors_max_share: largest share of requests that may fail.

    Returns:
        text_id, orm_status, p_correct, error_step, error_analysis and error_kind, in the order of
        the texts.

    Raises:
        DataError: if a problem is unknown, or too many requests fail.
    """
    known = problems_by_id(problems, texts["problem_id"].to_list())
    sampling = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=max_new_tokens)
    # A stepwise judge that has no solution of its own is not asked about that problem.
    requests: list[Request] = []
    for text in texts.iter_rows(named=True):
        solution = (solutions or {}).get(text["problem_id"])
        if form != "stepwise" or solution is not None:
            problem = known[text["problem_id"]]
            requests.append(_judge_request(text, problem, form, solution, sampling))
    completions = complete_all(engine, requests)
    # A few failed requests become unparseable verdicts; too many end the run.
    check_failures(errors_of(completions), max_share=errors_max_share, label="judge")
    # A row for every text, also for those that were not asked about.
    done = {completion.key: completion for completion in completions}
    rows = []
    for text in texts.iter_rows(named=True):
        name = text["text_id"]
        completion = done.get(name) or Completion.failed(name, "the judge has no solution")
        verdict, p_correct = read_completion(completion, text["steps"], form)
        feedback = (verdict.error_step, verdict.error_analysis, verdict.error_kind)
        rows.append((name, verdict.status, p_correct, *feedback))
    return pl.DataFrame(rows, schema=JUDGEMENTS, orient="row")


def write_judge_solutions(
    engine: Engine, problems: pl.DataFrame, *, max_new_tokens: int, errors_max_share: float = 1.0
) -> JudgeSolutions:
    """Let a stepwise judge solve problems, greedily, before it sees any trajectory.

    Raises:
        DataError: if too many requests fail.
    """
    sampling = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=max_new_tokens)
    requests = []
    for problem in problems.sort("problem_id").iter_rows(named=True):
        images = tuple(problem["image_ids"])
        requests.append(
            Request(
                key=problem["problem_id"],
                messages=judge_solution_messages(
                    problem["question"], problem["choices"], len(images)
                ),
                image_ids=images,
                sampling=sampling,
                problem_id=problem["problem_id"],
            )
        )
    completions = complete_all(engine, requests)
    check_failures(errors_of(completions), max_share=errors_max_share, label="judge, solutions")
    return {done.key: done.text if done.finish_reason == "stop" else None for done in completions}


def _judge_request(
    text: Mapping[str, Any],
    problem: Mapping[str, Any],
    form: VerdictForm,
    solution: str | None,
    sampling: SamplingParams,
) -> Request:
    images = tuple(problem["image_ids"])
    steps: Sequence[str] = text["steps"]
    prefix = verdict_prefix(form)
    return Request(
        key=text["text_id"],
        messages=judge_messages(
            problem["question"], problem["choices"], len(images), steps, form, solution
        ),
        image_ids=images,
        sampling=sampling,
        task="judge",
        problem_id=text["problem_id"],
        prefix=prefix,
        constraint=verdict_grammar(form, steps),
        scored_text=render_verdict("CORRECT", form=form, steps=steps).removeprefix(prefix),
        context={"response": text["response"]},
    )
