"""Best-of-n at test time: does the ORM choose better among samples than chance or a majority?

    python -m bench.best_of_n ROUND [--n 4 --n 8] [--problems 200] [--split eval] [--candidates 3]
        [--out FILE]

Run it in the folder of a finished run. The student of ROUND samples solutions of the first problems
of a split by content hash, as `params.yaml` says for `generate`; the ORM judges all. The greedy
answers are those of the evaluation. With --candidates the student also chooses among its samples,
as many in a prompt; `merge.select_rows` teaches it to. The rules: `mathse/judge/best_of_n.py`. The
same command goes on after a kill.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

import schemas
from mathse.answers.check_table import check_answers
from mathse.core.errors import DataError, MathseError
from mathse.core.failures import check_failures
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.stage_tables import read, read_problems
from mathse.engines.journaled import journal_part
from mathse.engines.loading import load_journaled
from mathse.engines.protocol import SamplingParams
from mathse.evaluation.benchmark_rules import scoring_rules
from mathse.figures.clusters import clusters_of
from mathse.judge.best_of_n import measure_best_of_n, with_answer_groups
from mathse.judge.judging import Judge, write_judge_solutions
from mathse.judge.load_judge import load_judge
from mathse.judge.self_select import Selection, select
from mathse.trajectories import sampling_params, solve


def run(
    layout: Layout, round_name: str, sizes: list[int], problems: int, split: str, candidates: int
) -> dict[str, Any]:
    """Sample, judge, choose and measure."""
    params = load_params(layout.params)
    label = f"best_of_n {round_name} {split}"
    greedy = read(layout.eval(round_name).predictions, schemas.Prediction).filter(split=split)
    pool = read_problems(layout, split).join(greedy, on="problem_id", how="semi")
    pool = pool.sort("problem_id").head(problems)
    if pool.is_empty():
        raise DataError(f"{round_name} has answered no problem of the split {split}.")
    # The student samples, the ORM judges.
    student = load_journaled(layout, params, "student", layout.round(round_name).model, label)
    samples = solve(
        student,
        pool,
        [(name, index) for name in pool["problem_id"] for index in range(max(sizes))],
        sampling=sampling_params(params.generate, params.seed),
        round_name=round_name,
        origin="student",
    )
    check_failures(samples, max_share=params.errors_max_share, label=label)
    # The answers, checked as the evaluation checks them.
    rules, is_right = scoring_rules(pool), pl.col("state") == "match"
    checked = check_answers(samples, rules).with_columns(correct=is_right)
    answered = greedy.join(pool, on="problem_id", how="semi")
    greedy = check_answers(answered, rules)
    grouped = with_answer_groups(checked, rules)
    # The student chooses among the first n.
    chosen: dict[int, Selection] = {}
    for n in sizes if candidates else ():
        first = grouped.filter(pl.col("sample_idx") < n)
        with journal_part(student, f"select {n}"):
            chosen[n] = select(student, first, pool, most=candidates)
    student.close()
    judge = load_judge(
        layout, params, pool, f"judge {label}", after=params.previous_round(round_name)
    )
    judged = judge.judge(grouped)
    solved = None
    if (own := solve_as_judge(judge, pool)) is not None:
        answered_rows = answered.drop("response").join(own, on="problem_id", validate="1:1")
        checks = check_answers(answered_rows, rules).with_columns(correct=is_right)
        solved = dict(checks.select("problem_id", "correct").iter_rows())
    judge.engine.close()
    found = measure_best_of_n(
        judged,
        greedy.with_columns(correct=is_right),
        clusters_of(pool),
        sizes=sizes,
        seed=params.seed,
        selected={n: selection.chosen for n, selection in chosen.items()},
        solved=solved,
    )
    for n, selection in chosen.items():
        found[str(n)]["selection"] = {"asked": selection.asked, "unclear": selection.unclear}
    return {
        "round": round_name,
        "split": split,
        "problems": pool.height,
        "temperature": params.generate.temperature,
        "samples": judged.height,
        "without_p_correct": judged["p_correct"].null_count(),
        "best_of": found,
    }


def solve_as_judge(judge: Judge, problems: pl.DataFrame) -> pl.DataFrame | None:
    """Let the ORM solve the problems itself, greedily, if its form learned to.

    Returns:
        problem_id and response, one row for each problem; None for another form.
    """
    solver, limit = judge.solver or judge.engine, judge.max_new_tokens
    match judge.form:
        case "stepwise":  # its solutions are in the journal by now
            own = write_judge_solutions(solver, problems, max_new_tokens=limit)
            return pl.DataFrame(
                [(name, text or "") for name, text in own.items()],
                schema=["problem_id", "response"],
                orient="row",
            )
        case "likelihood":
            greedy = SamplingParams(temperature=0.0, top_p=1.0, max_new_tokens=limit)
            once = [(name, 0) for name in problems["problem_id"]]
            return solve(
                solver, problems, once, sampling=greedy, round_name="r0", origin="teacher"
            ).select("problem_id", "response")
    return None


def main(
    round_name: Annotated[str, typer.Argument(metavar="ROUND")],
    n: Annotated[list[int], typer.Option(min=1)] = [4, 8],  # noqa: B006
    problems: Annotated[int, typer.Option(min=1)] = 200,
    split: str = "eval",
    candidates: Annotated[
        int, typer.Option(help="solutions in a prompt to choose from; 0: none")
    ] = 0,
    out: Path | None = None,
) -> None:
    """Measure best-of-n for the student of ROUND; print JSON, or write it to a file."""
    try:
        text = json.dumps(run(Layout(), round_name, n, problems, split, candidates), indent=2)
    except (MathseError, schemas.ContractError) as error:
        raise SystemExit(f"best_of_n: {error}") from error
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
