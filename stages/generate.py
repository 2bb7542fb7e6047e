"""generate: the student of the round before solves D_remain, several times each problem."""

from __future__ import annotations

import schemas
from mathse.core.failures import check_failures
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import empty, read, read_problems, write
from mathse.curation.plan import plan_round
from mathse.engines.loading import load_journaled
from mathse.evaluation.gate import pass_gate
from mathse.trajectories import solve_round
from schemas import checks


def generate(layout: Layout, round_name: str) -> None:
    """Write the round's trajectories."""
    params = load_params(layout.params)
    previous_round = params.previous_round(round_name) or "r0"
    pass_gate(layout.eval(previous_round).gate)
    previous = layout.round(previous_round)
    problems = read_problems(layout, "train")
    ledger = read(previous.ledger, schemas.LedgerRow)
    checks.known_problem_ids(ledger, problems, file=str(previous.ledger))
    label = f"generate {round_name}"
    rows = empty(schemas.Trajectory)
    if plan := plan_round(ledger, params, round_name):
        student = load_journaled(layout, params, "student", previous.model, label)
        rows = solve_round(student, problems, plan, params, round_name)
    check_failures(rows, max_share=params.errors_max_share, label=label)
    out = layout.round(round_name).trajectories
    write(rows, out, schemas.Trajectory, sort_by=["problem_id", "sample_idx"])


if __name__ == "__main__":
    run(generate)
