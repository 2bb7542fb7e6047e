"""reflect: a teacher (or the student) writes new solutions from the ORM's feedback; they are judged like any path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

import schemas
from mathse.core.ids import content_id
from mathse.core.journal import prune, run_in_chunks
from mathse.core.params import Params, load_params
from mathse.core.tables import read_table
from mathse.engines.protocol import Engine, SamplingParams
from mathse.judge.acceptance import count_reasons
from mathse.reflection import reflect_chunk, reflect_key
from mathse.trajectories import TRAJECTORY, chunk_seed
from schemas import checks
from stages.common import JOURNAL, empty, read_problems, run, switched_on, write, write_metrics
from stages.judging import judge
from stages.models import load_engine


def reflect(
    params: Path,
    problems: Path,
    mistakes: Path,
    model: Path,
    orm: Path,
    round_name: str,
    out: Path,
    metrics: Path,
) -> None:
    """Write reflections.parquet and reflection_verdicts.parquet into OUT."""
    settings = load_params(params)
    pool = read_problems(problems, "train")
    wrong = read_table(mistakes)
    checks.known_problem_ids(wrong, pool, file=str(mistakes))
    paths, verdicts = empty(schemas.Trajectory), empty(schemas.Verdict)
    if switched_on(settings, round_name, "reflect") and wrong.height:
        most = settings.reflect.max_problems
        if most is not None:
            names = sorted(
                wrong["problem_id"].unique(), key=lambda name: content_id(round_name, name)
            )[:most]
            wrong = wrong.filter(pl.col("problem_id").is_in(names))
        paths = rewrite(
            wrong, pool, settings, load_reflector(settings, pool, model, problems), round_name
        )
        verdicts = judge(
            paths, pool, settings, orm, problems, label=f"judge reflections {round_name}"
        )
    name = str(out / "reflection_verdicts.parquet")
    paths = write(
        paths, out / "reflections.parquet", schemas.Trajectory, sort_by=["problem_id", "sample_idx"]
    )
    verdicts = write(
        verdicts, out / "reflection_verdicts.parquet", schemas.Verdict, sort_by=["trajectory_id"]
    )
    checks.every_trajectory_judged(verdicts, paths, file=name)
    write_metrics(metrics, {round_name: {"reflections": paths.height, **count_reasons(verdicts)}})


def load_reflector(settings: Params, pool: pl.DataFrame, model: Path, problems: Path) -> Engine:
    """Return the engine that reflects."""
    if settings.reflect.teacher == "student":
        return load_engine(model, settings.student, problems)
    from mathse.figures.teacher import FiguresTeacher

    return FiguresTeacher(pool)


def rewrite(
    wrong: pl.DataFrame, pool: pl.DataFrame, settings: Params, engine: Engine, round_name: str
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

    journal = JOURNAL / label.replace(" ", "-")
    paths = run_in_chunks(
        places, work, chunk_size=1, key=key, journal=journal, label=label, schema=TRAJECTORY
    )
    prune(journal, {key([place]) for place in places})
    return paths


if __name__ == "__main__":
    run(reflect)
