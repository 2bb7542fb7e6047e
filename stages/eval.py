"""eval: check stored answers and compare with the round before; no model runs."""

from __future__ import annotations

import sys

import schemas
from mathse.answers.check_table import check_answers
from mathse.core.layout import Layout
from mathse.core.params import load_params
from mathse.core.run_stage import run
from mathse.core.stage_tables import read, read_problems, write, write_metrics
from mathse.evaluation.accuracy import grade
from mathse.evaluation.benchmark_rules import benchmark_table, scoring_rules
from mathse.evaluation.gate import explain_worse, worse_splits, write_gate
from mathse.evaluation.paired import transitions
from mathse.evaluation.round_metrics import round_metrics
from mathse.figures.clusters import clusters_of


def evaluate(layout: Layout, round_name: str) -> None:
    """Write graded.parquet and accuracy.parquet; after the base also transitions and the gate."""
    params = load_params(layout.params)
    files, previous_round = layout.eval(round_name), params.previous_round(round_name)
    problems = read_problems(layout, *params.eval.splits)
    answers = read(files.predictions, schemas.Prediction)
    checked = check_answers(answers, scoring_rules(problems))
    order = ["split", "problem_id"]
    rows = grade(answers, checked, clusters_of(problems))
    graded = write(rows, files.graded, schemas.Graded, sort_by=order)
    benchmarks = benchmark_table(graded, problems)
    groups = ["split", "source", "by", "group"]
    write(benchmarks, files.accuracy, schemas.Accuracy, sort_by=groups)
    previous = None
    if previous_round is not None:
        previous = read(layout.eval(previous_round).graded, schemas.Graded)
        moved = transitions(previous, graded)
        write(moved, files.transitions, schemas.Transition, sort_by=["split", "before", "after"])
        if round_name not in params.controls:
            worse = worse_splits(previous, graded, seed=params.seed)
            warning = explain_worse(round_name, previous_round, worse) if worse else None
            write_gate(files.gate, warning if params.eval.gate == "stop" else None)
            if warning:
                print(f"\n{'!' * 70}\n{warning}\n{'!' * 70}", file=sys.stderr)
    tables = (answers, graded, previous, benchmarks, problems)
    shown, details = round_metrics(*tables, seed=params.seed)
    write_metrics(layout.metrics("eval", round_name), shown, details)


if __name__ == "__main__":
    run(evaluate)
