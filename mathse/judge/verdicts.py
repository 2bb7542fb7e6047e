"""Ask the ORM about paths and read its verdicts, strictly: what does not parse is not a pass."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import polars as pl

from mathse.core.errors import DataError, ParamError
from mathse.core.ids import content_id
from mathse.core.steps import MISSING, StepDiff, parse_step_diff, step_tokens
from mathse.engines.protocol import Completion, Engine, Request, SamplingParams
from mathse.judge.verdict_grammar import verdict_grammar
from mathse.prompts import (
    VerdictForm,
    judge_messages,
    judge_solution_messages,
    render_verdict,
    verdict_prefix,
)
from schemas import ERROR_KINDS, Trajectory, Verdict, column_types

PATHS = pl.Schema(
    {"text_id": pl.String(), **column_types(Trajectory, "problem_id", "response", "steps")}
)
JUDGEMENTS = pl.Schema(
    {
        "text_id": pl.String(),
        **column_types(
            Verdict, "orm_status", "p_correct", "error_step", "error_analysis", "error_kind"
        ),
    }
)
OWN = pl.Schema({"problem_id": pl.String(), "own": pl.String()})
JudgeSolutions = Mapping[str, str | None]
"""A judge's own solution by problem."""

_DIAGNOSIS = {"status", "error_step", "error_analysis", "error_kind", "improvement_suggestion"}
_ALLOWED = {
    "binary": {"status"},
    "diagnostic": {*_DIAGNOSIS, "figure", "right_step"},
    "stepwise": {*_DIAGNOSIS, "steps"} - {"error_step"},
}
_CHECK = re.compile(r"(\d{1,4})\.((?: [^\s,|]+\|[^\s,|]+)*) (right|wrong)")


@dataclass(frozen=True)
class ParsedVerdict:
    """What a judge said.

    Attributes:
        status: correct, wrong or unparseable.
        error_step: 1-based step, for a wrong path in the diagnostic form.
        error_analysis: what is wrong with it, likewise.
        error_kind: vision, question, knowledge, reasoning or calculation, where the judge names
            one.
        figure: what the judge says that the figure shows, if it does.
        right_step: what the faulty step should be, if the judge says so.
        checks: for each step that it checked in the stepwise form, the pairs that it compared.
    """

    status: str
    error_step: int | None = None
    error_analysis: str | None = None
    error_kind: str | None = None
    figure: str | None = None
    right_step: str | None = None
    checks: tuple[StepDiff, ...] | None = None


UNPARSEABLE = ParsedVerdict("unparseable")


def parse_verdict(text: str, form: VerdictForm = "diagnostic") -> ParsedVerdict:
    """Read one verdict: a single JSON object and nothing else.

    The object has `status`, CORRECT or WRONG. In the diagnostic form WRONG also has `error_step`, a
    whole number from 1, and `error_analysis`, a text that is not empty; CORRECT has neither, or
    null or empty ones. In the binary form there is only `status`. A diagnostic verdict may also
    have `error_kind`, `figure` (what the figure shows), `right_step` (what the faulty step should
    be) and `improvement_suggestion` (the paper's annotation prompt asks for it; it is not kept).
    The stepwise form has `steps` in place of `error_step`, such as "1. 12|12 right, 2. 12|12
    =17|=18 wrong": numbered from 1, the last one wrong if the status is WRONG (it is the faulty
    step) and none else, and each word at one with its pairs.

    Everything else is unparseable: code fences, text before or after, a cut-off object, a key that
    occurs twice or is not known, another status or type.

    Args:
        text: the judge's whole text, the forced prefix included.
        form: what the judge was trained to write.

    Raises:
        ParamError: if the form is unknown.
    """
    if form not in get_args(VerdictForm):
        raise ParamError(
            f"A verdict's form is one of {', '.join(get_args(VerdictForm))}, not {form!r}"
        )
    try:
        verdict = json.loads(text, object_pairs_hook=_unique_pairs, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return UNPARSEABLE
    if not isinstance(verdict, dict) or not {"status"} <= verdict.keys() <= _ALLOWED[form]:
        return UNPARSEABLE
    if not all(
        _is_text_or_none(verdict.get(name))
        for name in ("improvement_suggestion", "figure", "right_step")
    ):
        return UNPARSEABLE
    checks = _checks(verdict.get("steps"), str(verdict["status"])) if form == "stepwise" else None
    if form == "stepwise" and checks is None:
        return UNPARSEABLE
    step = (
        len(checks)
        if checks is not None and verdict["status"] == "WRONG"
        else verdict.get("error_step")
    )
    feedback = [step, verdict.get("error_analysis"), verdict.get("error_kind")]
    if verdict["status"] == "CORRECT":
        found = (
            ParsedVerdict("correct")
            if all(part in (None, "") for part in feedback)
            else UNPARSEABLE
        )
    elif verdict["status"] != "WRONG":
        return UNPARSEABLE
    else:
        found = ParsedVerdict("wrong") if form == "binary" else _diagnosis(*feedback)
    if found.status != "unparseable":
        figure, right_step = verdict.get("figure") or None, verdict.get("right_step") or None
        found = replace(
            found,
            figure=figure,
            right_step=right_step,
            checks=None if checks is None else tuple(checks),
        )
    return found


def distinct_trajectories(trajectories: pl.DataFrame) -> pl.DataFrame:
    """Return each path that can be judged, once: distinct problem and response, with at least one step.

    Args:
        trajectories: `Trajectory` rows, or any rows with problem_id, response and steps.

    Returns:
        text_id, problem_id, response and steps, ordered by text_id (content, so the order is the
        same always).
    """
    judged = trajectories.filter(pl.col("steps").list.len() > 0)
    return (
        _with_path_id(judged).unique("text_id", keep="first").select(PATHS.names()).sort("text_id")
    )


def judge_key(
    engine: Engine,
    paths: pl.DataFrame,
    *,
    max_new_tokens: int,
    form: VerdictForm,
    own: JudgeSolutions | None = None,
) -> str:
    """Name a chunk of paths for the journal, by all that its judgements depend on."""
    solved = [(own or {}).get(name) for name in paths["problem_id"]]
    grammar = verdict_grammar(form, ["1. a 3", "b=4"])  # changes with any rule of it
    paths_and_own = paths["text_id"].to_list(), solved
    return content_id(
        "judge",
        engine.digest,
        engine.input_fingerprint,
        form,
        grammar,
        max_new_tokens,
        *paths_and_own,
    )


def judge_chunk(
    engine: Engine,
    problems: pl.DataFrame,
    paths: pl.DataFrame,
    *,
    max_new_tokens: int,
    form: VerdictForm,
    own: JudgeSolutions | None = None,
) -> pl.DataFrame:
    """Judge one chunk of distinct paths, greedily.

    A judge that errs, is cut off, does not parse, names a step that the path does not have, gives
    no proper probability or, stepwise, has no own solution, misquotes the path or passes it without
    a check of every step, yields "unparseable".

    Args:
        engine: the ORM.
        problems: `Problem` rows; those of the paths must be among them.
        paths: rows of `distinct_trajectories`.
        max_new_tokens: room for the verdict.
        form: what the judge was trained to write.
        own: the judge's own solution of each problem, for the stepwise form; see `write_judge_solutions`.

    Returns:
        text_id, orm_status, p_correct, error_step, error_analysis and error_kind, in the order of
        `paths`.

    Raises:
        DataError: if a path's problem is not among the problems.
    """
    rows = paths.select(PATHS.names()).to_dicts()
    requests = _judge_requests(problems, rows, form, own or {})
    asked = [request for request in requests if request is not None]
    sampling = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=max_new_tokens, seed=0)
    done = (
        {completion.key: completion for completion in engine.complete(asked, sampling)}
        if asked
        else {}
    )
    judged = []
    for row, request in zip(rows, requests, strict=True):
        completion = (
            Completion.failed(row["text_id"], "no own solution")
            if request is None
            else done[request.key]
        )
        verdict, p_correct = read_completion(completion, row["steps"], form)
        judged.append(
            {
                "text_id": row["text_id"],
                "orm_status": verdict.status,
                "p_correct": p_correct,
                "error_step": verdict.error_step,
                "error_analysis": verdict.error_analysis,
                "error_kind": verdict.error_kind,
            }
        )
    return pl.DataFrame(judged, schema=JUDGEMENTS)


def read_completion(
    completion: Completion, steps: Sequence[str], form: VerdictForm
) -> tuple[ParsedVerdict, float | None]:
    """Turn a judge's completion into a verdict and P(correct); see `judge_chunk` for what is refused."""
    p_correct = completion.scored_prob
    if p_correct is not None and not 0.0 <= p_correct <= 1.0:
        return UNPARSEABLE, None
    if completion.finish_reason != "stop":
        return UNPARSEABLE, p_correct
    verdict = parse_verdict(verdict_prefix(form) + completion.text, form)
    if verdict.error_step is not None and verdict.error_step > len(steps):
        return UNPARSEABLE, p_correct
    if verdict.checks is not None and not _quotes(verdict, steps):
        return UNPARSEABLE, p_correct
    return verdict, p_correct


def join_judgements(trajectories: pl.DataFrame, judgements: pl.DataFrame) -> pl.DataFrame:
    """Give every trajectory the judgement of its path; one that was not judged is "skipped".

    Returns:
        The trajectories' rows, in order, with orm_status, p_correct, error_step, error_analysis,
        error_kind.
    """
    found = [name for name in JUDGEMENTS.names() if name != "text_id"]
    joined = _with_path_id(trajectories.drop(found, strict=False)).join(
        judgements, on="text_id", how="left", maintain_order="left", validate="m:1"
    )
    return joined.with_columns(pl.col("orm_status").fill_null("skipped")).drop("text_id")


def judge_solution_key(engine: Engine, problem_ids: Sequence[str], *, max_new_tokens: int) -> str:
    """Name a chunk of problems for the journal, by all that the judge's own solutions depend on."""
    return content_id(
        "own", engine.digest, engine.input_fingerprint, max_new_tokens, list(problem_ids)
    )


def write_judge_solutions(
    engine: Engine, problems: pl.DataFrame, problem_ids: Sequence[str], *, max_new_tokens: int
) -> pl.DataFrame:
    """Let a stepwise judge solve problems, greedily, before it sees any path.

    Returns:
        problem_id and own: the solution, null where the judge erred or was cut off.

    Raises:
        DataError: if a problem is unknown.
    """
    known = _known(problems, set(problem_ids))
    requests = []
    for name in problem_ids:
        problem = known[name]
        images = tuple(problem["image_ids"])
        messages = judge_solution_messages(problem["question"], problem["choices"], len(images))
        requests.append(
            Request(key=name, messages=messages, image_ids=images, task="solve", problem_id=name)
        )
    sampling = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=max_new_tokens, seed=0)
    rows = [
        (done.key, done.text if done.finish_reason == "stop" else None)
        for done in engine.complete(requests, sampling)
    ]
    return pl.DataFrame(rows, schema=OWN, orient="row")


def judge_trajectories(
    engine: Engine,
    problems: pl.DataFrame,
    trajectories: pl.DataFrame,
    *,
    max_new_tokens: int,
    form: VerdictForm = "diagnostic",
) -> pl.DataFrame:
    """Judge trajectories in one go: distinct paths, one chunk, joined back.

    A stage that must survive a kill calls the functions itself, with `write_judge_solutions` and
    `judge_chunk` in the journal.

    Returns:
        trajectory_id, problem_id, orm_status, p_correct, error_step, error_analysis and error_kind,
        in the order of the trajectories.
    """
    paths = distinct_trajectories(trajectories)
    own: JudgeSolutions = {}
    if form == "stepwise" and paths.height:
        names = paths["problem_id"].unique(maintain_order=True).to_list()
        own = dict(
            write_judge_solutions(
                engine, problems, names, max_new_tokens=max_new_tokens
            ).iter_rows()
        )
    judgements = judge_chunk(
        engine, problems, paths, max_new_tokens=max_new_tokens, form=form, own=own
    )
    columns = [name for name in JUDGEMENTS.names() if name != "text_id"]
    return join_judgements(trajectories, judgements).select("trajectory_id", "problem_id", *columns)


def _known(problems: pl.DataFrame, wanted: set[str]) -> dict[str, dict[str, Any]]:
    known = {
        problem["problem_id"]: problem
        for problem in problems.filter(pl.col("problem_id").is_in(wanted)).iter_rows(named=True)
    }
    if missing := sorted(wanted - known.keys()):
        raise DataError(
            f"{len(missing)} of the paths to judge belong to unknown problems, the first to {missing[0]}.",
            rule="a path's problem is known",
            fix="give the judge the problems table that the paths were made from",
        )
    return known


def _judge_requests(
    problems: pl.DataFrame, rows: Sequence[dict[str, Any]], form: VerdictForm, own: JudgeSolutions
) -> list[Request | None]:
    """Return a request for each path; None where the stepwise form lacks the judge's own solution."""
    known = _known(problems, {row["problem_id"] for row in rows})
    requests: list[Request | None] = []
    for row in rows:
        problem, solved = known[row["problem_id"]], own.get(row["problem_id"])
        if form == "stepwise" and solved is None:
            requests.append(None)
            continue
        images = tuple(problem["image_ids"])
        requests.append(
            Request(
                key=row["text_id"],
                messages=judge_messages(
                    problem["question"], problem["choices"], len(images), row["steps"], form, solved
                ),
                image_ids=images,
                task="judge",
                problem_id=row["problem_id"],
                prefix=verdict_prefix(form),
                constraint=verdict_grammar(form, row["steps"]),
                scored_text=render_verdict("CORRECT", form=form, steps=row["steps"]).removeprefix(
                    verdict_prefix(form)
                ),
                context={"problem_id": row["problem_id"], "response": row["response"]},
            )
        )
    return requests


def _with_path_id(trajectories: pl.DataFrame) -> pl.DataFrame:
    pairs = trajectories.select("problem_id", "response").iter_rows()
    ids = [content_id(problem_id, response) for problem_id, response in pairs]
    return trajectories.with_columns(pl.Series("text_id", ids, dtype=pl.String))


def _diagnosis(step: object, analysis: object, kind: object) -> ParsedVerdict:
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        return UNPARSEABLE
    if analysis is None or not _is_text_or_none(analysis) or not str(analysis).strip():
        return UNPARSEABLE
    if kind is not None and kind not in ERROR_KINDS:
        return UNPARSEABLE
    return ParsedVerdict("wrong", step, str(analysis).strip(), None if kind is None else str(kind))


def _checks(words: object, status: str) -> list[StepDiff] | None:
    """Read the checks of the steps; None if they contradict themselves or the status."""
    if not isinstance(words, str):
        return None
    texts = words.split(", ")
    checks: list[StepDiff] = []
    for number, text in enumerate(texts, start=1):
        check = _CHECK.fullmatch(text)
        if check is None or int(check[1]) != number:
            return None
        pairs, wrong = parse_step_diff(check[2]), check[3] == "wrong"
        differ = [place for place, (ours, theirs) in enumerate(pairs) if ours != theirs]
        faulty = status == "WRONG" and number == len(texts)
        if wrong != faulty or differ != ([len(pairs) - 1] if wrong and pairs else []):
            return None
        checks.append(pairs)
    return checks


def _quotes(verdict: ParsedVerdict, steps: Sequence[str]) -> bool:
    """Tell whether the checks of a verdict compare with what the path says, all of it where it passes."""
    assert verdict.checks is not None
    if verdict.status == "correct" and len(verdict.checks) != len(steps):
        return False
    for number, pairs in enumerate(verdict.checks, start=1):
        said, quoted = step_tokens(steps[number - 1]), [theirs for _, theirs in pairs]
        if number == verdict.error_step:
            said = [*said, MISSING][: len(quoted)]
        if quoted != said:
            return False
    return True


def _is_text_or_none(value: object) -> bool:
    """Tell whether a value is null or text that can be stored (JSON can smuggle in half a surrogate pair)."""
    if value is None:
        return True
    return isinstance(value, str) and not any(
        0xD800 <= ord(character) <= 0xDFFF for character in value
    )


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
