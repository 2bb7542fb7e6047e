"""Train the ORM further after a round, with what student and reflector wrote in it.

The ORM learned from the first student's trajectories. The students of later rounds write others,
and reflections are a third kind of text.
"""

from __future__ import annotations

from typing import Any

import polars as pl

import schemas
from mathse.core.ids import content_id
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.machine import load_machine
from mathse.core.params import Params
from mathse.core.stage_tables import empty, read
from mathse.engines.roles import usage_metrics
from mathse.judge.load_judge import orm_after
from mathse.judge.orm_annotation import OrmAnnotation
from mathse.judge.orm_rows import build_rows, count_rows
from schemas import checks


def annotate_round(
    layout: Layout, params: Params, problems: pl.DataFrame, round_name: str
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Let the annotator judge the trajectories and reflections of a round.

    Args:
        layout: where the round's tables are.
        params: all parameters.
        problems: `Problem` rows of the training problems.
        round_name: of the round.

    Returns:
        `OrmRow` rows, as many wrong as correct ones, and what the stage counts: rows, what was left
        out and why, what the annotator cost. Of `orm.refresh: own_rows` there are none.

    Raises:
        DataError: if too many requests of the annotator fail.
    """
    if params.orm.refresh == "own_rows":
        return empty(schemas.OrmRow), {}
    files = layout.round(round_name)
    parts = [read(file, schemas.Trajectory) for file in (files.trajectories, files.reflections)]
    annotation = OrmAnnotation(layout, params, problems)
    annotated = annotation.annotate(pl.concat(parts), f"refresh {round_name}")
    for engine in annotation.engines.values():
        engine.close()
    rows, dropped = build_rows(
        annotated,
        problems,
        test_problems=(),
        max_per_problem=params.orm_data.max_per_problem,
        need_feedback=params.train_orm.form != "binary",
    )
    counted = count_rows(rows, pl.concat([dropped, annotation.drops.table()]))
    counted |= usage_metrics(annotation.engines)
    return rows, {key: value for key, value in counted.items() if key not in schemas.ORM_PARTS}


def train_further(
    layout: Layout, params: Params, rows: pl.DataFrame, problems: pl.DataFrame, round_name: str
) -> dict[str, Any]:
    """Train the ORM that judged a round further, on its own rows and those of the rounds so far.

    Args:
        layout: where its models and rows are.
        params: all parameters.
        rows: `OrmRow` rows of the rounds so far.
        problems: all `Problem` rows.
        round_name: of the round.

    Returns:
        Metrics of the training.
    """
    own = read(layout.orm.rows, schemas.OrmRow).filter(pl.col("part") == "train")
    of_orm = problems.filter(pl.col("split") == "orm")
    checks.known_problem_ids(own, of_orm, file=str(layout.orm.rows))
    from mathse.judge.calibrate import calibrate_orm, learned_rows
    from mathse.judge.orm_examples import orm_examples
    from mathse.training.launch import train

    section, files = params.train_orm, layout.round(round_name)
    # Of the round: with the same one each training would see the same batches of the same rows.
    seed = int(content_id("refresh", params.seed, round_name)[:8], 16)
    report = train(
        orm_examples(learned_rows(pl.concat([own, rows]), params), problems, section),
        init=orm_after(layout, params.previous_round(round_name) or "r0"),
        out=files.orm_model,
        config=section.model_copy(update={"steps": params.orm.refresh_steps}),
        machine=load_machine(layout.machine),
        seed=seed,
        images=ImageStore(layout.images, params.orm.pixels),
        checkpoints=layout.checkpoints(f"orm {round_name}"),
        curve=files.orm_curve,
        label=f"refresh {round_name}",
        trust_remote_code=params.orm.trust_remote_code,
    )
    calibrate_orm(layout, params, of_orm, files.orm_model, f"calibrate orm {round_name}")
    return report.metrics()
