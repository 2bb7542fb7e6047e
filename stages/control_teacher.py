"""control_teacher: the teacher's solutions of random problems, as many as the loop has rows."""

from __future__ import annotations

import schemas
from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.params import Merge, load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import empty, read, read_problems, write, write_metrics
from mathse.curation.contamination import contaminated_problems
from mathse.curation.plan import usable_problems
from mathse.curation.training_rows import merge_rows
from mathse.engines.roles import load_role, usage_metrics, use_journal
from mathse.judge.answer_states import judge_by_answer
from mathse.prompts.roles import load_prompts
from mathse.trajectories import check_failures, sampling_params, solve

NAME = "control_teacher"


def control_teacher(layout: Layout) -> None:
    """Write the rows of the control that learns from the teacher without the loop.

    Where the teacher knows fewer problems than the last round has rows, it has fewer rows.
    """
    params = load_params(layout.params)
    wanted = read(layout.round(["r0", *params.rounds][-1]).train, schemas.TrainRow).height
    problems = read_problems(layout, "train")
    leaks = contaminated_problems(read(layout.matches, schemas.Match), "train")
    teacher = load_role(layout, params, "teacher", problems, NAME)
    names = usable_problems(problems, teacher, leaks)["problem_id"].to_list()
    names.sort(key=lambda name: content_id(NAME, params.seed, name))
    sampling = sampling_params(params.teacher, params.seed)
    ask = load_prompts(layout, params).solve
    train, tried, limits = empty(schemas.TrainRow), 0, Merge(max_per_problem=1)
    asked = empty(schemas.Trajectory)
    # Solutions that are not right are replaced by those of further problems.
    while tried < len(names) and train.height < wanted:
        chosen = names[tried : tried + wanted - train.height]
        tried += len(chosen)
        plan = [(name, 0) for name in chosen]
        as_teacher = {"round_name": NAME, "origin": "teacher"}
        use_journal(teacher, layout, f"{NAME} {tried}")
        rows = solve(teacher, problems, plan, sampling=sampling, messages=ask, **as_teacher)
        asked = asked.vstack(
            rows
        )  # of the few that are asked last, one that fails is no large share
        check_failures(asked, max_share=params.errors_max_share, label=NAME)
        verdicts = judge_by_answer(rows, problems)
        train, _ = merge_rows(train, rows, verdicts, round_name=NAME, limits=limits)
    write(train, layout.round(NAME).train, schemas.TrainRow, sort_by=["row_id"])
    counts = {"rows": train.height, "wanted": wanted, "tried": tried}
    used = usage_metrics({"teacher": teacher})
    write_metrics(layout.metrics(NAME), {NAME: {**counts, **used}})


if __name__ == "__main__":
    run(control_teacher)
