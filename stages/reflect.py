"""reflect: new solutions from feedback; they are judged like any trajectory."""

from __future__ import annotations

import schemas
from mathse.core.failures import check_failures, count_failures
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import empty, read, read_problems, write, write_metrics
from mathse.engines.roles import usage_metrics
from mathse.judge.acceptance import count_reasons
from mathse.judge.feedback import load_annotator, with_feedback
from mathse.judge.load_judge import load_judge
from mathse.reflection import limit_mistakes, load_reflector, reflect
from mathse.trajectories import sampling_params
from schemas import checks


def reflect_stage(layout: Layout, round_name: str) -> None:
    """Write the round's reflections and their verdicts."""
    params = load_params(layout.params)
    previous = params.previous_round(round_name) or "r0"
    files, problems = layout.round(round_name), read_problems(layout, "train")
    mistakes = read(files.mistakes, schemas.Mistake)
    checks.known_problem_ids(mistakes, problems, file=str(files.mistakes))
    label, journal = f"reflect {round_name}", f"judge reflections {round_name}"
    used = usage_metrics({}) | {"judge_failed": {}}
    # Models load only for mistakes, and each one closes before the next: two may not fit at once.
    rows, verdicts = empty(schemas.Trajectory), empty(schemas.Verdict)
    if (chosen := limit_mistakes(mistakes, params, round_name)).height:
        annotator = load_annotator(layout, params, problems, round_name)
        chosen = with_feedback(chosen, problems, params, round_name, annotator)
        engines = {"annotator": annotator.engine} if annotator else {}
        for engine in engines.values():
            engine.close()
        reflector = load_reflector(layout, params, problems, layout.round(previous).model, label)
        how = sampling_params(params.reflector, params.seed)
        rows = reflect(reflector, problems, chosen, sampling=how, round_name=round_name)
        reflector.engine.close()
        own = params.reflector.engine == "student"
        if not own:
            engines["reflector"] = reflector.engine
        check_failures(rows, max_share=params.errors_max_share, label=label)
        judge = load_judge(layout, params, problems, journal, after=previous, by_student=own)
        verdicts = judge(rows)
        used = {"judge_failed": judge.count_failures(), **usage_metrics(engines)}
    # Without mistakes the tables are written as well, empty.
    rows = write(rows, files.reflections, schemas.Trajectory, sort_by=["problem_id", "sample_idx"])
    out = files.reflection_verdicts
    verdicts = write(verdicts, out, schemas.Verdict, sort_by=["trajectory_id"])
    checks.every_trajectory_judged(verdicts, rows, file=str(out))
    counts = {"reflections": rows.height, "failed": count_failures(rows), **count_reasons(verdicts)}
    if params.reflect.feedback != "orm":
        counts["without_feedback"] = chosen["error_step"].null_count()
    write_metrics(layout.metrics("reflect", round_name), {round_name: {**counts, **used}})


if __name__ == "__main__":
    run(reflect_stage)
