"""Measure the share of a run's wall time that lies outside the stages' own work.

    python -m bench.pipeline_overhead                  a new smoke copy, from nothing
    python -m bench.pipeline_overhead FOLDER [--force] what `dvc repro` runs in a folder
    python -m bench.pipeline_overhead FOLDER --setup-s 95   with the measured seconds of a set-up

Outside of a stage's own work are: set-up, DVC (reading, hashing, storing), the start of each
process, and the time in which the stage's process or one of its workers imports modules. A
`sitecustomize` module in front of the path of these processes notes when. The result goes to
`bench/results/overhead.json`.
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
SITECUSTOMIZE = """
import atexit, builtins, json, os, sys, threading, time
words = " ".join(sys.orig_argv)
file = os.open(os.environ["MATHSE_TIMES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def note(kind, start):
    row = {"kind": kind, "start": start, "end": time.time()}
    os.write(file, (json.dumps(row) + "\\n").encode())
if " stages." in words or "multiprocessing.spawn" in words:
    thread, plain = threading.local(), builtins.__import__
    def timed(*args, **named):
        if getattr(thread, "imports", False):
            return plain(*args, **named)
        thread.imports, start = True, time.time()
        try:
            return plain(*args, **named)
        finally:
            thread.imports = False
            if time.time() - start > 0.001:
                note("import", start)
    builtins.__import__ = timed
if " stages." in words:
    def record(pid=os.getpid(), start=time.time()):
        if os.getpid() == pid:  # not in a forked child
            note("stage", start)
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
        names, tail = _read(child)
        wall_s = time.monotonic() - start
        if child.returncode != 0:
            raise SystemExit(f"dvc repro failed in {folder}:\n" + "\n".join(tail))
        if not names:
            raise SystemExit(f"dvc repro ran no stage in {folder}; --force runs all of them again")
        rows = [json.loads(line) for line in times.read_text(encoding="utf-8").splitlines()]
    return summarize(wall_s, bare_s, names, rows)


def _seconds(command: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - start


def _read(child: subprocess.Popen[str]) -> tuple[list[str], list[str]]:
    """Return the stages in the order of the run, and the last lines."""
    names: list[str] = []
    tail: list[str] = []
    assert child.stdout is not None
    for line in child.stdout:
        if started := _STAGE.search(line):
            names.append(started[1])
            typer.echo(started[1], err=True)
        tail = [*tail[-20:], line.rstrip()]
    child.wait()
    return names, tail


def summarize(
    wall_s: float, bare_s: float, names: list[str], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """Divide the wall time into own work, imports, process starts, and DVC.

    Args:
        wall_s: of `dvc repro`.
        bare_s: of a Python process that does nothing.
        names: of the stages, in the order of the run.
        rows: kind (stage or import), start and end of each stage's process, and of each import
            in it or in one of its workers.
    """
    runs = sorted((row["start"], row["end"]) for row in rows if row["kind"] == "stage")
    if len(names) != len(runs):
        raise SystemExit(f"{len(names)} stages were started, {len(runs)} ended by themselves")
    imports = [(row["start"], row["end"]) for row in rows if row["kind"] == "import"]
    stages = {}
    for name, (start, end) in zip(names, runs, strict=True):
        import_s = covered([(max(a, start), min(b, end)) for a, b in imports if a < end])
        stages[name] = {"own_s": round(end - start - import_s, 2), "import_s": round(import_s, 2)}
    stages_s = sum(stage["own_s"] for stage in stages.values())
    import_s = sum(stage["import_s"] for stage in stages.values())
    start_s = bare_s * len(stages)
    return {
        "wall_s": round(wall_s, 1),
        "own_s": round(stages_s, 1),
        "import_s": round(import_s, 1),
        "process_start_s": round(start_s, 1),
        "dvc_s": round(wall_s - stages_s - import_s - start_s, 1),
        "stages": stages,
    }


def covered(intervals: list[tuple[float, float]]) -> float:
    """Return the length of the union of intervals: what two processes import at once counts once.

    An interval that ends before it starts is empty.
    """
    total, reached = 0.0, float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total


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
    run = "a new smoke copy" if folder is None else "dvc repro in a given folder"
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
