"""One round with `engine: vllm`, every stage."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import yaml

from mathse.copies import copy_pipeline
from tests.closure import ROOT
from tests.pipeline.conftest import run
from tests.vllm import needs_vllm

pytestmark = [pytest.mark.slow, needs_vllm, pytest.mark.timeout(2400)]


def test_a_smoke_round(tmp_path: Path) -> None:
    folder = copy_pipeline(ROOT, tmp_path / "copy", "smoke")
    run(folder, "mathse", "profile", "vllm")
    params = yaml.safe_load((folder / "params.yaml").read_text())
    assert params["student"]["engine"] == params["orm"]["engine"] == "vllm"
    params["rounds"] = {"r1": {"prev": "r0"}}
    params["controls"] = []
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    (folder / "machine.yaml").write_text("{device: cpu, inference_processes: 1}\n")
    run(folder, "dvc", "repro", timeout=2300)
    trajectories = pl.read_parquet(folder / "data/rounds/r1/trajectories.parquet")
    verdicts = pl.read_parquet(folder / "data/rounds/r1/verdicts.parquet")
    assert trajectories.height == verdicts.height > 20
    assert trajectories["error"].null_count() == trajectories.height
    assert trajectories["response"].n_unique() > 10
    assert verdicts["p_correct"].is_not_null().any()
    assert "r1" in run(folder, "mathse", "show")
