"""train_orm: the base model learns to judge paths."""

from __future__ import annotations

from pathlib import Path

import polars as pl

import schemas
from mathse.core.images import ImageStore
from mathse.core.params import load_params
from mathse.core.prompts import decisive_part, judge_messages, render_verdict, verdict_prefix
from schemas import checks
from stages.common import by_id, read, read_problems, run, write_metrics


def train_orm(params: Path, problems: Path, rows: Path, out: Path, curve: Path, metrics: Path) -> None:
    """Train the ORM on the training part of ROWS and write it to OUT."""
    settings = load_params(params)
    section = settings.train_orm
    pool = read_problems(problems, "orm")
    train = read(rows, schemas.OrmRow).filter(pl.col("part") == "train")
    checks.known_problem_ids(train, pool, file=str(rows))
    from mathse.training import Example
    from mathse.training.loop import finetune
    from stages.fitting import CHECKPOINTS, train_config

    known = by_id(pool)
    examples = []
    for row in train.iter_rows(named=True):
        problem = known[row["problem_id"]]
        images = tuple(problem["image_ids"])
        messages = judge_messages(problem["question"], problem["choices"], len(images), row["steps"], section.form)
        verdict = render_verdict(
            row["status"], row["error_step"], row["error_analysis"], section.form,
            figure=row["figure"], steps=row["steps"], right_step=row["right_step"],
        )  # fmt: skip
        prefix = verdict_prefix(section.form)
        first, last = (place - len(prefix) for place in decisive_part(verdict, section.form))
        target = verdict.removeprefix(prefix)
        examples.append(Example(row["row_id"], messages, images, target, prefix, (first, last)))
    report = finetune(
        examples,
        init=settings.orm.base,
        out=out,
        config=train_config(section, seed=settings.seed, steps=section.steps, emphasis_weight=section.decisive_weight),
        images=ImageStore(problems / "images"),
        checkpoints=CHECKPOINTS / "orm",
        curve=curve,
        label="train_orm",
        trust_remote_code=settings.orm.trust_remote_code,
    )
    write_metrics(metrics, {"train_orm": report.metrics()})


if __name__ == "__main__":
    run(train_orm)
