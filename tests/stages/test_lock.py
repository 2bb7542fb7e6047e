"""What is committed of a run belongs together: the metrics are those that `dvc.lock` names."""

from __future__ import annotations

import hashlib
import subprocess

import pytest
import yaml

from tests.closure import ROOT


def test_committed_metrics_are_those_of_the_lock() -> None:
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", "dvc.lock", "metrics"], cwd=ROOT, check=False
    )
    if changed.returncode:
        pytest.skip("a run has changed dvc.lock or metrics since the last commit")
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    outs = [
        out
        for stage in stages.values()
        for out in stage["outs"]
        if out["path"].startswith("metrics/")
    ]
    assert len(outs) > 20
    for out in outs:
        assert hashlib.md5((ROOT / out["path"]).read_bytes()).hexdigest() == out["md5"], out["path"]
