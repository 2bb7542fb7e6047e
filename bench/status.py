"""How long `dvc status` takes where a run has many rounds.

    python -m bench.status [--rounds 20] [--repeats 5]

A copy of the pipeline gets so many rounds in `params.yaml`, and small files in place of what its
stages write; `dvc commit` records them as a finished run. Then `dvc status`, which finds nothing
to do, is timed. The result goes to `bench/results/status.json`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
import yaml

from bench.common import ROOT, save
from mathse.copies import copy_pipeline

UP_TO_DATE = "Data and pipelines are up to date."
IN_A_FOLDER = ("first.bin", "second.bin", "third.bin")
# Run in the copy: lists the paths of all outputs and dependencies, and how many stages there are.
LIST_OUTPUTS = """
import json
from dvc.repo import Repo
with Repo() as repo:
    stages = list(repo.index.stages)
    outputs = [out.fs_path for stage in stages for out in stage.outs]
    read = [dep.fs_path for stage in stages for dep in stage.deps if dep.fs_path]
print(json.dumps({"stages": len(stages), "outputs": outputs, "read": read}))
"""


def make_run(folder: Path, rounds: int) -> dict[str, int]:
    """Write a run of so many rounds that looks finished; return how much DVC looks at."""
    copy_pipeline(ROOT, folder)
    file = folder / "params.yaml"
    params = yaml.safe_load(file.read_text(encoding="utf-8"))
    params["rounds"] = {f"r{number + 1}": {"prev": f"r{number}"} for number in range(rounds)}
    file.write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")
    # The code's hashes are real; all other outputs are stand-ins, whose sizes DVC does not mind.
    run(folder, "python", "-m", "stages.code")
    listed = json.loads(run(folder, "python", "-c", LIST_OUTPUTS).splitlines()[-1])
    for path in map(Path, listed["outputs"] + listed["read"]):  # some read a file of a folder
        if not path.exists():
            write_stand_in(path)
    run(folder, "dvc", "commit", "--force")
    files = sum(len(names) for _, _, names in os.walk(folder / "data"))
    return {"stages": listed["stages"], "outputs": len(listed["outputs"]), "files_of_data": files}


def write_stand_in(path: Path) -> None:
    """Write a file, or a folder of files where the name has no ending; each has its own bytes."""
    is_file = bool(path.suffix)
    for file in [path] if is_file else [path / name for name in IN_A_FOLDER]:
        file.parent.mkdir(parents=True, exist_ok=True)
        text = "{}\n" if file.suffix == ".json" else f"{file.relative_to(path.parents[-2])}\n"
        file.write_text(text, encoding="utf-8")


def run(folder: Path, *words: str) -> str:
    """Run a program of this environment in a folder and return what it prints.

    Raises:
        SystemExit: if it fails.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    more = {"PATH": path, "DVC_NO_ANALYTICS": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        words, cwd=folder, env={**os.environ, **more}, capture_output=True, text=True
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def time_status(folder: Path) -> float:
    """Return the seconds of one `dvc status`.

    Raises:
        SystemExit: if it finds anything to do: then it was not what is to be measured.
    """
    start = time.perf_counter()
    printed = run(folder, "dvc", "status")
    seconds = time.perf_counter() - start
    if UP_TO_DATE not in printed:
        raise SystemExit(f"dvc status finds something to do:\n{printed[:2000]}")
    return round(seconds, 2)


def measure(folder: Path, rounds: int, repeats: int) -> dict[str, Any]:
    """Make the run in a new folder and time `dvc status` so many times."""
    size = make_run(folder, rounds)
    load = round(os.getloadavg()[0], 1)
    seconds = [time_status(folder) for _ in range(repeats)]
    return {
        "rounds": rounds,
        **size,
        "load_before": load,
        "seconds": seconds,
        "median_s": median(seconds),
        "most_s": max(seconds),
    }


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 20,
    repeats: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """Measure and write the result."""
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(Path(scratch) / "run", rounds, repeats)
    typer.echo(json.dumps(result, indent=2))
    save("status", result, ("dvc",))


if __name__ == "__main__":
    typer.run(main)
