from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mathse.core.ids import content_id
from mathse.core.layout import Layout
from mathse.core.tables import read_table, write_table
from mathse.figures.source import build_tables
from mathse.judge.audit import audit, audit_metrics
from schemas import Audit, Problem, Trajectory, Verdict, column_types, validate
from stages.audit import audit_stage
from tests.closure import ROOT
from tests.judge.trajectories import trajectories, trajectory, verdict, verdicts

PROBLEMS, _ = build_tables({"train": 4}, seed=2)
[PROBLEM, *_] = PROBLEMS.iter_rows(named=True)
RIGHT = PROBLEM["solution"]
LINES = RIGHT.split("\n")
HASTY = LINES[-1]  # the right answer, and nothing that it follows from
MUTE = "\n".join(["1. Hm, well.", *LINES[1:]])


def judged(
    *cases: tuple[str, str, bool, int | None], origin: str = "student", problem_id: str = ""
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return trajectories and verdicts: response, the ORM's status, accepted, its faulty step."""
    texts: list[dict[str, Any]] = []
    verdicts: list[dict[str, Any]] = []
    for index, (response, status, accepted, step) in enumerate(cases):
        known = {
            "trajectory_id": content_id(origin, index),
            "problem_id": problem_id or PROBLEM["problem_id"],
            "round": "r1",
        }
        texts.append({**known, "origin": origin, "response": response})
        verdicts.append(
            {
                **known,
                "answer_state": "match",
                "orm_status": status,
                "p_correct": 0.9 if status == "correct" else 0.1,
                "error_step": step,
                "accepted": accepted,
            }
        )
    return (
        pl.DataFrame(texts, schema_overrides=column_types(Trajectory, *texts[0])),
        pl.DataFrame(verdicts, schema_overrides=column_types(Verdict, *verdicts[0])),
    )


def test_the_verifiers_word_stands_beside_the_orms() -> None:
    texts, verdicts = judged(
        (RIGHT, "correct", True, None),
        (RIGHT, "wrong", False, 1),
        (HASTY, "correct", True, None),
        (HASTY, "wrong", False, 2),
        (MUTE, "correct", True, None),
    )
    rows = validate(audit(texts, verdicts, PROBLEMS), Audit, file="x")
    assert rows["truth"].to_list() == ["right", "right", "wrong", "wrong", "unreadable"]
    assert rows["fault_step"].to_list() == [None, None, 1, 1, 1]
    found = audit_metrics(rows, min_p_correct=0.5)
    assert found == {
        "student": {
            "n": 5,
            "unreadable": 1,
            "right": 2,
            "wrong": 2,
            "right_passed": 0.5,
            "wrong_passed": 0.5,
            "step_exact": 0.0,
            "step_within_one": 1.0,
            "accepted_wrong": 1,
            "accepted_wrong_reasoning": 1,
        }
    }


def test_a_low_probability_is_no_pass_and_each_origin_has_its_counts() -> None:
    parts = [judged((RIGHT, "correct", True, None), origin=o) for o in ("student", "reflection")]
    rows = pl.concat(audit(*part, PROBLEMS) for part in parts)
    found = audit_metrics(rows, min_p_correct=0.95)
    assert [*found] == ["reflection", "student"]
    assert found["student"]["right_passed"] == 0.0
    assert found["student"]["wrong_passed"] is None and found["student"]["step_exact"] is None


def test_the_probability_decides_whatever_the_verdict_says() -> None:
    texts, verdicts = judged(
        (RIGHT, "wrong", False, 1),
        (RIGHT, "correct", True, None),
        (RIGHT, "unparseable", False, None),
    )
    verdicts = verdicts.with_columns(p_correct=pl.Series([0.3, 0.2, 0.9]))
    rows = audit(texts, verdicts, PROBLEMS)
    assert audit_metrics(rows, min_p_correct=0.25)["student"]["right_passed"] == pytest.approx(
        1 / 3
    )
    assert audit_metrics(rows, min_p_correct=0.1)["student"]["right_passed"] == pytest.approx(2 / 3)
    assert audit_metrics(rows, min_p_correct=0)["student"]["right_passed"] == pytest.approx(1 / 3)


def test_problems_that_are_not_built_in_are_not_audited() -> None:
    texts, verdicts = judged((RIGHT, "correct", True, None))
    others = PROBLEMS.with_columns(source=pl.lit("tabmwp"))
    rows = validate(audit(texts, verdicts, others), Audit, file="x")
    assert rows.is_empty() and audit_metrics(rows, min_p_correct=0.5) == {}


def test_wrong_ones_that_were_not_judged_are_in_no_share() -> None:
    cases = ((HASTY, status, False, None) for status in ("correct", "skipped", "unparseable"))
    rows = audit(*judged(*cases), PROBLEMS)
    found = audit_metrics(rows, min_p_correct=0.5)["student"]
    assert found["wrong"] == 3 and found["wrong_passed"] == 1.0


def test_an_orm_without_probability_passes_by_its_word() -> None:
    texts, verdicts = judged((RIGHT, "correct", True, None))
    verdicts = verdicts.with_columns(p_correct=pl.lit(None, dtype=pl.Float64))
    found = audit_metrics(audit(texts, verdicts, PROBLEMS), min_p_correct=0.5)
    assert found["student"]["right_passed"] == 1.0


def test_the_stage_audits_trajectories_and_reflections(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    layout, types = Layout(tmp_path), column_types(Problem)
    pool = PROBLEMS.select(pl.col(name).cast(dtype) for name, dtype in types.items())
    write_table(pool, layout.problems, sort_by=["problem_id"])
    known, files = {"problem_id": PROBLEM["problem_id"]}, layout.round("r1")
    wrong = trajectory(0, HASTY, **known)
    again = {"origin": "reflection", "parent_id": wrong["trajectory_id"]}
    right = trajectory(0, RIGHT, **known, **again)
    for path, texts, judgements in (
        (wrong, files.trajectories, files.verdicts),
        (right, files.reflections, files.reflection_verdicts),
    ):
        write_table(trajectories(path), texts, sort_by=["trajectory_id"])
        write_table(verdicts(verdict(path, True)), judgements, sort_by=["trajectory_id"])
    audit_stage(layout, "r1")
    found = dict(read_table(files.audit).select("origin", "truth").iter_rows())
    assert found == {"student": "wrong", "reflection": "right"}
