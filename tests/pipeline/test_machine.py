"""`machine.yaml` changes no result: DVC runs nothing again, a forced run ends alike."""

from __future__ import annotations

import hashlib

import pytest
import yaml

from mathse.core.machine import Machine
from tests.pipeline.conftest import MACHINE, Pipeline

pytestmark = pytest.mark.slow
VALUES = {
    "device": "cpu",
    "inference_processes": 2,
    "save_every_steps": 1,
    "launcher": {"peak_tflops": 1.0},
    "work_folder": "elsewhere",
    "plan": {"gpus": 8},
    "servers": {"default": {"url": "http://localhost:8000/v1", "concurrency": 4}},
    "engines": {"replicas": 1, "gpu_memory": 0.5},
}
FORCED = {
    "generate@r1": "rounds/r1/trajectories.parquet",
    "score@r1": "rounds/r1/verdicts.parquet",
    "finetune@r1": "rounds/r1/model/model.safetensors",
}


def test_other_values_run_nothing_and_change_no_byte(pipeline: Pipeline) -> None:
    assert set(VALUES) == set(Machine.model_fields)
    usual = Machine.model_validate(MACHINE)
    assert all(getattr(usual, key) != value for key, value in VALUES.items())
    file = pipeline.folder / "machine.yaml"
    file.write_text(yaml.safe_dump(VALUES))

    def digests() -> dict[str, str]:
        files = {stage: pipeline.folder / "data" / name for stage, name in FORCED.items()}
        return {
            stage: hashlib.sha256(file.read_bytes()).hexdigest() for stage, file in files.items()
        }

    before = digests()
    assert "Running stage" not in pipeline.dvc("repro")
    for stage in FORCED:
        assert f"Running stage '{stage}'" in pipeline.dvc("repro", "--force", "-s", stage)
        assert digests() == before, stage
    assert any((pipeline.folder / "elsewhere").rglob("*"))
    file.write_text(yaml.safe_dump(MACHINE))
