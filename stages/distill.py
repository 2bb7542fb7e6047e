"""distill: the teacher solves some problems; its right trajectories are the training rows of r0."""

from __future__ import annotations

import schemas
from mathse.core.failures import check_failures
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import empty, read, read_problems, write, write_metrics
from mathse.curation.contamination import contaminated_problems
from mathse.curation.drops import count_dropped
from mathse.curation.ledger import assert_ledger, initial_ledger
from mathse.curation.plan import choose_in_turn, usable_problems
from mathse.curation.training_rows import ONE_EACH, merge_rows
from mathse.engines.roles import load_role, usage_metrics
from mathse.judge.acceptance import count_reasons
from mathse.judge.answer_states import judge_by_answer
from mathse.prompts.roles import load_prompts
from mathse.trajectories import sampling_params, solve


def distill(layout: Layout) -> None:
    """Write the teacher's trajectories, and the first training rows, ledger and mistakes."""
    params = load_params(layout.params)
    problems = read_problems(layout, "train")
    leaks = contaminated_problems(read(layout.matches, schemas.Match), "train")
    teacher = load_role(layout, params, "teacher", problems, "distill")
    usable = usable_problems(problems, teacher, leaks)
    chosen = choose_in_turn(usable, params.distill.problems, seed=params.seed)
    plan, as_teacher = [(name, 0) for name in chosen], {"round_name": "r0", "origin": "teacher"}
    sampling = sampling_params(params.teacher, params.seed)
    ask = load_prompts(layout, params).solve
    rows = solve(teacher, problems, plan, sampling=sampling, messages=ask, **as_teacher)
    check_failures(rows, max_share=params.errors_max_share, label="distill")
    verdicts = judge_by_answer(rows, problems)
    train, dropped = merge_rows(None, rows, verdicts, round_name="r0", limits=ONE_EACH)
    names = problems["problem_id"].to_list()
    ledger = initial_ledger(names, train["problem_id"].to_list(), contaminated=leaks)
    assert_ledger(ledger, train=train)
    files, first = layout.distill, layout.round("r0")
    write(rows, files.trajectories, schemas.Trajectory, sort_by=["problem_id", "sample_idx"])
    write(verdicts, files.verdicts, schemas.Verdict, sort_by=["trajectory_id"])
    write(train, first.train, schemas.TrainRow, sort_by=["row_id"])
    write(ledger, first.ledger, schemas.LedgerRow, sort_by=["problem_id"])
    write(empty(schemas.Mistake), first.mistakes, schemas.Mistake, sort_by=["problem_id"])
    counts = {"rows": train.height, "contaminated": len(leaks)} | count_reasons(verdicts)
    counts |= count_dropped(dropped, schemas.DROP_REASONS) | usage_metrics({"teacher": teacher})
    write_metrics(layout.metrics("distill"), {"distill": counts})


if __name__ == "__main__":
    run(distill)
