"""Measure the share of a run's wall time that lies outside the stages' own work.

    python -m bench.pipeline_overhead                  a new smoke copy, from nothing
    python -m bench.pipeline_overhead FOLDER [--force] what `dvc repro` runs in a folder
    python -m bench.pipeline_overhead FOLDER --setup-s 95   with the measured seconds of a set-up

Outside of a stage's own work are: set-up, DVC (reading, hashing, storing), the start of each
process, and its imports. `PYTHONPROFILEIMPORTTIME` counts late imports and those of child processes
too. A stage's process is timed from within, by a `sitecustomize` module in front of its path. The
result goes to `bench/results/overhead.json`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.common import save

# `Running stage 'generate@r1':`, `Running stage 'control/dvc.yaml:finetune':`
_STAGE = re.compile(r"Running stage '([^']+)'")
# `import time:       134 |        200 |   _io`: microseconds without and with nested imports
_IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| (\s*)(\S+)")
SITECUSTOMIZE = """
import atexit, json, os, sys, time
words = sys.orig_argv
if any(word.startswith("stages.") for word in words):
    start = time.time()
    def record(pid=os.getpid()):
        if os.getpid() == pid:  # not in a forked child
            with open(os.environ["MATHSE_TIMES"], "a", encoding="utf-8") as file:
                file.write(json.dumps({"words": words, "start": start, "end": time.time()}) + "\\n")
    atexit.register(record)
"""


def time_repro(folder: Path, *, force: bool) -> dict[str, Any]:
    """Run `dvc repro` in a folder and return seconds: in all, by stage, by kind of overhead."""
    bare_s = _seconds([sys.executable, "-c", "pass"])
    with tempfile.TemporaryDirectory() as scratch:
        Path(scratch, "sitecustomize.py").write_text(SITECUSTOMIZE, encoding="utf-8")
        times = Path(scratch, "times.jsonl")
        search = [scratch, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(search),
            "PYTHONPROFILEIMPORTTIME": "1",
            "MATHSE_TIMES": str(times),
        }
        # -E: DVC itself ignores these variables, the stages get them
        command = [sys.executable, "-E", "-m", "dvc", "repro", *["--force"] * force]
        start = time.monotonic()
        child = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        imports, slowest, tail = _read(child)
        wall_s = time.monotonic() - start
        if child.returncode != 0:
            raise SystemExit(f"dvc repro failed in {folder}:\n" + "\n".join(tail))
        if not times.is_file():
            raise SystemExit(f"dvc repro ran no stage in {folder}; --force runs all of them again")
        rows = [json.loads(line) for line in times.read_text(encoding="utf-8").splitlines()]
    return summarize(wall_s, bare_s, rows, imports, slowest)


def _seconds(command: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - start


def _read(
    child: subprocess.Popen[str],
) -> tuple[dict[str, float], dict[str, dict[str, float]], list[str]]:
    """Return import seconds by stage, the slowest imports by stage, and the last other lines."""
    imports: dict[str, float] = {}
    slowest: dict[str, dict[str, float]] = {}
    tail: list[str] = []
    stage = "dvc"
    assert child.stdout is not None
    for line in child.stdout:
        found = _IMPORT.search(line)
        if found is not None:
            imports[stage] = imports.get(stage, 0.0) + int(found[1]) / 1e6
            package = found[4].split(".")[0]
            cost = slowest.setdefault(stage, {})
            cost[package] = cost.get(package, 0.0) + int(found[1]) / 1e6
            continue
        started = _STAGE.search(line)
        if started is not None:
            stage = started[1]
            typer.echo(stage, err=True)
        tail = [*tail[-20:], line.rstrip()]
    child.wait()
    return imports, slowest, tail


def summarize(
    wall_s: float,
    bare_s: float,
    rows: list[dict[str, Any]],
    imports: dict[str, float],
    slowest: dict[str, dict[str, float]],
) -> dict[str, Any]:
    """Divide the wall time into own work, imports, process starts, and DVC.

    Args:
        wall_s: of `dvc repro`.
        bare_s: of a Python process that does nothing.
        rows: start and end of each stage's process, in the order of the run.
        imports: import seconds by stage, also in the order of the run.
        slowest: seconds by package for each stage.
    """
    names = [name for name in imports if name != "dvc"]
    if len(names) != len(rows):
        raise SystemExit(f"{len(names)} stages imported modules, {len(rows)} ended by themselves")
    stages = {}
    for name, row in zip(names, rows, strict=True):
        inside_s = row["end"] - row["start"]
        import_s = min(imports[name], inside_s)
        packages = sorted(slowest[name].items(), key=lambda item: -item[1])[:4]
        stages[name] = {
            "own_s": round(inside_s - import_s, 2),
            "import_s": round(import_s, 2),
            "slowest_imports_s": {package: round(cost, 2) for package, cost in packages},
        }
    own_s = sum(stage["own_s"] for stage in stages.values())
    import_s = sum(stage["import_s"] for stage in stages.values())
    start_s = bare_s * len(stages)
    return {
        "wall_s": round(wall_s, 1),
        "own_s": round(own_s, 1),
        "import_s": round(import_s, 1),
        "process_start_s": round(start_s, 1),
        "dvc_s": round(wall_s - own_s - import_s - start_s, 1),
        "stages": stages,
    }


def main(
    folder: Annotated[Path | None, typer.Argument()] = None,
    force: bool = False,
    setup_s: float = 0.0,
) -> None:
    """Time `dvc repro` in FOLDER (by default a new smoke copy) and print the shares."""
    with tempfile.TemporaryDirectory() as scratch:
        if folder is None:
            copy = Path(scratch) / "smoke"
            words = ["-m", "mathse", "profile", "smoke", "--copy", str(copy)]
            subprocess.run([sys.executable, *words], check=True)
        result = time_repro(folder or copy, force=force)
    whole_s = result["wall_s"] + setup_s
    outside = 1 - result["own_s"] / whole_s
    run = "smoke" if folder is None else folder.resolve().name
    summary = {"run": run, "setup_s": setup_s, "outside_share": round(outside, 3)}
    for name, stage in result["stages"].items():
        typer.echo(f"{name:24s} own {stage['own_s']:8.1f} s  imports {stage['import_s']:6.1f} s")
    typer.echo(
        f"{whole_s:.0f} s in all: own work {result['own_s']:.0f}, "
        f"imports {result['import_s']:.0f}, process starts "
        f"{result['process_start_s']:.1f}, DVC {result['dvc_s']:.0f}, "
        f"set-up {setup_s:.0f}; {100 * outside:.1f}% lie outside the stages' own work"
    )
    save("overhead", {**summary, **result}, ("dvc", "torch", "transformers", "polars"))


if __name__ == "__main__":
    typer.run(main)
