"""How a stage starts as a program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.closure import ROOT


def test_a_stage_searches_for_garbage_only_once_its_libraries_are_there(tmp_path: Path) -> None:
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages/__init__.py").write_bytes((ROOT / "stages/__init__.py").read_bytes())
    program = """
import gc
print(gc.isenabled())
from mathse.core.run_stage import run
def stage(layout):
    print(gc.isenabled())
run(stage)
"""
    (tmp_path / "stages/shown.py").write_text(program)
    imported = ["-c", "import stages.shown"]
    for words, expected in ((["-m", "stages.shown"], "False True"), (imported, "True True")):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == expected.split()
