"""score: the ORM judges each trajectory, the answer check compares; what passes is accepted."""

from __future__ import annotations

import schemas
from mathse.core.failures import count_failures
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import empty, read, read_problems, write, write_metrics
from mathse.judge.acceptance import count_reasons
from mathse.judge.load_judge import load_judge
from mathse.judge.orm_warnings import warn_of_refusal
from mathse.reflection import carry_mistakes
from schemas import checks


def score(layout: Layout, round_name: str) -> None:
    """Write the round's verdicts and mistakes."""
    params = load_params(layout.params)
    previous_round = params.previous_round(round_name) or "r0"
    previous = layout.round(previous_round)
    files = layout.round(round_name)
    problems = read_problems(layout, "train")
    trajectories = read(files.trajectories, schemas.Trajectory)
    checks.known_problem_ids(trajectories, problems, file=str(files.trajectories))
    verdicts, judge_failed = empty(schemas.Verdict), {}
    if trajectories.height:
        judge = load_judge(layout, params, problems, f"score {round_name}", after=previous_round)
        verdicts, judge_failed = judge(trajectories), judge.count_failures()
    verdicts = write(verdicts, files.verdicts, schemas.Verdict, sort_by=["trajectory_id"])
    checks.every_trajectory_judged(verdicts, trajectories, file=str(files.verdicts))
    checks.error_step_within_steps(verdicts, trajectories, file=str(files.verdicts))
    previous_mistakes = read(previous.mistakes, schemas.Mistake)
    ledger = read(previous.ledger, schemas.LedgerRow)
    mistakes = carry_mistakes(previous_mistakes, ledger, verdicts, trajectories, params.reflect)
    order = ["problem_id", "sample_idx"]
    write(mistakes, files.mistakes, schemas.Mistake, sort_by=order)
    warn_of_refusal(verdicts, round_name)
    solved = verdicts.filter("accepted")["problem_id"].n_unique()
    counts = {
        "trajectories": trajectories.height,
        "failed": count_failures(trajectories),
        "judge_failed": judge_failed,
        "problems_solved": solved / max(1, verdicts["problem_id"].n_unique()),
        **count_reasons(verdicts),
    }
    write_metrics(layout.metrics("score", round_name), {round_name: counts})


if __name__ == "__main__":
    run(score)
