"""The ORM at work in a stage: judging paths through the journal, and the verdicts that follow."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from mathse.core.journal import prune, run_in_chunks
from mathse.core.layout import Layout
from mathse.core.params import Params
from mathse.engines.protocol import Engine
from mathse.judge.acceptance import accept_trajectories
from mathse.judge.verdicts import (
    JUDGEMENTS,
    JudgeSolutions,
    distinct_trajectories,
    join_judgements,
    judge_chunk,
    judge_key,
    judge_solution_key,
    write_judge_solutions,
)
from stages.checking import check_answers
from stages.models import load_engine


def judge(
    paths: pl.DataFrame, pool: pl.DataFrame, settings: Params, layout: Layout, *, label: str
) -> pl.DataFrame:
    """Return the verdict of each path, in the order of the paths."""
    section = settings.score
    checked = (
        check_answers(paths, pool)
        .rename({"state": "answer_state", "found": "predicted_answer"})
        .drop("reason")
    )
    distinct = distinct_trajectories(paths)
    judgements = pl.DataFrame(schema=JUDGEMENTS)
    if distinct.height:
        engine = load_engine(layout, layout.orm.model, settings.orm)
        judgements = judge_distinct(layout, distinct, pool, settings, engine, label=label)
    return accept_trajectories(
        join_judgements(checked, judgements),
        accept=section.accept,
        min_p_correct=section.min_p_correct,
    )


def judge_distinct(
    layout: Layout,
    distinct: pl.DataFrame,
    pool: pl.DataFrame,
    settings: Params,
    engine: Engine,
    *,
    label: str,
) -> pl.DataFrame:
    """Let the ORM judge distinct paths chunk by chunk through the journal."""
    section, form = settings.score, settings.train_orm.form
    size = section.chunk_size
    # Chunks of paths of like length: a batch is as slow as its longest path.
    ordered = distinct.sort(pl.col("response").str.len_chars(), "text_id")
    places = list(range(0, ordered.height, size))
    own: JudgeSolutions = {}
    if form == "stepwise":
        own = dict(_solve(layout, pool, settings, engine).iter_rows())

    def key(chunk: Sequence[int]) -> str:
        part = ordered.slice(chunk[0], size)
        return judge_key(engine, part, max_new_tokens=section.max_new_tokens, form=form, own=own)

    def work(chunk: Sequence[int]) -> pl.DataFrame:
        part = ordered.slice(chunk[0], size)
        return judge_chunk(
            engine, pool, part, max_new_tokens=section.max_new_tokens, form=form, own=own
        )

    journal = layout.journal(label)
    judged = run_in_chunks(places, work, chunk_size=1, key=key, journal=journal, label=label)
    prune(journal, {key([place]) for place in places})
    return judged


def _solve(layout: Layout, pool: pl.DataFrame, settings: Params, engine: Engine) -> pl.DataFrame:
    """Let the ORM solve every problem of the pool itself, chunk by chunk through the journal.

    Paths of most problems come before it sooner or later, many in several rounds: it solves each
    but once.
    """
    section = settings.score
    names = sorted(pool["problem_id"])

    def key(chunk: Sequence[str]) -> str:
        return judge_solution_key(engine, chunk, max_new_tokens=section.max_new_tokens)

    def work(chunk: Sequence[str]) -> pl.DataFrame:
        return write_judge_solutions(engine, pool, chunk, max_new_tokens=section.max_new_tokens)

    label = " ".join(["own solutions", *sorted(pool["split"].unique())])
    journal = layout.journal(label)
    solved = run_in_chunks(
        names, work, chunk_size=section.chunk_size, key=key, journal=journal, label=label
    )
    prune(
        journal,
        {
            key(names[at : at + section.chunk_size])
            for at in range(0, len(names), section.chunk_size)
        },
    )
    return solved
