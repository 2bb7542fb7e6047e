"""The stage merge on a round that found nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import schemas
from mathse.core.layout import Layout
from mathse.core.stage_tables import empty, read_problems, write
from mathse.core.tables import read_table, write_table
from mathse.judge.judging import Judge
from stages.decontaminate import decontaminate
from stages.distill import distill
from stages.merge import merge
from stages.reflect import reflect_stage
from stages.score import score
from tests.judge.trajectories import WRONG, Scripted, says, trajectories, trajectory
from tests.stages.test_clean_data import planted, settings

__all__ = ["planted"]


@pytest.fixture
def idle_round(planted: tuple[Path, dict[str, str]]) -> Layout:
    """A project after distill, with a round that wrote and judged nothing."""
    layout = Layout(planted[0])
    settings(planted[0], distill={"problems": 4})
    decontaminate(layout)
    distill(layout)
    files, first = layout.round("r1"), layout.round("r0")
    for file in (files.trajectories, files.reflections):
        write(empty(schemas.Trajectory), file, schemas.Trajectory, sort_by=["trajectory_id"])
    for file in (files.verdicts, files.reflection_verdicts):
        write(empty(schemas.Verdict), file, schemas.Verdict, sort_by=["trajectory_id"])
    write_table(read_table(first.mistakes), files.mistakes, sort_by=["problem_id"])
    return layout


def test_a_round_without_a_new_row_is_warned_of(
    idle_round: Layout, capsys: pytest.CaptureFixture[str]
) -> None:
    files, first = idle_round.round("r1"), idle_round.round("r0")
    merge(idle_round, "r1")
    assert read_table(files.train)["row_id"].equals(read_table(first.train)["row_id"])
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line]
    assert warning.startswith("WARNING: r1 adds no training row: its fine-tuning repeats r0's")


@pytest.mark.parametrize("stage", [score, reflect_stage, merge])
def test_mistakes_that_break_their_contract_stop_a_stage(
    idle_round: Layout, stage: Callable[[Layout, str], None]
) -> None:
    name = "r0" if stage is score else "r1"  # score carries those of the round before on
    file = idle_round.round(name).mistakes
    write_table(read_table(file).drop("error_kind"), file, sort_by=["problem_id"])
    with pytest.raises(schemas.ContractError, match="error_kind .* is missing"):
        stage(idle_round, "r1")


def test_a_problem_counts_once_among_the_solved(
    idle_round: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = read_problems(idle_round, "train")
    texts = dict(pool.select("problem_id", "solution").head(2).iter_rows())
    texts[pool["problem_id"][0]] = WRONG
    rows = trajectories(*(
        trajectory(0, text, sample, problem_id=name)
        for name, text in texts.items()
        for sample in range(2)
    ))  # fmt: skip
    write_table(rows, idle_round.round("r1").trajectories, sort_by=["trajectory_id"])
    judge = Judge(Scripted(says('CORRECT"}', prob=0.9)), pool, "diagnostic", 64)
    monkeypatch.setattr("stages.score.load_judge", lambda *_, **__: judge)
    score(idle_round, "r1")
    counts = json.loads(idle_round.metrics("score", "r1").read_text())["r1"]
    assert (counts["trajectories"], counts["accepted"], counts["problems_solved"]) == (4, 2, 0.5)
