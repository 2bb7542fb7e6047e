"""Several processes, sharded or under torchrun, train as one does."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from mathse.core.errors import ParamError
from mathse.core.images import ImageStore
from mathse.core.machine import Launcher, Machine
from mathse.training.launch import ExampleFile, run_torchrun, train
from mathse.training.stopping import Stopped
from tests.training.conftest import Fit
from tests.training.given import changed, examples

CONFIG = changed(precision="fp32", save_dtype="float32", steps=30, max_grad_norm=4.0)
SHARDED = CONFIG.model_copy(update={"processes": 2, "sharding": "full"})


def losses(kept: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (kept / "log.jsonl").read_text().splitlines()]


def stop_once_saved(kept: Path) -> None:
    while not any(kept.glob("*/step-*")):
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.slow
def test_two_sharded_processes_train_as_one_and_one_goes_on(
    fit: Fit, tiny: Path, store: ImageStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given: dict[str, Any] = {"init": tiny, "images": store, "seed": 0, "out": tmp_path / "out"}
    shared = given | {"machine": Machine(device="cpu", save_every_steps=2)}
    kept = tmp_path / "sharded"
    fit("alone", config=CONFIG)
    threading.Thread(target=stop_once_saved, args=(kept,), daemon=True).start()
    with pytest.raises(Stopped, match="Stopped as asked after step"):
        train(examples(), config=SHARDED, checkpoints=kept, **shared)
    [saved] = kept.glob("*/step-*")
    steps = int(saved.name[5:])
    assert 2 <= steps < 30
    report = train(examples(), config=CONFIG, checkpoints=kept, **shared)
    assert report.resumed_from == steps
    assert "was written by 2 processes and goes on in 1" in caplog.text
    assert losses(kept) == pytest.approx(losses(tmp_path / "kept"), rel=1e-5)
    one, other = (load_file(tmp_path / n / "model.safetensors") for n in ("alone", "out"))
    assert one.keys() == other.keys()
    assert all((one[name] - other[name]).abs().max() < 1e-3 for name in one)


@pytest.mark.slow
def test_torchrun_starts_the_processes(
    fit: Fit, tiny: Path, store: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    fit("alone", config=CONFIG.model_copy(update={"steps": 4}))
    shared = ExampleFile(tmp_path / "examples")
    shared.write(examples())
    options: dict[str, Any] = {"init": tiny, "images": store, "seed": 0, "out": tmp_path / "out"}
    options |= {"cpu": True, "checkpoints": tmp_path / "sharded"}
    launcher = Launcher(processes=2)
    config = SHARDED.model_copy(update={"steps": 4, "method": "lora"})
    bad = SHARDED.model_copy(update={"batch_size": 3})
    report = run_torchrun(shared, tmp_path, launcher, options | {"config": config})
    assert report.steps == 4 and (tmp_path / "out/model.safetensors").is_file()
    assert losses(tmp_path / "sharded")[0] == pytest.approx(losses(tmp_path / "kept")[0], rel=1e-5)
    with pytest.raises(ParamError, match="batch_size 3"):
        run_torchrun(shared, tmp_path, launcher, options | {"config": bad})
