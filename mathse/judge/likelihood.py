"""Judge a trajectory by how probable its text is as the ORM's own solution of the problem.

An ORM that learned to write right trajectories finds right ones probable, on whatever route, and a
wrong step improbable. How probable is enough follows from rows that it did not learn from, apart
for each writer: a text of a model that is like the ORM is probable even where it is wrong.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from mathse.core.failures import check_failures
from mathse.core.ids import content_id
from mathse.engines.journaled import journal_part
from mathse.engines.protocol import Engine, Request, SamplingParams, complete_all
from mathse.judge.judgements import JUDGEMENTS
from mathse.judge.verdict_grammar import verdict_grammar
from mathse.judge.verdict_parsing import P_CORRECT_DIGITS, parse_verdict
from mathse.prompts import analysis_prefix, judge_messages, solve_messages
from mathse.trajectories import errors_of, problems_by_id

FILE = "calibration.json"
"""In the folder of the ORM."""
HELD_OUT = 4
"""One problem in so many is kept from the training, for the calibration."""
STUDENT, OTHERS = "student", "others"
"""The writers: the student, and teacher and reflector."""
_ENOUGH = 5
_STEP_LIMITS = [-half / 2 for half in range(2, 21)]


@dataclass(frozen=True)
class Scale:
    """P(correct) is logistic in the logarithm of the text's surprise, 1 - log-probability.

    Right texts lie within a few nats, wrong ones within a hundred: on that scale both count.
    """

    slope: float
    shift: float

    @property
    def tells(self) -> bool:
        """Return False if right texts were no more probable than wrong ones: it says nothing."""
        return self.slope > 0

    def p_correct(self, log_probability: float) -> float:
        """Return P(correct) of a text."""
        z = self.shift - self.slope * math.log1p(-log_probability)
        return 1 / (1 + math.exp(min(-z, 700.0)))


@dataclass(frozen=True)
class Calibration:
    """What an ORM's log-probabilities mean.

    Attributes:
        scales: by writer.
        step_limit: a line less probable than this is faulty.
    """

    scales: dict[str, Scale]
    step_limit: float


def is_held_out(problem_id: str) -> bool:
    """Return True for a problem whose rows are kept from the training."""
    return int(content_id("held out", problem_id)[:8], 16) % HELD_OUT == 0


def writer_of(origin: str | None, *, reflector_is_student: bool = False) -> str:
    """Return which writer's scale holds for trajectories of an origin."""
    by_student = origin in (None, "student") or (origin == "reflection" and reflector_is_student)
    return STUDENT if by_student else OTHERS


def measure_texts(
    engine: Engine, problems: pl.DataFrame, texts: pl.DataFrame, *, errors_max_share: float
) -> dict[str, tuple[float, ...]]:
    """Let the ORM say how probable texts are.

    Args:
        engine: the ORM.
        problems: `Problem` rows; those of the texts must be among them.
        texts: text_id, problem_id and steps.
        errors_max_share: largest share of requests that may fail.

    Returns:
        By text_id the log-probability of each line of the text; texts without one are left out.

    Raises:
        DataError: if a problem is unknown, or too many requests fail.
    """
    known = problems_by_id(problems, texts["problem_id"].to_list())
    sampling = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=1)
    requests = []
    for text in texts.iter_rows(named=True):
        problem = known[text["problem_id"]]
        images = tuple(problem["image_ids"])
        requests.append(
            Request(
                key=text["text_id"],
                messages=solve_messages(problem["question"], problem["choices"], len(images)),
                image_ids=images,
                sampling=sampling,
                task="judge",
                problem_id=text["problem_id"],
                scored_text="\n".join(text["steps"]),
            )
        )
    completions = complete_all(engine, requests)
    check_failures(errors_of(completions), max_share=errors_max_share, label="judge, probabilities")
    lines = {completion.key: completion.scored_lines for completion in completions}
    counts = dict(
        texts.select("text_id", pl.col("steps").list.join("\n").str.count_matches("\n")).iter_rows()
    )
    return {name: found for name, found in lines.items() if len(found) == counts[name] + 1}


def judge_by_likelihood(
    engine: Engine,
    problems: pl.DataFrame,
    texts: pl.DataFrame,
    calibration: Calibration,
    writer: str,
    *,
    max_new_tokens: int,
    errors_max_share: float = 1.0,
) -> pl.DataFrame:
    """Judge distinct texts of one writer.

    Wrong is a text whose P(correct) is below 0.5; "unparseable" is one that was not measured, or
    whose writer's scale says nothing. Its faulty step is the first one with a line that
    is not probable enough; what is wrong there the ORM writes. If that fails, the step stays
    unnamed.

    Args:
        engine: the ORM.
        problems: `Problem` rows; those of the texts must be among them.
        texts: rows of `distinct_trajectories`.
        calibration: of the ORM.
        writer: of the texts.
        max_new_tokens: most tokens of what the ORM writes.
        errors_max_share: largest share of requests that may fail.

    Returns:
        As `judge_texts`.

    Raises:
        DataError: if a problem is unknown, or too many requests fail.
    """
    # How probable each text is, and where it stops being so.
    with journal_part(engine, f"{writer} texts"):
        measured = measure_texts(engine, problems, texts, errors_max_share=errors_max_share)
    found: dict[str, tuple[float, int]] = {}
    scale = calibration.scales[writer]
    for name, steps in texts.select("text_id", "steps").iter_rows():
        lines = measured.get(name, ())
        if lines and scale.tells and not any(map(math.isnan, lines)):
            p_correct = scale.p_correct(math.fsum(lines))
            step = faulty_step(steps, lines, calibration.step_limit)
            found[name] = round(p_correct, P_CORRECT_DIGITS), step
    # What is wrong with those that are.
    known = problems_by_id(problems, texts["problem_id"].to_list())
    requests = [
        _analysis_request(
            text, known[text["problem_id"]], found[text["text_id"]][1], max_new_tokens
        )
        for text in texts.iter_rows(named=True)
        if found.get(text["text_id"], (1.0, 0))[0] < 0.5
    ]
    with journal_part(engine, f"{writer} analyses"):
        said = {done.key: done for done in complete_all(engine, requests)}
    check_failures(errors_of([*said.values()]), max_share=errors_max_share, label="judge")
    # A row for each text.
    rows: list[tuple[Any, ...]] = []
    for name in texts["text_id"]:
        if name not in found:
            rows.append((name, "unparseable", None, None, None, None))
            continue
        p_correct, step = found[name]
        if name not in said:
            rows.append((name, "correct", p_correct, None, None, None))
            continue
        verdict = parse_verdict(analysis_prefix(step) + said[name].text)
        feedback = verdict.error_step, verdict.error_analysis, verdict.error_kind
        rows.append((name, "wrong", p_correct, *feedback))
    return pl.DataFrame(rows, schema=JUDGEMENTS, orient="row")


def _analysis_request(
    text: Mapping[str, Any], problem: Mapping[str, Any], step: int, max_new_tokens: int
) -> Request:
    images = tuple(problem["image_ids"])
    return Request(
        key=text["text_id"],
        messages=judge_messages(
            problem["question"], problem["choices"], len(images), text["steps"]
        ),
        image_ids=images,
        sampling=SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=max_new_tokens),
        task="judge",
        problem_id=text["problem_id"],
        prefix=analysis_prefix(step),
        constraint=verdict_grammar("likelihood", text["steps"]),
        context={"response": text["response"]},
    )


def faulty_step(steps: Sequence[str], lines: Sequence[float], limit: float) -> int:
    """Return the step, from 1, of the first line below the limit, or else of the least probable."""
    of_line = [number for number, step in enumerate(steps, 1) for _ in step.split("\n")]
    pairs = [*zip(lines, of_line, strict=True)]
    return next((number for line, number in pairs if line < limit), min(pairs)[1])


def fit_step_limit(wrong: Sequence[tuple[Sequence[str], Sequence[float], int]]) -> float:
    """Return the limit at which most faulty steps are found.

    Args:
        wrong: steps, log-probabilities of the lines and the first faulty step of wrong texts.
    """

    def found(limit: float) -> int:
        return sum(faulty_step(steps, lines, limit) == step for steps, lines, step in wrong)

    return max(_STEP_LIMITS, key=found)


def fit_scale(logs: Sequence[float], labels: Sequence[bool]) -> Scale:
    """Fit P(correct) to labelled texts: logistic regression by Newton's method.

    Right and wrong ones count as much as each other, however many there are: how many a later round
    has is not known.

    Args:
        logs: log-probabilities of the texts.
        labels: whether each is correct.
    """
    x = -np.log1p(-np.asarray(logs, dtype=float))
    y = np.asarray(labels, dtype=float)
    features, weights = np.stack([x, np.ones_like(x)], axis=1), np.zeros(2)
    right = max(y.sum(), 1.0)
    counts = np.where(y == 1, len(y) / 2 / right, len(y) / 2 / max(len(y) - right, 1.0))
    ridge = np.diag([1e-3, 1e-3])  # where the two kinds do not overlap there is no best slope
    for _ in range(100):
        p = 1 / (1 + np.exp(-features @ weights))
        gradient = features.T @ (counts * (y - p)) - ridge @ weights
        hessian = (features * (counts * p * (1 - p))[:, None]).T @ features + ridge
        step = np.linalg.solve(hessian, gradient)
        weights = weights + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-9:
            break
    return Scale(round(float(weights[0]), 6), round(float(weights[1]), 6))


def fit_scales(
    logs: Mapping[str, Sequence[float]], labels: Mapping[str, Sequence[bool]]
) -> dict[str, Scale]:
    """Fit each writer's scale; one with few rows of a kind takes that of all rows together."""
    every = (
        [one for name in logs for one in logs[name]],
        [one for name in logs for one in labels[name]],
    )
    found = {}
    for name in (STUDENT, OTHERS):
        x, y = logs.get(name, ()), labels.get(name, ())
        enough = min(sum(y), len(y) - sum(y)) >= _ENOUGH
        found[name] = fit_scale(x, y) if enough else fit_scale(*every)
    return found


def save_calibration(calibration: Calibration, folder: Path) -> None:
    """Write it beside the ORM's weights."""
    text = json.dumps(asdict(calibration), indent=1)
    (folder / FILE).write_text(text + "\n", encoding="utf-8")


def load_calibration(folder: Path) -> Calibration:
    """Read what `save_calibration` wrote."""
    values: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
    scales = {name: Scale(**scale) for name, scale in values["scales"].items()}
    return Calibration(scales, values["step_limit"])
