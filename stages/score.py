"""score: the ORM judges each path, the answer check compares with gold; what passes is accepted."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.tables import read_table, write_table
from mathse.judge.acceptance import count_reasons
from mathse.reflection import select_mistakes
from schemas import checks
from stages.common import read, read_problems, run, write, write_metrics
from stages.judging import judge


def score(layout: Layout, round_name: str) -> None:
    """Write the round's verdicts and mistakes."""
    settings = load_params(layout.params)
    previous = settings.previous_round(round_name) or "r0"
    files = layout.round(round_name)
    pool = read_problems(layout, "train")
    paths = read(files.trajectories, schemas.Trajectory)
    checks.known_problem_ids(paths, pool, file=str(files.trajectories))
    verdicts = judge(paths, pool, settings, layout, label=f"score {round_name}")
    verdicts = write(verdicts, files.verdicts, schemas.Verdict, sort_by=["trajectory_id"])
    checks.every_trajectory_judged(verdicts, paths, file=str(files.verdicts))
    checks.error_step_within_steps(verdicts, paths, file=str(files.verdicts))
    new = select_mistakes(
        verdicts,
        paths,
        per_problem_max=settings.reflect.per_problem_max,
        samples_per_mistake=settings.reflect.samples,
    )
    solved = verdicts.filter("accepted")["problem_id"].unique().to_list()
    old = read_table(layout.round(previous).mistakes).filter(
        ~pl.col("problem_id").is_in([*solved, *new["problem_id"].to_list()])
    )
    write_table(pl.concat([old, new]), files.mistakes, sort_by=["problem_id", "sample_idx"])
    tried = max(1, verdicts["problem_id"].n_unique())
    write_metrics(
        layout.metrics("score", round_name),
        {
            round_name: {
                "paths": paths.height,
                "problems_solved": len(solved) / tried,
                **count_reasons(verdicts),
            }
        },
    )


if __name__ == "__main__":
    run(score)
