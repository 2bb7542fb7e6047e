"""The bench of a GPU, its parts on the CPU with a tiny model."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from bench.gpu import Work, measure_all
from tests.closure import ROOT
from tests.tiny import build_tiny


def test_parts(tmp_path: Path) -> None:
    model = build_tiny(tmp_path / "model")
    work = Work(model, "cpu", 4, 6, 4, rows=4, steps=2, batch_size=2, side=28)
    seen: list[int] = []
    found = measure_all(work, tmp_path, time.monotonic() + 600, lambda now: seen.append(len(now)))
    assert {name: one["not_run"] for name, one in found.items() if "not_run" in one} == {}
    assert seen == list(range(1, 9))
    assert found["matrix"]["tflops"]["float32"] > 0
    for name in ("training full", "training lora", "training sharded on one rank"):
        assert found[name]["tokens_per_s"] > 0 and found[name]["final_loss"] > 0
    for name in ("generation ours 256", "generation generate-256", "generation generate-16"):
        assert 0 <= found[name]["identical_to_the_first"] <= found[name]["texts"] == 4
        assert found[name]["of_peak"] > 0


def test_no_part_begins_after_the_deadline_and_one_that_fails_is_named(tmp_path: Path) -> None:
    work = Work(tmp_path / "absent", "cpu", 4, 6, 4, rows=4, steps=2, batch_size=2, side=28)
    late = measure_all(work, tmp_path, time.monotonic() - 1, lambda now: None)
    assert {one["not_run"] for one in late.values()} == {"no time was left"}
    failed = measure_all(work, tmp_path, time.monotonic() + 600, lambda now: None)
    assert "not_run" not in failed["matrix"]
    assert "absent" in failed["training full"]["not_run"]


STAND_IN = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"polars", "pandera", "llguidance", "duckdb"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import importlib.util
real = importlib.util.find_spec
def find_spec(name, package=None):
    try:
        return real(name, package)
    except ModuleNotFoundError:
        return None
import bench.gpu
bench.gpu.find_spec = find_spec
bench.gpu.stand_in()
import mathse.engines.transformers_engine, mathse.planning.shapes, mathse.training.train_loop
print("imported")
"""


def test_packages_that_no_part_uses_may_be_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-c", STAND_IN], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "imported\n", done.stderr
