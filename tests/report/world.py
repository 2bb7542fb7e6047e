"""A small finished run on disk: two rounds, an ORM, a control, written as the stages lay it out."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mathse.core.params import Merge
from mathse.core.tables import read_table, write_table
from mathse.curation.ledger import initial_ledger, next_ledger
from mathse.curation.training_rows import merge_rows
from mathse.evaluation.accuracy import GRADED
from mathse.evaluation.paired import transitions
from tests.judge.trajectories import (
    RIGHT,
    WRONG,
    problem_id,
    problems,
    trajectories,
    trajectory,
    verdict,
    verdicts,
)

N_EVAL = 40
CORRECT = {"base": 2, "r0": 10, "r1": 30, "control": 12}
TEACHER = trajectory(0, RIGHT, round="r0", origin="teacher")
FIRST = trajectory(1, RIGHT + " So.", 0)
SAME = trajectory(1, RIGHT + " so", 1)
MISTAKE = trajectory(2, WRONG, 0)
HARD = trajectory(3, WRONG, 0, finish_reason="length")
CORRECTION = trajectory(2, RIGHT, origin="reflection", parent_id=MISTAKE["trajectory_id"])


def build(data: Path) -> Path:
    """Write the tables and return the data folder."""
    pool = problems(5)
    write_table(pool, data / "problems/problems.parquet", sort_by=["problem_id"])
    taught, taught_verdict = (
        trajectories(TEACHER),
        verdicts(verdict(TEACHER, True, orm_status="skipped")),
    )
    write_table(taught, data / "distill/trajectories.parquet", sort_by=["trajectory_id"])
    write_table(taught_verdict, data / "distill/verdicts.parquet", sort_by=["trajectory_id"])
    r0, _ = merge_rows(
        None, taught, taught_verdict, round_name="r0", limits=Merge(max_per_problem=1)
    )
    ledger0 = initial_ledger(pool["problem_id"].to_list(), [problem_id(0)])
    written = trajectories(FIRST, SAME, MISTAKE, HARD)
    judged = verdicts(
        verdict(FIRST, True),
        verdict(SAME, True, p_correct=0.5),
        verdict(MISTAKE, False, error_kind="vision"),
        verdict(
            HARD,
            False,
            reason="cut_off",
            orm_status="unparseable",
            error_step=None,
            error_analysis=None,
        ),
    )
    reflections, rejudged = trajectories(CORRECTION), verdicts(verdict(CORRECTION, True))
    r1, dropped = merge_rows(
        r0, written, judged, reflections, rejudged, round_name="r1", limits=Merge(max_per_problem=2)
    )
    ledger1 = next_ledger(ledger0, judged, rejudged, round_name="r1")
    tables = {
        "r0": {"train": r0, "ledger": ledger0},
        "r1": {
            "trajectories": written,
            "verdicts": judged,
            "reflections": reflections,
            "reflection_verdicts": rejudged,
            "train": r1,
            "ledger": ledger1,
            "dropped": dropped,
        },
    }
    for name, found in tables.items():
        for table, rows in found.items():
            write_table(
                rows, data / "rounds" / name / f"{table}.parquet", sort_by=[rows.columns[0]]
            )
    for name in CORRECT:
        write_table(graded(name), data / "eval" / name / "graded.parquet", sort_by=["problem_id"])
    moved = transitions(graded("r0"), graded("r1"))
    write_table(moved, data / "eval/r1/transitions.parquet", sort_by=["split", "before", "after"])
    return data


def graded(name: str) -> pl.DataFrame:
    """Answers of one model: the first problems of each split are right."""
    rows = [
        {
            "problem_id": problem_id(index if split == "eval" else 1000 + index),
            "round": name,
            "split": split,
            "cluster": problem_id(index if split == "eval" else 1000 + index),
            "predicted_answer": "7",
            "answer_state": "match" if index < right else "mismatch",
            "correct": index < right,
        }
        for split, right in (("eval", CORRECT[name]), ("eval_hard", CORRECT[name] // 2))
        for index in range(N_EVAL if split == "eval" else N_EVAL // 2)
    ]
    return pl.DataFrame(rows, schema=GRADED)


def complete(data: Path) -> Path:
    """Add the other tables, a problem that only r0 solves, a right answer that the ORM refuses."""
    all_graded = [read_table(file) for file in sorted(data.glob("eval/*/graded.parquet"))]
    pool = read_table(data / "problems/problems.parquet")
    more = pool.head(1).select(pl.exclude("problem_id", "split"))
    ids = pl.concat(all_graded).select("problem_id", "split").unique()
    ids = ids.join(pool, on="problem_id", how="anti").join(more, how="cross").select(pool.columns)
    write_table(pl.concat([pool, ids]), data / "problems/problems.parquet", sort_by=["problem_id"])
    lost = pl.col("problem_id") == problem_id(1000)
    r1 = read_table(data / "eval/r1/graded.parquet").with_columns(
        answer_state=pl.when(lost).then(pl.lit("mismatch")).otherwise("answer_state"),
        correct=pl.col("correct") & ~lost,
    )
    write_table(r1, data / "eval/r1/graded.parquet", sort_by=["problem_id"])
    match = {"problem_id": problem_id(0), "split": "train", "other_id": problem_id(1000)}
    match |= {"other_split": "eval", "rule": "text", "text": 1.0, "picture": 0.5}
    canary = {"skill": ["sums"] * 2, "round": ["base"] * 2, "correct": [True, False]}
    is_same = pl.col("trajectory_id") == SAME["trajectory_id"]
    refused = read_table(data / "rounds/r1/verdicts.parquet").with_columns(
        orm_status=pl.when(is_same).then(pl.lit("wrong")).otherwise("orm_status")
    )
    write_table(refused, data / "rounds/r1/verdicts.parquet", sort_by=["trajectory_id"])
    write_table(pl.DataFrame([match]), data / "decontaminate/matches.parquet", sort_by=["split"])
    write_table(pl.DataFrame(canary), data / "eval/base/canary.parquet", sort_by=["skill"])
    (data / "curves").mkdir()
    (data / "curves/r1.tsv").write_text("step\tloss\tlearning_rate\n10\t2.0\t0.1\n20\t1.0\t0.1\n")
    return data
