"""What `make` would run."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.closure import ROOT


@pytest.mark.parametrize("is_there", [True, False])
def test_a_sweep_takes_the_settings_of_the_machine_along(is_there: bool, tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    if is_there:
        (tmp_path / "machine.yaml").write_text("device: cpu\n")
    shown = subprocess.run(
        ["make", "-n", "sweep"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert ("dvc exp run --queue --copy-paths machine.yaml -n lr-" in shown) == is_there
    assert "dvc exp run --queue" in shown and "generate.hard_samples=$samples" in shown
