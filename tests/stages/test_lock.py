"""What is committed of a run belongs together: metrics and hashes of code are those of `dvc.lock`."""

from __future__ import annotations

import hashlib
import subprocess

import pytest
import yaml

from tests.closure import ROOT


def test_committed_metrics_and_code_are_those_of_the_lock() -> None:
    changed = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", "dvc.lock", "metrics", "code"],
        cwd=ROOT,
        check=False,
    )
    if changed.returncode:
        pytest.skip("a run has changed dvc.lock, metrics or code since the last commit")
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    outs = [
        out
        for stage in stages.values()
        for out in stage["outs"]
        if out["path"].startswith(("metrics/", "code/"))
    ]
    assert len(outs) > 40
    for out in outs:
        assert hashlib.md5((ROOT / out["path"]).read_bytes()).hexdigest() == out["md5"], out["path"]
