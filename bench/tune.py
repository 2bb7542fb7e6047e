"""Choose rates and steps on a tuning split.

    python -m bench.tune FOLDER [--group r0 --group orm] [--set finetune.precision=fp32]

Run it in a project with a finished run. Each setting becomes a project below FOLDER: the run's
params but for this setting, links to the run's data, and the stages as DVC calls them. Results stay
there, so a second call does only what is missing; FOLDER/results.json holds the metrics of all.

Groups:
    r0: rates and steps of r0.
    rounds: rates and steps of the first and the last round, each from the model before it.
    orm: steps and batch sizes of the ORM, judged on rows of a tenth of its training problems.

`r0` and `rounds` are compared on problems of the training families, drawn with a seed of their own;
the run has neither these problems nor their figures. No group uses the evaluation splits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
import yaml

from mathse.core.images import write_images
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.tables import write_table
from mathse.figures.source import build_tables

Values = dict[str, Any]
"""Params by their names with dots, such as `evolve.steps`; or what was measured."""

TUNING_SEED = 90210
ROOT = Path(__file__).resolve().parents[1]


def settings_of(group: str, rounds: list[str]) -> Iterator[tuple[str, Values]]:
    """Yield each setting of a group: what is trained, and with which params."""
    if group == "r0":
        grid = [("r0", rate, steps) for steps in (400, 800) for rate in (3e-4, 5e-4, 1e-3)]
    elif group == "rounds":
        names, rates = dict.fromkeys([rounds[0], rounds[-1]]), (3e-4, 5e-4, 7e-4)
        grid = [(name, rate, steps) for name in names for steps in (150, 250) for rate in rates]
    elif group == "orm":
        for steps, batch_size in ((1500, 16), (1000, 16), (750, 16), (500, 32)):
            yield "orm", {"train_orm.steps": steps, "train_orm.batch_size": batch_size}
        return
    else:
        raise typer.BadParameter(f"there is no group {group}: r0, rounds, orm")
    for name, rate, steps in grid:
        yield name, {"finetune.learning_rate": rate, "evolve.steps": steps}


def main(
    folder: Path,
    group: Annotated[list[str] | None, typer.Option(help="r0, rounds, orm")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE for all")] = None,
    limit: Annotated[int | None, typer.Option(help="only the first settings of a group")] = None,
    problems: Annotated[int, typer.Option(help="problems of the tuning split")] = 600,
    scale: Annotated[float, typer.Option(help="share of all steps, for a trial")] = 1.0,
) -> None:
    """Train and measure every setting that FOLDER has no result of."""
    run, folder = Layout(Path.cwd()), folder.resolve()
    rounds = list(load_params(run.params).rounds)
    common = {key: yaml.safe_load(value) for key, value in (s.split("=", 1) for s in set_ or [])}
    tuning = folder / "problems"
    if not (tuning / "problems.parquet").is_file():
        write_tuning_problems(run, tuning, problems)
    for chosen in group or ["r0", "rounds", "orm"]:
        for name, values in list(settings_of(chosen, rounds))[:limit]:
            words = [name, *(f"{key.split('.')[1]}={value}" for key, value in values.items())]
            project = folder / "_".join(words)
            result = project / "result.json"
            if not result.is_file():
                values = common | values
                for key in values.keys() & {"evolve.steps", "train_orm.steps"}:
                    values[key] = max(1, round(scale * values[key]))
                if chosen == "orm":
                    found = measure_orm(run, project, values)
                else:
                    previous = load_params(run.params).previous_round(name)
                    found = measure(
                        project,
                        values | {"eval.splits": ["eval"]},
                        init=run.round(previous).model if previous != "base" else None,
                        rows=run.round(name).train,
                        problems=tuning,
                    )
                result.write_text(json.dumps({"setting": words, **found}, indent=2) + "\n")
            typer.echo(f"{' '.join(words)}: {result.read_text()}")
    results = [json.loads(path.read_text()) for path in sorted(folder.glob("*/result.json"))]
    (folder / "results.json").write_text(json.dumps(results, indent=2) + "\n")


def write_tuning_problems(run: Layout, folder: Path, count: int) -> None:
    """Write the run's training problems and `count` new ones; these are the split `eval`."""
    known = pl.read_parquet(run.problems)
    used = known["image_ids"].explode().unique().implode()
    new, images = build_tables({"train": 2 * count}, seed=TUNING_SEED)
    new = new.join(known, on="problem_id", how="anti", maintain_order="left")
    new = new.filter(~pl.col("image_ids").list.first().is_in(used)).head(count)
    new = new.with_columns(split=pl.lit("eval"))
    new = new.select(pl.col(name).cast(dtype) for name, dtype in known.schema.items())
    images = images.filter(pl.col("image_id").is_in(new["image_ids"].explode().implode()))
    write_images(images, folder / "images")
    for shard in (folder / "images").glob("*.parquet"):
        shard.rename(shard.with_name(f"tuning-{shard.name}"))
    for shard in run.images.glob("*.parquet"):
        link(shard, folder / "images" / shard.name)
    rows = pl.concat([known.filter(pl.col("split") == "train"), new])
    write_table(rows, folder / "problems.parquet", sort_by=["split", "problem_id"])
    typer.echo(f"tuning split: {new.height} problems")


def measure(
    project: Path, values: Values, *, init: Path | None, rows: Path, problems: Path
) -> Values:
    """Train INIT (None: the base) on ROWS as a round does; let it answer the evaluation splits."""
    values = values | {"rounds": {"r1": {"prev": "r0"}}, "evolve.init": "base"}
    files = write_project(project, values | ({"student.model": str(init)} if init else {}))
    link(problems, files.problems.parent)
    link(rows, files.round("r1").train)
    stage(files, "finetune", "r1")
    model = str(files.round("r1").model.resolve())
    write_project(project, values | {"student.model": model})  # "base" is compared with no other
    stage(files, "predict", "base")
    stage(files, "eval", "base")
    return {
        "training": json.loads(files.metrics("finetune", "r1").read_text()),
        "accuracy": json.loads(files.metrics("eval", "base").read_text()),
    }


def measure_orm(run: Layout, project: Path, values: Values) -> Values:
    """Train the ORM on nine tenths of its training problems; judge rows of the others."""
    files = write_project(project, values)
    judged = pl.col("problem_id").str.slice(0, 4).str.to_integer(base=16) % 10 == 0
    rows = pl.read_parquet(run.orm.rows).filter(pl.col("part") == "train")
    part = pl.when(judged).then(pl.lit("test")).otherwise(pl.lit("train"))
    rows = rows.with_columns(part.cast(rows.schema["part"]).alias("part"))
    write_table(rows, files.orm.rows, sort_by=["row_id"])
    problems = pl.read_parquet(run.problems).filter(pl.col("split") == "orm")
    split = pl.when(judged).then(pl.lit("orm_test")).otherwise(pl.lit("orm"))
    problems = problems.with_columns(split.cast(problems.schema["split"]).alias("split"))
    write_table(problems, files.problems, sort_by=["split", "problem_id"])
    link(run.images, files.images)
    stage(files, "train_orm")
    stage(files, "eval_orm")
    return {
        "training": json.loads(files.metrics("train_orm").read_text()),
        "orm": json.loads(files.metrics("eval_orm").read_text()),
    }


def write_project(project: Path, values: Values) -> Layout:
    """Write the params of the current folder with some values changed, and link its models."""
    params = yaml.safe_load(Layout().params.read_text(encoding="utf-8"))
    for key, value in values.items():
        section, _, name = key.rpartition(".")
        (params[section] if section else params)[name] = value
    files = Layout(project)
    project.mkdir(parents=True, exist_ok=True)
    files.params.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    for shared in (Path("models"), Layout().machine):
        if shared.exists():
            link(shared, project / shared)
    return files


def link(source: Path, target: Path) -> None:
    """Make a path of a project a link to one of the run."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    target.symlink_to(source.resolve())


def stage(files: Layout, *words: str) -> None:
    """Call a stage in a project's folder."""
    command = [sys.executable, "-m", f"stages.{words[0]}", *words[1:]]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, cwd=files.folder, env=environment, check=True)


if __name__ == "__main__":
    typer.run(main)
