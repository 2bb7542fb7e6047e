"""Evaluate models on many hard problems of the built-in figures; compare the first with the others.

    python -m bench.hard MODEL... [--problems 3000] [--seed 1001]

The `eval_hard` split of the default params (n = 400) cannot show differences of four points; here
are more such problems, with a seed of their own. Run it in a folder with `params.yaml`. Problems
that are in `data/problems` too are counted: there should be none.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import polars as pl
import typer

from mathse.answers.check_table import check_rows
from mathse.core.images import ImageStore, write_images
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.engines.loading import load_engine
from mathse.evaluation.accuracy import accuracy_table
from mathse.evaluation.paired import compare
from mathse.figures.clusters import clusters_of
from mathse.figures.source import build_tables
from mathse.trajectories import sampling_params, solve


def main(models: list[Path], problems: int = 3000, seed: int = 1001) -> None:
    """Evaluate MODELS greedily, as `params.yaml` says for `eval`."""
    settings = load_params(Path("params.yaml"))
    pool, images = build_tables({"eval_hard": problems}, seed=seed)
    if Layout().problems.is_file():
        known = pool.join(pl.read_parquet(Layout().problems), on="problem_id", how="semi").height
        typer.echo(f"{known} of {pool.height} problems are in {Layout().problems}")
    graded = []
    with tempfile.TemporaryDirectory() as folder:
        drawn = Layout(folder)
        write_images(images, drawn.images)
        for model in models:
            rows = solve(
                load_engine(model, settings.student, ImageStore(drawn.images)),
                pool,
                [(name, 0) for name in sorted(pool["problem_id"])],
                sampling=sampling_params(settings.eval, seed),
                round_name="r0",
                origin="student",
            )
            asked = pool.select(
                "problem_id", "answer_type", "choices", "unit", "precision", gold="answer"
            )
            checked = check_rows(rows.join(asked, on="problem_id", how="left"))
            answers = checked.select(
                "problem_id", "round", answer_state="state", correct=pl.col("state") == "match"
            )
            graded.append(answers.join(clusters_of(pool), on="problem_id", maintain_order="left"))
    for model, rows in zip(models, graded, strict=True):
        share, low, high = (
            100 * value
            for value in accuracy_table(rows, by=["round"]).select("accuracy", "low", "high").row(0)
        )
        typer.echo(f"{model}: {share:.1f} [{low:.1f}, {high:.1f}]")
    for model, rows in zip(models[1:], graded[1:], strict=True):
        found = compare(rows, graded[0])
        interval = f"[{100 * found.low:+.1f}, {100 * found.high:+.1f}]"
        typer.echo(
            f"the first against {model}: {100 * found.difference:+.1f} {interval} "
            f"p={found.p_value:.2g}"
        )


if __name__ == "__main__":
    typer.run(main)
