"""reflect: a teacher (or the student) writes new solutions from the ORM's feedback; they are judged like any path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

import schemas
from mathse.core.ids import content_id
from mathse.core.journal import prune, run_in_chunks
from mathse.core.layout import Layout
from mathse.core.params import Params, load_params
from mathse.core.tables import read_table
from mathse.engines.protocol import Engine, SamplingParams
from mathse.judge.acceptance import count_reasons
from mathse.reflection import reflect_chunk, reflect_key
from mathse.trajectories import TRAJECTORY, chunk_seed
from schemas import checks
from stages.common import empty, read_problems, run, switched_on, write, write_metrics
from stages.judging import judge
from stages.models import load_engine


def reflect(layout: Layout, round_name: str) -> None:
    """Write the round's reflections and their verdicts."""
    settings = load_params(layout.params)
    previous = layout.round(settings.previous_round(round_name) or "r0")
    files = layout.round(round_name)
    pool = read_problems(layout, "train")
    wrong = read_table(files.mistakes)
    checks.known_problem_ids(wrong, pool, file=str(files.mistakes))
    paths, verdicts = empty(schemas.Trajectory), empty(schemas.Verdict)
    if switched_on(settings, round_name, "reflect") and wrong.height:
        most = settings.reflect.max_problems
        if most is not None:
            names = sorted(
                wrong["problem_id"].unique(), key=lambda name: content_id(round_name, name)
            )[:most]
            wrong = wrong.filter(pl.col("problem_id").is_in(names))
        engine = load_reflector(layout, settings, pool, previous.model)
        paths = rewrite(layout, wrong, pool, settings, engine, round_name)
        verdicts = judge(paths, pool, settings, layout, label=f"judge reflections {round_name}")
    paths = write(
        paths, files.reflections, schemas.Trajectory, sort_by=["problem_id", "sample_idx"]
    )
    verdicts = write(
        verdicts, files.reflection_verdicts, schemas.Verdict, sort_by=["trajectory_id"]
    )
    checks.every_trajectory_judged(verdicts, paths, file=str(files.reflection_verdicts))
    write_metrics(
        layout.metrics("reflect", round_name),
        {round_name: {"reflections": paths.height, **count_reasons(verdicts)}},
    )


def load_reflector(layout: Layout, settings: Params, pool: pl.DataFrame, model: Path) -> Engine:
    """Return the engine that reflects."""
    if settings.reflect.teacher == "student":
        return load_engine(layout, model, settings.student)
    from mathse.figures.teacher import FiguresTeacher

    return FiguresTeacher(pool)


def rewrite(
    layout: Layout,
    wrong: pl.DataFrame,
    pool: pl.DataFrame,
    settings: Params,
    engine: Engine,
    round_name: str,
) -> pl.DataFrame:
    """Ask for a new solution for each mistake, chunk by chunk through the journal."""
    section = settings.reflect
    size = section.chunk_size
    label = f"reflect {round_name}"
    places = list(range(0, wrong.height, size))

    def sampling(place: int) -> SamplingParams:
        seed = chunk_seed(settings.seed, label, wrong["parent_id"][place])
        return SamplingParams(section.temperature, section.top_p, section.max_new_tokens, seed)

    def key(chunk: Sequence[int]) -> str:
        place = chunk[0]
        return reflect_key(
            engine, wrong.slice(place, size), sampling=sampling(place), round_name=round_name
        )

    def work(chunk: Sequence[int]) -> pl.DataFrame:
        place = chunk[0]
        return reflect_chunk(
            engine, pool, wrong.slice(place, size), sampling=sampling(place), round_name=round_name
        )

    journal = layout.journal(label)
    paths = run_in_chunks(
        places, work, chunk_size=1, key=key, journal=journal, label=label, schema=TRAJECTORY
    )
    prune(journal, {key([place]) for place in places})
    return paths


if __name__ == "__main__":
    run(reflect)
