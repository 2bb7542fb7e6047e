"""The share of a run outside of its stages' own work, from notes of known times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.pipeline_overhead import SITECUSTOMIZE, covered, summarize


def test_what_two_processes_import_at_once_counts_once() -> None:
    assert covered([(0, 3), (1, 2), (2, 5), (7, 8), (9, 6)]) == 6
    assert covered([]) == 0


def test_the_wall_time_is_divided_without_rest() -> None:
    rows = [
        {"kind": "stage", "start": 110.0, "end": 120.0},
        {"kind": "stage", "start": 100.0, "end": 108.0},
        {"kind": "import", "start": 100.0, "end": 102.0},
        {"kind": "import", "start": 111.0, "end": 114.0},
        {"kind": "import", "start": 112.0, "end": 115.0},  # a worker
    ]
    found = summarize(25.0, 0.5, ["problems", "generate@r1"], rows)
    stages = found.pop("stages")
    assert stages["problems"] == {"own_s": 6.0, "import_s": 2.0}
    assert stages["generate@r1"] == {"own_s": 6.0, "import_s": 4.0}
    parts = ("own_s", "import_s", "process_start_s", "dvc_s")
    assert [found[name] for name in parts] == [12.0, 6.0, 1.0, 6.0]
    assert found["wall_s"] == 25.0
    with pytest.raises(SystemExit, match="1 stages were started, 2 ended"):
        summarize(25.0, 0.5, ["problems"], rows)


def test_imports_of_a_stage_and_of_its_workers_are_noted(tmp_path: Path) -> None:
    """One slow module in the stage, another in its worker: a second each."""
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    for name in ("slow_here", "slow_there"):
        (tmp_path / f"{name}.py").write_text("import time\ntime.sleep(1)\n")
    (tmp_path / "stages").mkdir()
    (tmp_path / "stages" / "one.py").write_text(
        "import multiprocessing\n"
        "def work():\n    import slow_there\n"
        "if __name__ == '__main__':\n"
        "    import slow_here\n"
        "    process = multiprocessing.get_context('spawn').Process(target=work)\n"
        "    process.start()\n    process.join()\n"
    )
    times = tmp_path / "times"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "MATHSE_TIMES": str(times)}
    start = time.time()
    subprocess.run([sys.executable, "-m", "stages.one"], cwd=tmp_path, env=environment, check=True)
    rows = [json.loads(line) for line in times.read_text().splitlines()]
    (stage,) = summarize(time.time() - start, 0.0, ["one"], rows)["stages"].values()
    assert 2.0 <= stage["import_s"] < stage["import_s"] + stage["own_s"] <= time.time() - start
