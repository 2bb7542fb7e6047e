"""Is the ORM better on the next round once it has learned from this one? Outside of the loop.

    python -m bench.orm_refresh ROUND NEXT [--steps 200] [--out FILE]

Run it in the folder of a finished run. The annotator of `params.yaml` judges what student and
reflector wrote in ROUND; the ORM is trained on with these rows among its own. It then judges the
trajectories of NEXT, beside the ORM as it was, and beside one trained as many steps more on its own
rows alone: more training by itself is no refresh. The step verifier says who is right.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

import schemas
from mathse.core.errors import MathseError
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import load_machine
from mathse.core.params import Params, load_params
from mathse.core.registry import DATA_ENGINES
from mathse.core.stage_tables import read, read_problems
from mathse.curation.drops import Drops
from mathse.engines.loading import load_engine
from mathse.engines.roles import load_role
from mathse.evaluation.paired import paired_bootstrap, sign_flip_exact
from mathse.figures.clusters import clusters_of
from mathse.judge.annotation import annotate_by_engine
from mathse.judge.audit import audit, audit_metrics
from mathse.judge.judging import Judge
from mathse.judge.orm_examples import orm_examples
from mathse.judge.orm_metrics import roc_auc
from mathse.judge.orm_rows import build_rows
from mathse.prompts.roles import load_prompts
from mathse.training import Example
from mathse.training.launch import train
from mathse.trajectories import sampling_params

KEPT, SAME_STEPS, REFRESHED = "kept", "same_steps", "refreshed"


def texts_of(layout: Layout, round_name: str) -> pl.DataFrame:
    """Return what student and reflector wrote in a round, without failed requests."""
    files = layout.round(round_name)
    parts = [read(name, schemas.Trajectory) for name in (files.trajectories, files.reflections)]
    return pl.concat(parts).filter(pl.col("error_kind").is_null())


def round_rows(layout: Layout, params: Params, problems: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return `OrmRow` rows of a round, annotated as the ORM's own rows are."""
    texts = texts_of(layout, name).filter(pl.col("finish_reason") == "stop")
    engine = load_role(layout, params, "annotator", problems, f"orm_refresh {name}")
    annotated = annotate_by_engine(
        texts,
        problems,
        engine,
        Drops(),
        prompts=load_prompts(layout, params),
        sampling=sampling_params(params.annotator, params.seed),
        errors_max_share=params.errors_max_share,
        checks_answers=params.annotator.engine not in DATA_ENGINES,
    )
    engine.close()
    most = params.orm_data.max_per_problem
    return build_rows(annotated, problems, test_problems=(), max_per_problem=most)[0]


def train_on(
    layout: Layout, params: Params, examples: list[Example], out: Path, steps: int
) -> None:
    """Train the run's ORM on, for some steps, unless that is done."""
    if out.is_dir():
        return
    partial = out.with_name(f"{out.name}.partial")
    train(
        examples,
        init=layout.orm.model,
        out=partial,
        config=params.train_orm.model_copy(update={"steps": steps}),
        machine=load_machine(layout.machine),
        seed=params.seed,
        images=ImageStore(layout.images, params.orm.pixels),
        checkpoints=layout.checkpoints(f"orm_refresh {out.name}"),
        curve=out.with_suffix(".tsv"),
        label=f"train {out.name}",
        trust_remote_code=params.orm.trust_remote_code,
    )
    partial.replace(out)


def judge_by(
    layout: Layout, params: Params, problems: pl.DataFrame, texts: pl.DataFrame, model: Path
) -> pl.DataFrame:
    """Return the `Audit` rows of the verdicts of a model."""
    store = ImageStore(layout.images, params.orm.pixels)
    engine = load_engine(model, params.orm, store, load_machine(layout.machine), "orm")
    judge = Judge(
        engine=engine,
        problems=problems,
        form=params.train_orm.form,
        max_new_tokens=params.score.max_new_tokens,
        accept=params.score.accept,
        min_p_correct=params.score.min_p_correct,
        errors_max_share=params.errors_max_share,
    )
    verdicts = judge(texts)
    engine.close()
    return audit(texts, verdicts, problems)


def passes(rows: pl.DataFrame, params: Params) -> pl.DataFrame:
    """Add whether the ORM passes a trajectory."""
    certain = pl.col("p_correct").fill_null(1.0) >= params.score.min_p_correct
    return rows.with_columns(passed=(pl.col("orm_status") == "correct") & certain)


def difference(
    before: pl.DataFrame, after: pl.DataFrame, truth: str, clusters: pl.DataFrame, seed: int
) -> dict[str, float | int]:
    """Return how much more of the right or wrong trajectories the second ORM passes."""
    pairs = (
        before.filter(truth=truth)
        .join(after.select("trajectory_id", after="passed"), on="trajectory_id", validate="1:1")
        .join(clusters, on="problem_id", how="left", validate="m:1")
    )
    change = pl.col("after").cast(pl.Int64) - pl.col("passed").cast(pl.Int64)
    grouped = pairs.group_by("cluster").agg(change.sum().alias("change"), pl.len())
    changes: list[tuple[int, int]] = grouped.select("change", "len").rows()
    low, high = paired_bootstrap(changes, seed=seed)
    value = sum(change for change, _ in changes) / max(1, pairs.height)
    p_value = sign_flip_exact([change for change, _ in changes])
    return {"value": value, "low": low, "high": high, "p_value": p_value, "n": pairs.height}


def run(layout: Layout, work: Path, round_name: str, after: str, steps: int) -> dict[str, Any]:
    """Train, judge and compare."""
    params = load_params(layout.params)
    problems = read_problems(layout, "train")
    of_orm = read_problems(layout, "orm")
    own = read(layout.orm.rows, schemas.OrmRow).filter(part="train")
    new = round_rows(layout, params, problems, round_name)
    examples = {SAME_STEPS: orm_examples(own, of_orm, params.train_orm)}
    examples[REFRESHED] = examples[SAME_STEPS] + orm_examples(new, problems, params.train_orm)
    models = {KEPT: layout.orm.model}
    for name, rows in examples.items():
        models[name] = work / name
        train_on(layout, params, rows, models[name], steps)
    texts = texts_of(layout, after)
    pool = problems.join(texts, on="problem_id", how="semi")
    judged = {
        name: passes(judge_by(layout, params, pool, texts, model), params)
        for name, model in models.items()
    }
    found: dict[str, Any] = {
        name: audit_metrics(rows.drop("passed"), min_p_correct=params.score.min_p_correct)
        for name, rows in judged.items()
    }
    clusters = clusters_of(pool)
    for name, rows in judged.items():
        for (origin,), part in rows.partition_by("origin", as_dict=True).items():
            sure = part.filter(pl.col("truth") != "unreadable").drop_nulls("p_correct")
            labels = (sure["truth"] == "right").to_list()
            found[name][origin]["roc_auc"] = roc_auc(labels, sure["p_correct"].to_list())
    differences = {
        f"{REFRESHED} - {name}": {
            f"{truth}_passed": difference(
                judged[name], judged[REFRESHED], truth, clusters, params.seed
            )
            for truth in ("right", "wrong")
        }
        for name in (KEPT, SAME_STEPS)
    }
    sizes = {"own": own.height, "new": new.height, "new_problems": new["problem_id"].n_unique()}
    about = {"learned_from": round_name, "judged": after, "steps": steps, "rows": sizes}
    return {**about, "orm": found, "differences": differences}


def main(
    round_name: Annotated[str, typer.Argument(metavar="ROUND")],
    after: Annotated[str, typer.Argument(metavar="NEXT")],
    steps: Annotated[int, typer.Option(min=1)] = 200,
    out: Path | None = None,
) -> None:
    """Train the ORM on from ROUND and judge NEXT; print JSON, or write it to a file."""
    work = Path("build") / f"orm_refresh_{round_name}"
    work.mkdir(parents=True, exist_ok=True)
    try:
        text = json.dumps(run(Layout(), work, round_name, after, steps), indent=2)
    except (MathseError, schemas.ContractError) as error:
        raise SystemExit(f"orm_refresh: {error}") from error
    shutil.rmtree(work)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
