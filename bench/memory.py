"""Measure how memory grows with the pictures: stages on tables, and many rows through an engine.

    python -m bench.memory [--pictures 5000 10000 20000] [--rows 50000]

Each measurement runs in a process of its own, on generated problems with a picture each in the
layout of MATH-Vision. Memory is what the process itself holds, without mapped files (`RssAnon`,
Linux), read every 20 ms. The result goes to `bench/results/memory.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from bench.common import ROOT, save
from bench.import_memory import make_rows
from mathse.core.images import ImageStore
from mathse.core.layout import Layout
from mathse.core.stage_tables import read_problems
from mathse.engines.protocol import Completion, Request, SamplingParams, batch_units

GOAL = 340_000
"""Pictures of the issue's largest run."""
SIDE = 136
EVERY_S = 0.02


class Watch:
    """Reads this process's own memory in a thread."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            self.peak_mib = max(self.peak_mib, process_mib())
            time.sleep(EVERY_S)


def process_mib() -> float:
    """Return the memory of this process without mapped files, in MiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon:")) / 1024


def make_project(folder: Path, pictures: int) -> None:
    """Write params and an import of so many problems; each tenth one is to evaluate on."""
    from mathse.datasets.import_records import record_import
    from mathse.datasets.importing import import_source

    made = folder / "data/import/made"
    make_rows(folder / "source", pictures, SIDE)
    import_source("math-vision", folder / "source", made)
    rows = pl.read_parquet(made / "problems.parquet")
    tenth = pl.int_range(pl.len()) % 10 == 0
    rows = rows.with_columns(split=pl.when(tenth).then(pl.lit("test")).otherwise(pl.lit("train")))
    rows.sort("split", "problem_id").write_parquet(made / "problems.parquet")
    record_import(Layout(folder), made, path="source")
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    tables = [{"path": "data/import/made", "split": "train", "use": "train"}]
    tables += [{"path": "data/import/made", "split": "test", "use": "eval"}]
    params["problems"] |= {"source": "tables", "tables": tables}
    offline = yaml.safe_load((ROOT / "profiles/offline.yaml").read_text(encoding="utf-8"))
    for section, values in offline.items():
        params[section] |= values
    params["eval"]["splits"] = ["eval"]
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def run_problems() -> None:
    """Run `problems`."""
    from stages.problems import problems

    problems(Layout())


def run_decontaminate() -> None:
    """Run `decontaminate`."""
    from stages.decontaminate import decontaminate

    decontaminate(Layout())


def run_finetune() -> None:
    """Build the training rows of `finetune` in files, from all problems to train on."""
    from mathse.engines.inputs import InputBuilder
    from mathse.training.row_file import RowFile, write_rows
    from mathse.training.student import examples_of

    pool = read_problems(Layout(), "train").drop("solution")
    answer = pl.lit(
        "1. Count the dots.\n2. Leave out the blue ones.\nThe answer to this problem is "
    )
    rows = pool.with_columns(row_id="problem_id", response=answer + pl.col("answer"))
    builder = InputBuilder.load(
        str(ROOT / "models/tiny-base"), ImageStore(Layout().images), check=False
    )
    write_rows(Path("rows"), examples_of(rows), builder, max_tokens=512)
    assert len(RowFile(Path("rows"))) == rows.height


STAGES: dict[str, Callable[[], None]] = {
    "problems": run_problems,
    "decontaminate": run_decontaminate,
    "finetune, rows": run_finetune,
}


class MockEngine:
    """Answers at once, after it has read each picture; as many requests at once as asked for."""

    digest, input_fingerprint = "mock", "0" * 16

    def __init__(self, images: ImageStore) -> None:
        self.images = images
        self.curve: list[tuple[int, float]] = []

    def complete(self, requests: Iterable[Request]) -> Iterator[Completion]:
        """Yield a completion of some 300 characters for each request."""
        for number, request in enumerate(requests, start=1):
            size = sum(len(self.images.get(name)) for name in request.image_ids)
            text = f"1. The picture has {size} bytes, and {request.key} is a name.\n" * 4
            yield Completion(request.key, text, "stop", 100, 60)
            if number % 2500 == 0:
                self.curve.append((number, round(process_mib(), 1)))

    def units(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return batches of 16."""
        return batch_units(requests, 16)

    def close(self) -> None:
        """Do nothing."""


def run_engine(rows: int) -> dict[str, Any]:
    """Solve problems through a journal, several times each, until there are so many rows."""
    from mathse.engines.journaled import JournaledEngine
    from mathse.trajectories import solve

    pool = read_problems(Layout(), "train")
    names = pool["problem_id"].to_list()
    plan = [(names[index % len(names)], index // len(names)) for index in range(rows)]
    mock = MockEngine(ImageStore(Layout().images, cache_bytes=32 << 20))
    engine = JournaledEngine(mock, Path("journal"), "mock")
    made = solve(
        engine, pool, plan, sampling=SamplingParams(1.0, 1.0, 64), round_name="r1", origin="student"
    )
    assert made.height == rows and made["error"].null_count() == rows
    return {"curve": mock.curve}


def measure(folder: Path, what: str, rows: int = 0) -> dict[str, Any]:
    """Run a measurement in a process of its own; return seconds, memory and what it found."""
    command = [sys.executable, "-m", "bench.memory", "--worker", what, "--rows", str(rows)]
    given = {**os.environ, "PYTHONPATH": str(ROOT), "TOKENIZERS_PARALLELISM": "false"}
    output = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, cwd=folder, env=given
    ).stdout
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    print(f"{what}: {found['peak_mib']:.0f} MiB, {found['s']:.1f} s", flush=True)
    return found


def work(what: str, rows: int) -> None:
    """Print what a measurement found as a line of JSON."""
    start_s, watch = time.perf_counter(), Watch()
    found = run_engine(rows) if what == "engine" else STAGES[what]() or {}
    spent_s = round(time.perf_counter() - start_s, 1)
    print(json.dumps({"peak_mib": round(watch.peak_mib, 1), "s": spent_s, **found}))


def slope(points: Sequence[tuple[int, float]]) -> float:
    """Return the growth in KiB for each unit, by least squares."""
    numbers, mib = np.array(points).T
    return round(float(np.polyfit(numbers, mib * 1024, 1)[0]), 3)


def main() -> None:
    """Measure all, print and write the slopes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, nargs="+", default=[5000, 10_000, 20_000])
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--stages", nargs="*", choices=[*STAGES, "engine"])
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        work(args.worker, args.rows)
        return
    chosen = args.stages or [*STAGES, "engine"]
    points: dict[str, list[dict[str, Any]]] = {name: [] for name in STAGES if name in chosen}
    result: dict[str, Any] = {"picture_bytes": SIDE * (3 * SIDE + 1)}
    for pictures in args.pictures:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            make_project(folder, pictures)
            if "problems" not in chosen:
                measure(folder, "problems")
            for name in points:
                points[name].append({"pictures": pictures, **measure(folder, name)})
            if "engine" in chosen and pictures == args.pictures[-1]:
                found = measure(folder, "engine", args.rows)
                half = [(n, mib) for n, mib in found["curve"] if n > args.rows / 2]
                result["engine"] = {
                    "rows": args.rows,
                    "kib_per_row": slope(found["curve"]),
                    "kib_per_row_second_half": slope(half),
                    **found,
                }
    result["stages"] = {}
    for name, measured in points.items():
        grows = slope([(point["pictures"], point["peak_mib"]) for point in measured])
        at_goal = measured[-1]["peak_mib"] + grows * (GOAL - measured[-1]["pictures"]) / 1024
        print(f"{name}: {grows:.1f} KiB a picture, {at_goal / 1024:.1f} GiB at {GOAL:,}")
        result["stages"][name] = {
            "kib_per_picture": grows,
            f"gib_at_{GOAL}": round(at_goal / 1024, 2),
            "measured": measured,
        }
    if "engine" in result:
        print(f"engine: {result['engine']['kib_per_row']:.2f} KiB a row")
    save("memory", result, ("polars", "numpy", "pillow"))


if __name__ == "__main__":
    main()
