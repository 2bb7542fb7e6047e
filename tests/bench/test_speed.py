"""The bench of speed, with eight prompts and two steps: contenders, rounds, what is absent."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import bench.common
from bench import speed, speed_runs, speed_training
from bench.speed_inputs import Inputs, Task
from mathse.core.machine import Machine
from mathse.engines.transformers_engine import TransformersEngine
from tests.closure import ROOT
from tests.vllm import needs_vllm

BASE = str(ROOT / "models/tiny-base")
TASK = Task(BASE, BASE, "describe", "float32", 8, 12, 16, 2, 4, 4242, ["vision_model"])
GENERATION = ["generation.generate-16", "generation.generate-256", "generation.pipeline-256"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speed.prepare(tmp_path_factory.mktemp("work"), TASK)


@pytest.fixture(scope="module")
def engine(folder: Path) -> TransformersEngine:
    images = Inputs(folder).images
    return TransformersEngine(BASE, images=images, batch_size=4, dtype="float32", device="cpu")


@pytest.fixture
def inputs(folder: Path, engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> Inputs:
    """Return the inputs; mathse computes in this process, and its engine stays."""
    monkeypatch.setattr(engine, "close", lambda: None)
    monkeypatch.setattr(speed_runs, "load_warm", lambda *args: engine)
    monkeypatch.setattr(speed_training, "CORES", 1)
    return Inputs(folder)


def test_contenders_write_the_same_texts(inputs: Inputs) -> None:
    ours = speed_runs.RUNS["generation.ours"](inputs)
    assert len(ours["texts"]) == TASK.prompts and ours["errors"] == 0 and ours["flops"] > 1e8
    assert len(set(ours["texts"])) > 1
    for name in GENERATION:
        found = speed_runs.RUNS[name](inputs)
        assert speed.identical(found, [ours]) == {"identical_to_ours": TASK.prompts}, name
        assert found["seconds"] > 0 and found.get("tokens", ours["tokens"]) == ours["tokens"]
    first = speed_runs.RUNS["prompts.ours"](inputs)
    assert first["tokens"] == TASK.prompts and first["flops"] < ours["flops"]


def test_judges_judge_every_trajectory(inputs: Inputs) -> None:
    rows = inputs.trajectories()
    wrong = rows["response"].to_list()[1::2]
    assert wrong == rows["response"].to_list()[::2] != inputs.problems["solution"].to_list()[1::2]
    ours = speed_runs.RUNS["judge.ours"](inputs)
    assert sum(ours["verdicts"].values()) == ours["rows"] == TASK.prompts
    plain = speed_runs.RUNS["judge.generate-256"](inputs)
    assert plain["rows"] == TASK.prompts and 0 < plain["tokens"] <= 8 * TASK.judge_tokens


def test_training(inputs: Inputs) -> None:
    found = speed_runs.RUNS["training.ours"](inputs)
    assert found["rows"] == TASK.steps * TASK.batch_size
    assert 0 < found["seconds"] < found["whole_s"] and found["flops"] > 1e8


def test_matrix_rate(inputs: Inputs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_training, "SQUARES", (64, 128))
    rates = speed_runs.RUNS["matrix.torch"](inputs)["gflops"]
    assert len(rates) == 8 and min(rates.values()) > 0


@pytest.mark.skipif(find_spec("trl") is None, reason="trl is not installed; make bench installs it")
def test_training_with_trl(inputs: Inputs) -> None:
    found = speed_runs.RUNS["training.trl"](inputs)
    assert found["rows"] == 8 and 0 < found["seconds"] < found["whole_s"]


@needs_vllm
@pytest.mark.slow
@pytest.mark.parametrize("name", ["generation.ours-vllm", "generation.vllm"])
def test_generation_with_vllm(folder: Path, name: str) -> None:
    found = speed.measure(name, folder)
    assert len(found["texts"]) == TASK.prompts and found["seconds"] > 0


def test_an_engine_is_loaded_in_all_its_processes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed_runs, "Machine", partial(Machine, inference_processes=1))
    found = speed_runs.RUNS["generation.ours"](Inputs(folder))
    assert found["errors"] == 0 and len(found["texts"]) == TASK.prompts


def test_a_contender_that_is_absent_or_fails_is_not_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(speed.NEEDS, "training.trl", ("no_such_package", "install it"))
    found = speed.measure("training.trl", folder)
    reason = "the package no_such_package is not installed here: install it"
    assert found == {"not_run": reason}
    failed = speed.measure("generation.unknown", folder)["not_run"]
    assert failed.startswith("ended with 1: KeyError: 'generation.unknown'")
    result = speed.summarize([{"round": 0, "name": "training.trl", **found}], TASK)
    assert result["training.trl"] == {"not_run": reason}


Call = Callable[..., None]


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Return `main` with small values, whose results go to the test's folder."""
    monkeypatch.setattr(bench.common, "ROOT", tmp_path)
    monkeypatch.setattr(bench.common, "RESULTS", tmp_path / "results")
    given: dict[str, Any] = asdict(TASK) | {"model": Path(BASE), "judge_model": None}
    given |= {"frozen": "vision_model", "timeout_s": 60.0, "work": tmp_path / "work"}
    return partial(speed.main, **given)


def test_rounds_go_on_where_a_call_broke_off(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[str] = []
    seconds = {"generation.ours": [1.0, 4.0, 1.0], "generation.generate-16": [2.0, 4.0, 6.0]}

    def fake(name: str, folder: Path, timeout_s: float) -> dict[str, Any]:
        if name not in seconds:
            return {"not_run": "absent"}
        if len(measured) == 3:
            measured.append("broken off")
            raise KeyboardInterrupt
        measured.append(name)
        texts = ["a", "b" if name == "generation.ours" else "c"]
        number = measured.count(name) - 1
        return {"seconds": seconds[name][number], "texts": texts, "flops": 2e9}

    monkeypatch.setattr(speed, "measure", fake)
    only = [*seconds, "generation.vllm"]
    file = tmp_path / "results/speed.json"
    with pytest.raises(KeyboardInterrupt):
        call(repeats=3, only=only)
    first = json.loads(file.read_text())  # of the first round
    assert first["generation.ours"]["runs"] == 1 and first["versions"]["torch"]
    call(repeats=3, only=only)
    assert measured == [
        "generation.ours",
        "generation.generate-16",
        "generation.generate-16",  # the second round begins with another one
        "broken off",
        "generation.ours",
        "generation.ours",
        "generation.generate-16",
    ]
    result = json.loads(file.read_text())
    peer = result["generation.generate-16"]
    assert peer["seconds"]["all"] == [2.0, 4.0, 6.0] and peer["seconds"]["median"] == 4.0
    assert peer["seconds"]["times_ours"] == 4.0
    assert peer["seconds"]["times_ours_by_round"] == [1.0, 6.0]
    assert peer["identical_to_ours"] == 1 and peer["texts"] == 2
    assert result["generation.vllm"] == {"not_run": "absent"}
    assert "generation.pipeline-256" not in result


def test_shares_of_the_matrix_rate() -> None:
    rates = {"float32, square 1024": 50.0, "float32, square 2048": 100.0}
    rates |= {"float32, one token of 256 rows": 25.0, "bfloat16, square 1024": 900.0}
    result = {
        "matrix.torch": {"gflops": rates},
        "generation.ours": {"gflop": 300.0, "seconds": {"median": 10.0}},
        "prompts.ours": {"gflop": 100.0, "seconds": {"median": 2.0}},
    }
    found = speed.shares(result, "float32")
    assert found["peak_gflops"] == 100.0
    assert found["of_peak_at_sizes_of_the_model"] == {"one token of 256 rows": 0.25}
    assert found["ours"]["generation"]["of_peak"] == 0.3
    assert found["ours"]["tokens after the first"]["of_peak"] == 0.25
    assert speed.shares({}, "float32") == {}
