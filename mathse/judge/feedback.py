"""The feedback that the reflector gets with each mistake: the ORM's, or another in its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from mathse.core.errors import ParamError
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Params
from mathse.core.registry import DATA_ENGINES
from mathse.core.steps import split_steps
from mathse.curation.drops import Drops
from mathse.engines.protocol import Engine
from mathse.engines.roles import load_role
from mathse.judge.annotation import annotate_by_engine
from mathse.prompts.roles import RolePrompts, load_prompts
from mathse.reflection import MISTAKES
from mathse.trajectories import sampling_params

_FEEDBACK = ("error_step", "error_analysis", "error_kind")
_BY_PARENT = pl.Schema({name: MISTAKES[name] for name in ("parent_id", *_FEEDBACK)})


@dataclass(frozen=True)
class Annotator:
    """Who gives feedback in the ORM's place: an engine, and its prompts."""

    engine: Engine
    prompts: RolePrompts


def load_annotator(
    layout: Layout, params: Params, problems: pl.DataFrame, round_name: str
) -> Annotator | None:
    """Load the annotator, if `reflect.feedback` names it."""
    if params.reflect.feedback != "annotator":
        return None
    label = f"annotate mistakes {round_name}"
    engine = load_role(layout, params, "annotator", problems, label)
    return Annotator(engine, load_prompts(layout, params))


def with_feedback(
    mistakes: pl.DataFrame,
    problems: pl.DataFrame,
    params: Params,
    round_name: str,
    annotator: Annotator | None = None,
) -> pl.DataFrame:
    """Return the mistakes with the feedback that `reflect.feedback` names.

    - orm: the ORM's, as it is;
    - none: no step and no analysis;
    - solve_again: as none; its prompt does not show the wrong solution either (`load_reflector`);
    - shuffled: the ORM's of another problem's mistake: feedback of the same kind that is not about
      this one. The problems are in a circle by content hash, and each gets that of the next one. A
      step that the trajectory does not have becomes its last. A problem alone gets none;
    - annotator: the annotator's, who sees gold but must not reveal it. A mistake gets none if the
      annotation is not used (see `annotate_by_engine`), names no step of it, or says CORRECT.

    Args:
        mistakes: rows of `limit_mistakes`.
        problems: `Problem` rows; those of the mistakes must be among them.
        params: all parameters.
        round_name: the round that reflects.
        annotator: needed for annotator alone; see `load_annotator`.

    Raises:
        ParamError: if it is needed and missing.
        DataError: if too many annotations fail.

    Source:
        arXiv 2511.06805, Table 3: no reflection, the teacher's own feedback, the ORM's. The other
        arms are controls of our own.
    """
    kind = params.reflect.feedback
    if kind == "orm":
        return mistakes
    # Each trajectory once: several reflections of one get the same feedback.
    distinct = mistakes.sort("problem_id", "sample_idx").unique("parent_id", maintain_order=True)
    found = pl.DataFrame(schema=_BY_PARENT)
    if kind == "shuffled":
        found = _of_other_problems(distinct, round_name)
    elif kind == "annotator":
        if annotator is None:
            raise ParamError("reflect.feedback: annotator needs the annotator of load_annotator")
        found = _of_annotator(distinct, problems, params, round_name, annotator)
    return (
        mistakes.drop(_FEEDBACK)
        .join(found, on="parent_id", how="left", maintain_order="left", validate="m:1")
        .select(mistakes.columns)
    )


def _of_other_problems(mistakes: pl.DataFrame, round_name: str) -> pl.DataFrame:
    by_problem: dict[str, list[dict[str, Any]]] = {}
    for row in mistakes.iter_rows(named=True):
        by_problem.setdefault(row["problem_id"], []).append(row)
    circle = sorted(by_problem, key=lambda name: content_id("feedback", round_name, name))
    rows = []
    for name, other in zip(circle, [*circle[1:], *circle[:1]], strict=True):
        for index, row in enumerate(by_problem[name] if name != other else []):
            step, *rest = (by_problem[other][index % len(by_problem[other])][k] for k in _FEEDBACK)
            last = len(split_steps(row["response"]))
            rows.append((row["parent_id"], None if step is None else min(step, last), *rest))
    return pl.DataFrame(rows, schema=_BY_PARENT, orient="row")


def _of_annotator(
    mistakes: pl.DataFrame,
    problems: pl.DataFrame,
    params: Params,
    round_name: str,
    annotator: Annotator,
) -> pl.DataFrame:
    steps = [split_steps(response) for response in mistakes["response"]]
    annotated = annotate_by_engine(
        mistakes.select(
            "problem_id",
            "response",
            pl.Series("steps", steps, dtype=pl.List(pl.String)),
            trajectory_id="parent_id",
            round=pl.lit(round_name),
        ),
        problems,
        annotator.engine,
        Drops(),
        prompts=annotator.prompts,
        sampling=sampling_params(params.annotator, params.seed),
        errors_max_share=params.errors_max_share,
        checks_answers=params.annotator.engine not in DATA_ENGINES,
    )
    has_step = pl.col("error_step") <= pl.col("steps").list.len()
    wrong = annotated.filter(pl.col("status") == "wrong", has_step)
    return wrong.rename({"trajectory_id": "parent_id"}).select(_BY_PARENT.names())
