"""score: the ORM judges each path, the answer check compares with gold; what passes is accepted."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import schemas
from mathse.core.params import load_params
from mathse.core.tables import read_table, write_table
from mathse.judge.acceptance import count_reasons
from mathse.reflection import select_mistakes
from schemas import checks
from stages.common import read, read_problems, run, write, write_metrics
from stages.judging import judge


def score(
    params: Path,
    problems: Path,
    trajectories: Path,
    orm: Path,
    before: Path,
    round_name: str,
    out: Path,
    metrics: Path,
) -> None:
    """Write verdicts.parquet and mistakes.parquet into OUT. BEFORE holds the mistakes of the rounds before."""
    settings = load_params(params)
    pool = read_problems(problems, "train")
    paths = read(trajectories, schemas.Trajectory)
    checks.known_problem_ids(paths, pool, file=str(trajectories))
    verdicts = judge(paths, pool, settings, orm, problems, label=f"score {round_name}")
    verdicts = write(verdicts, out / "verdicts.parquet", schemas.Verdict, sort_by=["trajectory_id"])
    checks.every_trajectory_judged(verdicts, paths, file=str(out / "verdicts.parquet"))
    checks.error_step_within_steps(verdicts, paths, file=str(out / "verdicts.parquet"))
    new = select_mistakes(
        verdicts,
        paths,
        per_problem_max=settings.reflect.per_problem_max,
        samples_per_mistake=settings.reflect.samples,
    )
    solved = verdicts.filter("accepted")["problem_id"].unique().to_list()
    old = read_table(before).filter(
        ~pl.col("problem_id").is_in([*solved, *new["problem_id"].to_list()])
    )
    write_table(
        pl.concat([old, new]), out / "mistakes.parquet", sort_by=["problem_id", "sample_idx"]
    )
    tried = max(1, verdicts["problem_id"].n_unique())
    write_metrics(
        metrics,
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
