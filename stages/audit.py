"""audit: the step verifier judges what the ORM judged. Nothing in the loop depends on it."""

from __future__ import annotations

import polars as pl

import schemas
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.judge.audit import audit, audit_metrics


def audit_stage(layout: Layout, round_name: str) -> None:
    """Write the round's audit: of the student's trajectories and of reflections."""
    params = load_params(layout.params)
    files = layout.round(round_name)
    problems = read_problems(layout, "train")
    parts = (files.trajectories, files.verdicts), (files.reflections, files.reflection_verdicts)
    rows = pl.concat(
        audit(read(texts, schemas.Trajectory), read(verdicts, schemas.Verdict), problems)
        for texts, verdicts in parts
    )
    rows = write(rows, files.audit, schemas.Audit, sort_by=["trajectory_id"])
    counts = audit_metrics(rows, min_p_correct=params.score.min_p_correct)
    write_metrics(layout.metrics("audit", round_name), {round_name: counts})


if __name__ == "__main__":
    run(audit_stage)
