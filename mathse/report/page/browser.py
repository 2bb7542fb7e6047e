"""What the trajectory browser of the report shows: as many problems as a file of 5 MB takes."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from mathse.answers.check_table import check_answers
from mathse.core.images import ImageStore
from mathse.core.steps import split_steps
from mathse.core.text import printable
from mathse.evaluation.benchmark_rules import scoring_rules
from mathse.report.page.mathml import to_mathml
from mathse.report.page.pictures import shrink
from mathse.report.page.run_tables import EVALUATION, ORM_TEST, RunTables, collect
from mathse.report.page.sections import kind_of_error, scrub
from schemas import Trajectory, Verdict, column_types

BATCH = 256
ITEM_BYTES, CHAR_BYTES = 40, 0.2  # of a trajectory in the packed block, more than measured

_VERDICT = (
    *("answer_state", "predicted_answer", "orm_status", "p_correct", "error_step"),
    *("error_analysis", "error_kind", "reason"),
)
_ITEM = {
    **column_types(Trajectory, "trajectory_id", "problem_id", "round", "sample_idx", "origin"),
    **column_types(Trajectory, "parent_id", "finish_reason", "error", "response_tokens"),
    **column_types(Verdict, *_VERDICT),
    "outcome": pl.String(),
    "response_chars": pl.Int64(),
}
_CHARS = pl.col("response").str.len_chars().cast(pl.Int64).alias("response_chars")


@dataclass(frozen=True)
class BrowserData:
    """The data blocks of the page.

    Attributes:
        text: JSON, compressed with gzip, in base64.
        pictures: JSON list of data URLs.
        problems: how many problems they have, and of how many.
        trajectories: likewise.
        classes: (why they are shown, shown, of all) of the problems, in the order of preference.
    """

    text: str
    pictures: str
    problems: tuple[int, int]
    trajectories: tuple[int, int]
    classes: list[tuple[str, int, int]]


def browser_data(runs: Sequence[RunTables], max_bytes: int) -> BrowserData:
    """Choose problems and pack all that was written for them.

    Problems are taken by class, and by id within a class, until the blocks are full; a problem has
    all its trajectories, or none.

    Args:
        runs: one run, or two to compare. Of the first of two only the evaluations are shown.
        max_bytes: of both blocks together.
    """
    items = [_items(runs[-1]), *(_answers(run) for run in runs)]
    rows = pl.concat(items).unique("trajectory_id", keep="first", maintain_order=True)
    ranked = _rank(rows, runs)
    chosen, pictures = _choose(ranked, ImageStore(runs[-1].layout.images), max_bytes)
    texts = _texts(rows.join(chosen, on="problem_id", how="semi"), runs)
    # Sizes are estimated: a second try leaves more out.
    while True:
        shown = rows.join(chosen, on="problem_id", how="semi")
        text, listed = _pack(shown, texts, runs, pictures)
        if chosen.is_empty() or (excess := (len(text) + len(listed)) / max_bytes) <= 1:
            break
        chosen = chosen.head(int(chosen.height * 0.97 / excess))
    counts = ranked.group_by("rank").len().sort("rank").rows()
    taken = dict(chosen.group_by("rank").len().iter_rows())
    classes = [(_CLASSES[rank], int(taken.get(rank, 0)), int(n)) for rank, n in counts]
    sizes = (chosen.height, ranked.height), (shown.height, rows.height)
    return BrowserData(text, listed, *sizes, classes)


def _choose(
    ranked: pl.DataFrame, images: ImageStore, max_bytes: int
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the first problems that fit, and their pictures as data URLs."""
    pictures: dict[str, str] = {}
    size, count = 0.0, 0
    with ThreadPoolExecutor() as pool:
        for start in range(0, ranked.height, BATCH):
            batch = ranked.slice(start, BATCH)
            new = sorted({name for ids in batch["image_ids"] for name in ids} - pictures.keys())
            made = pool.map(lambda name: _data_url(images.get(name)), new)
            pictures |= dict(zip(new, made, strict=True))
            for ids, cost in batch.select("image_ids", "bytes").iter_rows():
                size += cost + sum(len(pictures[name]) + 3 for name in ids)
                if size > max_bytes:
                    return ranked.head(count), pictures
                count += 1
    return ranked, pictures


_CLASSES = (
    "an evaluation changed between two models",
    "ORM and answer check disagree",
    "a reflection, a failed or cut-off request, a verdict that does not parse",
    "other evaluation problems",
    "other problems",
)


def _items(run: RunTables) -> pl.DataFrame:
    """Return what the teacher, the student and the reflector wrote, and what the ORM was tested on.

    Returns:
        The columns of `_ITEM`, without texts; outcome says what became of an accepted trajectory.
    """
    # Each trajectory with its verdict. Both have a column error_kind: the verdict's is shown.
    names = [name for name in _ITEM if name in column_types(Trajectory) and name not in _VERDICT]
    verdicts = run.verdicts.select("trajectory_id", *_VERDICT)
    written = collect(run.trajectories.select(*names, _CHARS)).join(
        verdicts, on="trajectory_id", how="left", maintain_order="left"
    )
    # A training row, or why not.
    added = run.train.select("trajectory_id", added=pl.lit("training row"))
    dropped = run.dropped.select("trajectory_id", left_out="reason")
    written = written.join(added, on="trajectory_id", how="left", maintain_order="left")
    written = written.join(dropped, on="trajectory_id", how="left", maintain_order="left")
    written = written.with_columns(outcome=pl.coalesce("added", "left_out"))
    # The test rows of the ORM.
    tested = run.orm_rows.select("trajectory_id", "problem_id", "status", _CHARS).join(
        run.judgements, on="trajectory_id"
    )
    is_right = pl.when(status="correct").then(pl.lit("match")).otherwise(pl.lit("mismatch"))
    tested = tested.with_columns(answer_state=is_right, origin=pl.lit(ORM_TEST), round=pl.lit("r0"))
    kind = pl.when(orm_status="wrong").then(kind_of_error()).alias("error_kind")
    return pl.concat([_shape(written), _shape(tested)]).with_columns(kind)


def _answers(run: RunTables) -> pl.DataFrame:
    """Return the evaluation answers of all models; their ids are round and problem_id."""
    graded = run.graded.select("problem_id", "round", "answer_state", "predicted_answer")
    names = ("problem_id", "round", "finish_reason", "error", "response_tokens")
    rows = collect(run.predictions.select(*names, _CHARS)).join(graded, on=["problem_id", "round"])
    rows = rows.with_columns(round=_named(run), origin=pl.lit(EVALUATION))
    return _shape(rows.with_columns(trajectory_id=pl.format("{}.{}", "round", "problem_id"))).sort(
        "trajectory_id"
    )


def _named(run: RunTables) -> pl.Expr:
    """Return the column `round` as the page names the models of a run."""
    return pl.lit(run.named("")) + pl.col("round")


def _shape(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in _ITEM.items()
    )


def _rank(rows: pl.DataFrame, runs: Sequence[RunTables]) -> pl.DataFrame:
    """Return problem_id and rank (an index of `_CLASSES`) of each problem, the first ones first."""
    match, status = pl.col("answer_state") == "match", pl.col("orm_status")
    evaluated = pl.col("origin") == EVALUATION
    is_base = pl.col("round").str.split(":").list.last() == "base"
    answers = match.filter(evaluated & ~is_base)
    odd = (
        (pl.col("origin") == "reflection")
        | (pl.col("finish_reason") != "stop")
        | (status == "unparseable")
    )
    wrong_verdict = (match & (status == "wrong")) | (~match & (status == "correct"))
    rank = (
        pl.when(answers.any() & ~answers.all())
        .then(0)
        .when(wrong_verdict.any())
        .then(1)
        .when(odd.any())
        .then(2)
        .when(evaluated.any())
        .then(3)
        .otherwise(4)
    )
    packed = pl.col("response_chars").sum() * CHAR_BYTES + pl.len() * ITEM_BYTES
    known = pl.concat([run.problems.select("problem_id", "image_ids") for run in runs[-1:]])
    ranked = rows.group_by("problem_id").agg(rank=rank, bytes=packed)
    return ranked.join(known, on="problem_id").sort("rank", "problem_id")


def _pack(
    rows: pl.DataFrame, responses: pl.DataFrame, runs: Sequence[RunTables], pictures: dict[str, str]
) -> tuple[str, str]:
    """Return the blocks: columns of the trajectories and of their problems, and the pictures."""
    run = runs[-1]
    rows = (
        rows.drop("response_chars")
        .sort("problem_id", "round", "trajectory_id")
        .join(responses, on="trajectory_id", how="left", maintain_order="left")
    )
    problems = run.problems.join(rows, on="problem_id", how="semi").sort("problem_id")
    index = {problem_id: number for number, problem_id in enumerate(problems["problem_id"])}
    names = dict.fromkeys(name for ids in problems["image_ids"] for name in ids)
    numbers = {name: number for number, name in enumerate(names)}
    # Trajectories.
    items = {name: rows[name].to_list() for name in rows.columns if name != "response"}
    items["problem_id"] = [index[problem_id] for problem_id in items["problem_id"]]
    items["p_correct"] = [None if p is None else round(p, 4) for p in items["p_correct"]]
    items["error"] = [None if text is None else scrub(text) for text in items["error"]]
    items["steps"] = [_steps(text) for text in rows["response"]]
    # Problems.
    facts = ("problem_id", "split", "source", "family", "subject", "level", "question", "choices")
    columns = {name: problems[name].to_list() for name in facts}
    answers = problems.select("answer", "unit").iter_rows()
    columns["answer"] = [f"{answer} {unit or ''}".strip() for answer, unit in answers]
    columns["solution"] = [_steps(text) for text in problems["solution"]]
    # The state after each round, of training problems.
    known: dict[str, list[str]] = {}
    for ledger in run.ledgers.values():
        for problem_id, state in ledger.select("problem_id", "state").iter_rows():
            if problem_id in index:
                known.setdefault(problem_id, []).append(state)
    columns["states"] = [known.get(problem_id, []) for problem_id in index]
    columns["images"] = [[numbers[name] for name in ids] for ids in problems["image_ids"]]
    content: dict[str, Any] = {"items": items, "problems": columns}
    texts = [columns["question"], *columns["choices"], *columns["solution"], *items["steps"]]
    content["formulas"] = to_mathml(text for part in texts for text in part)
    content["ledger"] = list(run.ledgers)
    # Models as their evaluations name them, each with the one before; then the rounds in order.
    content["previous"] = {
        one.named(name): one.named(before) if (before := one.previous(name)) else None
        for one in runs
        for name in one.models
    }
    content["rounds"] = list(dict.fromkeys([*content["previous"], *run.loop]))
    packed = gzip.compress(_visible_json(content).encode(), 9, mtime=0)
    return base64.b64encode(packed).decode(), json.dumps([pictures[name] for name in names])


def _texts(rows: pl.DataFrame, runs: Sequence[RunTables]) -> pl.DataFrame:
    """Return trajectory_id, response and rule (that decided in the answer check, if known).

    The check runs again: the tables keep its result, not the rule. Where the result is another one
    than in the tables, because the rules have changed since, no rule is given.
    """
    run, key = runs[-1], "trajectory_id"
    parts = [
        collect(
            run.trajectories.select(key, "problem_id", "response").join(
                rows.lazy().select(key), on=key, how="semi"
            )
        )
    ]
    tested = run.orm_rows.select(key, "problem_id", "response").join(rows, on=key, how="semi")
    parts.append(tested)
    checked = [check_answers(pl.concat(parts).unique(key, maintain_order=True), run.problems)]
    for one in runs:
        name = pl.format("{}.{}", _named(one), "problem_id").alias(key)
        answers = collect(one.predictions.select(name, "problem_id", "response"))
        answers = answers.join(rows, on=key, how="semi")
        checked.append(check_answers(answers, scoring_rules(one.problems)))
    found = pl.concat([part.select(key, "response", "state", "reason") for part in checked])
    states = rows.select(key, "answer_state")
    found = found.join(states, on=key, how="left", maintain_order="left")
    same = pl.col("state") == pl.col("answer_state")
    return found.select(key, "response", rule=pl.when(same).then("reason"))


@cache
def _steps(text: str | None) -> list[str]:
    return split_steps(text or "")


def _visible_json(content: dict[str, Any]) -> str:
    """Return JSON with each text as it may be shown: nothing hides, nothing steers."""
    text = json.dumps(content, ensure_ascii=False)
    if text.isprintable() and "\\u" not in text:  # JSON writes controls as \u001b
        return text
    return json.dumps(_visible(content), ensure_ascii=False)


def _visible(value: Any) -> Any:
    match value:
        case str():
            return printable(value)
        case list():
            return [_visible(part) for part in value]
        case dict():
            return {_visible(name): _visible(part) for name, part in value.items()}
    return value


def _data_url(content: bytes) -> str:
    kind, small = shrink(content)
    return f"data:image/{kind};base64,{base64.b64encode(small).decode()}"
