"""The stage merge on a round that found nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

import schemas
from mathse.core.layout import Layout
from mathse.core.stage_tables import empty, write
from mathse.core.tables import read_table, write_table
from stages.decontaminate import decontaminate
from stages.distill import distill
from stages.merge import merge
from tests.stages.test_clean_data import planted, settings

__all__ = ["planted"]


def test_a_round_without_a_new_row_is_warned_of(
    planted: tuple[Path, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
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
    merge(layout, "r1")
    assert read_table(files.train)["row_id"].equals(read_table(first.train)["row_id"])
    (warning,) = [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line]
    assert warning.startswith("WARNING: r1 adds no training row: its fine-tuning repeats r0's")
