"""The stand-in run of `bench.status` looks finished to DVC, until a file of it changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bench.status import make_run, time_status


def test_a_stand_in_run_is_up_to_date_with_all_its_stages(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    size = make_run(folder, 2)
    locked = yaml.safe_load((folder / "dvc.lock").read_text())["stages"]
    assert size["stages"] == len(locked) and {"report", "merge@r1", "merge@r2"} <= {*locked}
    assert time_status(folder) > 0
    (folder / "data/rounds/r2/train.parquet").write_text("another one")
    with pytest.raises(SystemExit, match="finetune@r2"):
        time_status(folder)
