"""What is committed of a run belongs together: metrics and code hashes are those of the lock."""

from __future__ import annotations

import hashlib
import re
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
    named = {
        (entry["path"], entry["md5"])
        for stage in stages.values()
        for entry in [*stage["outs"], *stage.get("deps", [])]
        if re.match(r"(metrics|code)/.+\.json", entry["path"])
    }
    assert len(named) > 50
    for path, md5 in named:
        assert hashlib.md5((ROOT / path).read_bytes()).hexdigest() == md5, path
