"""Kills in the middle of stages: `dvc repro` ends in the same bytes; `bench.kills` in small."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.kills import WORKERS, Kill, Units, disturb
from tests.pipeline.conftest import Pipeline, copy_smoke, environment

pytestmark = pytest.mark.slow


def kill_in_the_middle(folder: Path, stage: str, kept: Path, out: Path) -> None:
    """Run `dvc repro STAGE`; kill it with all its processes once something is kept."""
    running = subprocess.Popen(
        ["dvc", "repro", stage],
        cwd=folder,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 600
    while not any(kept.rglob("*")):
        assert running.poll() is None, f"{stage} ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    assert not out.exists(), f"{stage} was done before it was killed"


def outputs(lock: str) -> dict[str, Any]:
    """Return the hash of every output in the text of a `dvc.lock`."""
    stages = yaml.safe_load(lock)["stages"]
    return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}


def test_a_run_that_is_killed_ends_in_the_same_bytes(pipeline: Pipeline, tmp_path: Path) -> None:
    folder = copy_smoke(tmp_path / "killed")
    (folder / "machine.yaml").write_text("{save_every_steps: 1, inference_processes: 1}\n")
    kill_in_the_middle(
        folder, "finetune_r0", folder / ".mathse/checkpoints/r0", folder / "data/rounds/r0/model"
    )
    journal = folder / ".mathse/journal/generate-r1"
    kill_in_the_middle(
        folder, "generate@r1", journal, folder / "data/rounds/r1/trajectories.parquet"
    )
    assert any(journal.iterdir())
    stages = dict.fromkeys(re.findall(r"Running stage '(.+)':", pipeline.output), 5.0)
    kills = [
        Kill("score@r1", "worker", "SIGKILL", 0.5),
        Kill("finetune@r1", "stage", "SIGTERM", 1.0),
        Kill("predict@r2", "dvc", "SIGKILL", 1.0),
    ]
    units = Units(tmp_path / "units.log")
    for done in disturb(folder, units, ["dvc", "repro"], kills, stages):
        assert done.repeated <= WORKERS and not done.left, done
    assert len(set(units.lines())) > 20
    killed = outputs((folder / "dvc.lock").read_text())
    whole = outputs(pipeline.first_lock)
    assert len(killed) > 40
    assert killed == whole
